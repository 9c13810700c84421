/**
 * What a client writes down while it buys: one JSON object a line, appended as it happens, in a file that no other
 * process writes. An entry is an answer that arrived, a seat as it was seen, a request that a broken connection left
 * without an answer, or one that the server did not take.
 *
 * Times are microseconds of the machine's monotonic clock, which all processes share. Lsns, slots and versions are plain
 * numbers: a log that began with this demo does not reach 2^53.
 */
import {closeSync, openSync, readFileSync, writeSync} from 'node:fs';

/** A command as its sender meant it, or as the log tells it; whatever a kind does not have is null or empty. */
export interface CommandFacts {
  readonly kind: string;
  /** Resource ids. */
  readonly seats: readonly string[];
  readonly holder: string | null;
  /** A reservation id. */
  readonly lease: string | null;
  readonly ttl: number | null;
  readonly epoch: number | null;
}

interface Timed {
  /** Which server process: 0 for the first, one more for each that followed. */
  readonly life: number;
  /** When it was sent first, and when what this entry tells arrived. */
  readonly sentUs: number;
  readonly receivedUs: number;
  /** How often it was sent until then. */
  readonly sends: number;
}

/** The database's answer to an operation. */
export interface AnswerEntry extends Timed {
  readonly entry: 'answer';
  readonly operation: string;
  readonly command: CommandFacts;
  readonly result: string;
  readonly lsn: number;
  /** The reservation that was granted, and its deadline slot. */
  readonly granted: string | null;
  readonly deadline: number | null;
  /** True when the server said that it had executed the operation before. */
  readonly cached: boolean;
}

/** A seat as the database showed it. */
export interface LookEntry extends Timed {
  readonly entry: 'look';
  readonly seat: string;
  readonly state: string;
  readonly lease: string | null;
  readonly version: number;
}

/** A request that was sent and not answered when its connection ended; `operation` is null for a look. */
export interface LostEntry {
  readonly entry: 'lost';
  readonly life: number;
  readonly operation: string | null;
}

/** A request that the server did not take. */
export interface RejectedEntry extends Timed {
  readonly entry: 'rejected';
  readonly operation: string | null;
  readonly failure: string;
}

export type LedgerEntry = AnswerEntry | LookEntry | LostEntry | RejectedEntry;

const FLUSH_CHARS: number = 1 << 17;

/** Appends to one ledger. */
export class LedgerWriter {
  readonly #file: number;
  #lines: string[] = [];
  #chars: number = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'wx');
  }

  add(entry: LedgerEntry): void {
    const line = JSON.stringify(entry);
    this.#lines.push(line);
    this.#chars += line.length;
    if (this.#chars >= FLUSH_CHARS) this.flush();
  }

  flush(): void {
    if (this.#lines.length > 0) writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#chars = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}

/** A line of a ledger: the entry, or null when the line is none. */
export interface LedgerLine {
  /** File and line, for whoever wants to look. */
  readonly place: string;
  readonly entry: LedgerEntry | null;
}

/** Reads a ledger back, line by line. */
export function* readLedger(path: string, name: string): Generator<LedgerLine> {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [i, line] of lines.entries()) yield {place: `${name}:${i + 1}`, entry: parseEntry(line)};
}

const REQUIRED: Record<LedgerEntry['entry'], Record<string, readonly string[]>> = {
  answer: {
    life: ['number'],
    sentUs: ['number'],
    receivedUs: ['number'],
    sends: ['number'],
    operation: ['string'],
    command: ['object'],
    result: ['string'],
    lsn: ['number'],
    granted: ['string', 'null'],
    deadline: ['number', 'null'],
    cached: ['boolean'],
  },
  look: {
    life: ['number'],
    sentUs: ['number'],
    receivedUs: ['number'],
    sends: ['number'],
    seat: ['string'],
    state: ['string'],
    lease: ['string', 'null'],
    version: ['number'],
  },
  lost: {life: ['number'], operation: ['string', 'null']},
  rejected: {life: ['number'], sentUs: ['number'], receivedUs: ['number'], failure: ['string']},
};

function parseEntry(line: string): LedgerEntry | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Record<string, unknown>;
  const kind = fields['entry'];
  if (kind !== 'answer' && kind !== 'look' && kind !== 'lost' && kind !== 'rejected') return null;
  for (const [name, types] of Object.entries(REQUIRED[kind])) {
    const field = fields[name];
    if (!types.includes(field === null ? 'null' : typeof field)) return null;
  }
  return value as LedgerEntry;
}

/**
 * Microseconds of the machine's monotonic clock: one time for all processes. Read anew each time: an offset between two
 * clocks, taken once, is wrong by as long as the process was suspended between the two readings.
 */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}
