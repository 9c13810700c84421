/**
 * A record taken out of the log, for readers that keep what they read.
 */

import type {RecordScope} from '../format/scope.ts';

/** A record apart from the log: its own bytes, valid for ever. */
export interface LogRecord {
  readonly lsn: bigint;
  readonly type: number;
  readonly stamp: bigint;
  readonly scope: RecordScope | null;
  /** A reader that does not know the type must refuse the log. */
  readonly required: boolean;
  readonly payload: Uint8Array;
}
