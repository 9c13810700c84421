/**
 * A history file, read line by line through one buffer: the only input and output here, and of files alone. Memory is
 * bounded by the longest line that is allowed.
 * Not here: what the lines say (`history_line.ts`).
 */
import {type FileIo, nodeFileIo} from '@allocdb/wal';
import type {HistoryEntry, HistoryHeader} from './entry.ts';
import {HistoryError} from './history_error.ts';
import {parseHistoryHeader, parseHistoryLine} from './history_line.ts';

const CHUNK_BYTES: number = 1 << 20;
/** A bundle of 65,535 members fits. */
const LINE_BYTES_MAX: number = 4 << 20;
const NEWLINE = 10;
const UTF8 = new TextDecoder('utf-8', {fatal: true});

/** A header, and the entries behind it, which are read as they are asked for. */
export interface HistorySource {
  readonly header: HistoryHeader;
  readonly entries: Iterable<HistoryEntry>;
}

/**
 * Reads a history file. Throws HistoryError for what is no history, here or while entries are read, and what the system
 * throws for a file that cannot be read. Entries can be gone through once.
 */
export function readHistoryFile(path: string, io: FileIo = nodeFileIo): HistorySource {
  const lines = linesOf(path, io);
  const first = lines.next();
  if (first.done === true) throw new HistoryError(0, `${path} is empty`);
  const header = parseHistoryHeader(first.value);
  return {header, entries: entriesOf(lines)};
}

/** Reads a history from text that is at hand. */
export function readHistoryText(text: string): HistorySource {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const [first = ''] = lines;
  return {header: parseHistoryHeader(first), entries: entriesOf(lines.slice(1))};
}

function* entriesOf(lines: Iterable<string>): Generator<HistoryEntry> {
  let line = 1;
  for (const text of lines) yield parseHistoryLine(text, ++line);
}

function* linesOf(path: string, io: FileIo): Generator<string, undefined> {
  const handle = io.open(path, 'read');
  try {
    let buffer = new Uint8Array(CHUNK_BYTES);
    let [length, position, line] = [0, 0, 0];
    for (;;) {
      if (length === buffer.length) {
        if (length >= LINE_BYTES_MAX) throw new HistoryError(line + 1, `is longer than ${LINE_BYTES_MAX} bytes`);
        const larger = new Uint8Array(2 * length);
        larger.set(buffer);
        buffer = larger;
      }
      const count = io.read(handle, buffer, length, buffer.length - length, position);
      position += count;
      length += count;
      let start = 0;
      for (let end = buffer.indexOf(NEWLINE); end >= 0 && end < length; end = buffer.indexOf(NEWLINE, start)) {
        yield textOf(buffer.subarray(start, end), ++line);
        start = end + 1;
      }
      buffer.copyWithin(0, start, length);
      length -= start;
      if (count > 0) continue;
      if (length > 0) yield textOf(buffer.subarray(0, length), ++line);
      return undefined;
    }
  } finally {
    io.close(handle);
  }
}

function textOf(bytes: Uint8Array, line: number): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new HistoryError(line, 'is no UTF-8');
  }
}
