/**
 * Reading a log back from the page cache: by cursor, by verifying it, by opening it with everything verified; beside them
 * a bare loop that reads the same bytes of the same files in chunks of 1 MiB and checksums them.
 *
 * The log is built by the log itself, frames of 256 records, and has been read once before anything is timed. Every
 * read is checked to have seen every record.
 */
import {closeSync, openSync, readSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {crc32c, READ, RECORD_FLAG, readWal, STATUS, verifyWal, Wal} from '@allocdb/wal';
import {frameBytesOf} from './log_bare.ts';
import {RECORD_BYTES, recordPayload} from './log_subject.ts';
import type {Cell, Table} from './report.ts';
import type {BenchOptions, Expectations} from './scenario.ts';
import {spreadOf} from './stats.ts';

/** Records of a frame, as that many waiters make it. */
export const REPLAY_FRAME_RECORDS = 256;
/** Records per second by cursor. */
const TARGET = 3e6;
const CHUNK_BYTES: number = 1 << 20;
/** In front of the frames of each segment. */
const SEGMENT_HEADER_BYTES = 4096;

/** A file of the log and how much of it is used. */
interface UsedFile {
  readonly path: string;
  readonly bytes: number;
}

/** A closed log. */
export interface BuiltLog {
  readonly dir: string;
  readonly records: number;
  readonly bytes: number;
  readonly files: readonly UsedFile[];
}

/** Writes a log of about so many bytes, in whole frames. */
export function buildLog(dir: string, bytes: number): BuiltLog {
  const payload = recordPayload();
  const frames = Math.max(1, Math.ceil(bytes / frameBytesOf(REPLAY_FRAME_RECORDS)));
  const wal = Wal.open({dir, commitMode: 'inline', background: false});
  const used: number[] = [SEGMENT_HEADER_BYTES];
  let written = wal.metrics.bytesWritten;
  for (let frame = 0; frame < frames; frame++) {
    for (let i = 0; i < REPLAY_FRAME_RECORDS; i++) {
      const status = wal.append(1, RECORD_FLAG.REQUIRED, 0, 0, payload, 0, RECORD_BYTES);
      if (status !== STATUS.OK) throw new Error(`the log refused a record: status ${status}`);
    }
    wal.commitSync();
    const {bytesWritten, segments} = wal.metrics;
    if (segments > used.length) used.push(SEGMENT_HEADER_BYTES);
    used[segments - 1] = (used[segments - 1] ?? 0) + bytesWritten - written;
    written = bytesWritten;
  }
  const names = wal.segments.map(({firstLsn}) => `wal-${String(firstLsn).padStart(20, '0')}.seg`);
  wal.closeSync();
  const files = names.map((name, i) => ({path: join(dir, name), bytes: used[i] ?? 0}));
  return {dir, records: frames * REPLAY_FRAME_RECORDS, bytes: files.reduce((sum, file) => sum + file.bytes, 0), files};
}

/** How many records were seen, and whether each was in its place with its first payload word. */
function readByCursor({dir}: BuiltLog): number {
  const first = new DataView(recordPayload().buffer).getInt32(0, true);
  const cursor = readWal({dir});
  try {
    let records = 0;
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD) continue;
      records++;
      if (cursor.lsnLo !== records || cursor.length !== RECORD_BYTES) throw new Error(`record ${records} is another`);
      if (cursor.view.getInt32(cursor.offset, true) !== first) throw new Error(`record ${records} differs`);
    }
    return records;
  } finally {
    cursor.close();
  }
}

/** Opening with all verified; closing again is not part of the time. */
function openWhole({dir}: BuiltLog): {records: number; millis: number} {
  const beganMs = performance.now();
  const wal = Wal.open({dir, verify: 'all', background: false});
  const millis = performance.now() - beganMs;
  const records = Number(wal.durableLsn);
  wal.closeSync();
  return {records, millis};
}

/** Reads and checksums all used bytes, and knows nothing of what they mean. */
function readBare({files}: BuiltLog): number {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let [checksum, total] = [0, 0];
  for (const {path, bytes} of files) {
    const handle = openSync(path, 'r');
    try {
      for (let at = 0; at < bytes; ) {
        const count = readSync(handle, chunk, 0, Math.min(CHUNK_BYTES, bytes - at), at);
        if (count === 0) throw new Error('a segment is shorter than what was written to it');
        checksum = crc32c(chunk, 0, count, checksum);
        at += count;
        total += count;
      }
    } finally {
      closeSync(handle);
    }
  }
  return total;
}

function timed(work: () => number): {count: number; millis: number} {
  const beganMs = performance.now();
  const count = work();
  return {count, millis: performance.now() - beganMs};
}

/** Milliseconds of one reading; checks what it saw. */
type Reading = (log: BuiltLog, expectations: Expectations) => number;

function counting(name: string, read: (log: BuiltLog) => number): Reading {
  return (log, expectations) => {
    const {count, millis} = timed(() => read(log));
    expectations.equal(`records seen by ${name}`, count, log.records);
    return millis;
  };
}

const READINGS: readonly {readonly name: string; readonly target: number | null; readonly read: Reading}[] = [
  {
    name: 'bare read and checksum',
    target: null,
    read: (log, expectations) => {
      const {count, millis} = timed(() => readBare(log));
      expectations.equal('bytes seen by the bare loop', count, log.bytes);
      return millis;
    },
  },
  {name: 'readWal, cursor', target: TARGET, read: counting('the cursor', readByCursor)},
  {
    name: 'verifyWal',
    target: null,
    read: counting('verifyWal', ({dir}) => verifyWal({dir}).records),
  },
  {
    name: 'Wal.open, verify all',
    target: null,
    read: (log, expectations) => {
      const {records, millis} = openWhole(log);
      expectations.equal('last lsn of the opened log', records, log.records);
      return millis;
    },
  },
];

/** Records and MiB per second of every way to read, the bare loop first. */
export function replayTable(options: BenchOptions, dir: string, expectations: Expectations): Table {
  options.progress(`log: building ${options.replayMib} MiB to replay`);
  const log = buildLog(join(dir, 'replay'), options.replayMib << 20);
  for (const {read} of READINGS) read(log, expectations);
  const millis: number[][] = READINGS.map(() => []);
  for (let i = 0; i < options.repeat; i++) {
    for (const [at, {read}] of READINGS.entries()) millis[at]?.push(read(log, expectations));
    options.progress(`log: replay, run ${i + 1} of ${options.repeat}`);
  }
  const bare = millis[0] ?? [];
  const rows = READINGS.map(({name, target}, at): Cell[] => {
    const own = millis[at] ?? [];
    return [
      name,
      spreadOf(own.map(each => (log.records * 1000) / each)),
      target,
      spreadOf(own.map(each => (log.bytes * 1000) / each)),
      spreadOf(own.map((each, i) => (bare[i] ?? Number.NaN) / each)),
    ];
  });
  return {
    title: `Replay of ${log.records} records of ${RECORD_BYTES} bytes from the page cache, ${log.files.length} segments`,
    columns: [
      {name: 'what', kind: 'text'},
      {name: 'records/s', kind: 'rate'},
      {name: 'target', kind: 'rate'},
      {name: 'bytes/s', kind: 'bytes'},
      {name: 'of bare', kind: 'ratio'},
    ],
    rows,
  };
}
