/**
 * One way to read a data directory back, timed, in a process of its own whose memory nothing else has touched:
 * `recovery_program.js WAY DIR`. Prints a line of JSON with what was read and the seconds of each stage.
 *
 *   open      the engine opens it, as a restart does
 *   read      a cursor reads its log and looks at nothing
 *   core      the log's payloads are applied to a state machine; reading them is not timed
 *   snapshot  its newest snapshot: tables, load, invariants, each on its own
 */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {AllocDb, checkInvariants, DECODE, digestOf, Outcome, overflowOf, RESULT, SlotOverflow} from '@allocdb/core';
import {RECORD_TYPE, SingleNodeEngine} from '@allocdb/node';
import {type CreatedWith, loadSnapshot, lsnOfSnapshotName, readConfigFile} from '@allocdb/node/testing';
import {type LogCursor, nodeFileIo, READ, readWal} from '@allocdb/wal';

/** Records for which memory is read ahead at once. */
const READ_AHEAD = 256;

type Found = Record<string, number | string>;

/** Seconds that some work took, and what it gave. */
function timed<T>(work: () => T): {seconds: number; result: T} {
  const beganMs = performance.now();
  const result = work();
  return {seconds: (performance.now() - beganMs) / 1000, result};
}

function createdWith(dir: string): CreatedWith {
  const created = readConfigFile(nodeFileIo, dir);
  if (created === null) throw new Error(`${dir} holds no database`);
  return created;
}

function open(dir: string): Found {
  const {seconds, result: engine} = timed(() => SingleNodeEngine.open({dir}));
  const {recovery} = engine.directory;
  const digest = digestOf(engine.db).toString(16);
  // What opening has done once, as its last look at the state.
  const check = timed(() => checkInvariants(engine.db));
  if (check.result.length > 0) throw new Error(`the state is not sound: ${check.result.join('; ')}`);
  engine.closeNow();
  return {seconds, check: check.seconds, records: recovery.replayedRecords, digest};
}

function read(dir: string): Found {
  const {seconds, result: records} = timed(() => {
    const cursor = readWal({dir: join(dir, 'wal')});
    let count = 0;
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) if (event === READ.RECORD) count++;
    cursor.close();
    return count;
  });
  return {seconds, records};
}

/** Records in memory: payloads behind each other, and of each its length, lsn, slot and whether a client sent it. */
class RecordChunk {
  static readonly records: number = 65_536;
  static readonly bytes: number = 16 << 20;
  readonly view: DataView = new DataView(new ArrayBuffer(RecordChunk.bytes));
  readonly #bytes: Uint8Array = new Uint8Array(this.view.buffer);
  readonly #fields: Int32Array = new Int32Array(6 * RecordChunk.records);
  #end: number = 0;
  count: number = 0;

  /** Copies records until there is no room or no record; false when there was none at all. */
  fill(cursor: LogCursor): boolean {
    this.#end = 0;
    this.count = 0;
    while (this.count < RecordChunk.records && this.#end + 8192 <= RecordChunk.bytes) {
      let event = cursor.next();
      while (event !== READ.RECORD && event !== READ.END) event = cursor.next();
      if (event === READ.END) break;
      this.#add(cursor);
    }
    return this.count > 0;
  }

  field(record: number, field: number): number {
    return this.#fields[6 * record + field] as number;
  }

  #add({view, offset, length, lsnLo, lsnHi, stampLo, stampHi, type}: LogCursor): void {
    this.#bytes.set(new Uint8Array(view.buffer, view.byteOffset + offset, length), this.#end);
    this.#fields.set(
      [length, lsnLo, lsnHi, stampLo, stampHi, type === RECORD_TYPE.CLIENT_COMMAND ? 1 : 0],
      6 * this.count,
    );
    this.#end += length;
    this.count++;
  }
}

/** Has memory read ahead for records from one on, as many as fit. */
function readAhead({lookahead}: AllocDb, chunk: RecordChunk, first: number, offset: number): void {
  lookahead.begin();
  let at = offset;
  for (let record = first; record < chunk.count; record++) {
    const length = chunk.field(record, 0);
    if (chunk.field(record, 5) === 1 && !lookahead.note(chunk.view, at, length)) break;
    at += length;
  }
  lookahead.load();
}

/** Applies a chunk as replay does. */
function applyChunk(db: AllocDb, chunk: RecordChunk, outcome: Outcome, overflow: SlotOverflow): void {
  let at = 0;
  for (let record = 0; record < chunk.count; record++) {
    if (record % READ_AHEAD === 0) readAhead(db, chunk, record, at);
    const length = chunk.field(record, 0);
    const [lsnLo, lsnHi] = [chunk.field(record, 1), chunk.field(record, 2)];
    const [slotLo, slotHi] = [chunk.field(record, 3), chunk.field(record, 4)];
    if (chunk.field(record, 5) === 1) {
      if (db.decodeClient(chunk.view, at, length) !== DECODE.NONE || overflowOf(db, slotLo, slotHi, overflow)) {
        throw new Error('a record of the log is no command');
      }
      db.applyClient(lsnLo, lsnHi, slotLo, slotHi, outcome);
    } else {
      if (db.decodeInternal(chunk.view, at, length) !== DECODE.NONE) throw new Error('a record is no internal command');
      db.applyInternal(lsnLo, lsnHi, slotLo, slotHi, outcome);
      if (outcome.code === RESULT.RESERVATION_NOT_FOUND) throw new Error('an expiration is of no reservation');
    }
    at += length;
  }
}

function core(dir: string): Found {
  const {config, hashSeed} = createdWith(dir);
  const db = new AllocDb(config.core, hashSeed);
  const cursor = readWal({dir: join(dir, 'wal')});
  const [chunk, outcome, overflow] = [new RecordChunk(), new Outcome(), new SlotOverflow()];
  let [seconds, records] = [0, 0];
  while (chunk.fill(cursor)) {
    seconds += timed(() => applyChunk(db, chunk, outcome, overflow)).seconds;
    records += chunk.count;
  }
  cursor.close();
  return {seconds, records, digest: digestOf(db).toString(16)};
}

function snapshot(dir: string): Found {
  const {config, hashSeed} = createdWith(dir);
  const own = join(dir, 'snapshots');
  const name = readdirSync(own)
    .filter(each => lsnOfSnapshotName(each) !== null)
    .sort()
    .at(-1);
  if (name === undefined) throw new Error(`${dir} holds no snapshot`);
  // Into the page cache, as after a restart of the process alone.
  const {byteLength} = readFileSync(join(own, name));
  const tables = timed(() => new AllocDb(config.core, hashSeed));
  const db = tables.result;
  const load = timed(() => loadSnapshot(nodeFileIo, join(own, name), db));
  if (load.result !== null) throw new Error(`the snapshot cannot be used: ${load.result}`);
  const check = timed(() => checkInvariants(db));
  if (check.result.length > 0) throw new Error(`the state is not sound: ${check.result.join('; ')}`);
  return {
    bytes: byteLength,
    tables: tables.seconds,
    load: load.seconds,
    check: check.seconds,
    resources: db.resources.count,
    reservations: db.reservationsUsed,
    operations: db.operations.used,
    digest: digestOf(db).toString(16),
  };
}

const WAYS: Readonly<Record<string, (dir: string) => Found>> = {open, read, core, snapshot};

const [, , way = '', dir] = process.argv;
const chosen = WAYS[way];
if (chosen === undefined || dir === undefined)
  throw new RangeError('usage: recovery_program open|read|core|snapshot DIR');
process.stdout.write(`${JSON.stringify(chosen(dir))}\n`);
