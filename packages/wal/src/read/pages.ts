/**
 * Records in arrays of bounded size, for whoever hands them on: a page is a copy and stays valid.
 */

import {type LogCursor, READ} from './log_cursor.ts';
import type {ReadOptions} from './record_filter.ts';
import type {LogRecord} from './record_view.ts';

const PAGE_RECORDS = 1000;
const PAGE_BYTES: number = 1 << 20;

/** What to read, and how large a page may get: it ends with the record that reaches a bound. */
export interface PageOptions extends ReadOptions {
  /** Default 1000. */
  readonly maxRecords?: number;
  /** Payload bytes. Default 1 MiB; a page has at least one record. */
  readonly maxBytes?: number;
}

export interface RecordPage {
  readonly records: readonly LogRecord[];
  /** Reading goes on from here, in this life or in another. */
  readonly next: bigint;
}

/** Pages until the cursor ends; there is no empty one. It is opened with the first and closed in any case. */
export function* pagesOf(open: () => LogCursor, options: PageOptions): Generator<RecordPage, void> {
  const {maxRecords = PAGE_RECORDS, maxBytes = PAGE_BYTES} = options;
  const cursor = open();
  let records: LogRecord[] = [];
  let bytes = 0;
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD) continue;
      records.push(cursor.toRecord());
      bytes += cursor.length;
      if (records.length < maxRecords && bytes < maxBytes) continue;
      yield {records, next: cursor.lsn + 1n};
      records = [];
      bytes = 0;
    }
    const last = records.at(-1);
    if (last !== undefined) yield {records, next: last.lsn + 1n};
  } finally {
    cursor.close();
  }
}
