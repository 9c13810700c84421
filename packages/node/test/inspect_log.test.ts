/**
 * Looking into a log: every record as the change that it was, in order; and with any one bit of the log flipped, nothing
 * that was not written, nothing thrown, and the damage named.
 */
import {decodeChange} from '@allocdb/api';
import type {Command} from '@allocdb/core';
import {STATUS, Wal} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {type InspectedEntry, type InspectLogOptions, inspectLog, type SingleNodeEngine} from '../src/index.ts';
import {batch, contentOf, DIR, openErrorOf, openOn, payload, reserve, tick, WAL_DIR} from './support.ts';

/** One small segment holds the whole log. */
const SEGMENT_BYTES = 8192;
/** Of the segment; its fields end before the zeros begin. */
const HEADER_BYTES = 4096;
const HEADER_FIELDS_END = 88;
const FRAME_FIELDS_END = 48;

type Of<Kind extends InspectedEntry['kind']> = Extract<InspectedEntry, {kind: Kind}>;

function inspected(io: SimDisk, options: InspectLogOptions = {}, dir: string = DIR): InspectedEntry[] {
  return [...inspectLog(dir, {io, records: true, ...options})];
}

function of<Kind extends InspectedEntry['kind']>(entries: readonly InspectedEntry[], kind: Kind): Of<Kind>[] {
  return entries.filter((entry): entry is Of<Kind> => entry.kind === kind);
}

/** Records by lsn, as text. */
function recordsOf(entries: readonly InspectedEntry[]): Map<bigint, string> {
  return new Map(of(entries, 'record').map(record => [record.lsn, textOf(record)]));
}

/** Every field of a record, made quickly. */
function textOf({lsn, change, problem}: Of<'record'>): string {
  const lease = change !== null && 'lease' in change ? change.lease : null;
  return [lsn, problem, ...Object.values(change ?? {}), ...Object.values(lease ?? {})].join(' ');
}

/** Every kind of command, won and lost, and an expiration; several frames. */
function fill(engine: SingleNodeEngine): void {
  engine.handleApiRequest(batch(4, 1n, 101n));
  engine.handleApiRequest(reserve(1n, 2n, 201n));
  engine.handleApiRequest(reserve(1n, 2n, 202n));
  const submit = (command: Command, operation: bigint, requestSlot: bigint): void => {
    engine.handleApiRequest({type: 'submit', requestSlot, payload: payload(command, operation)});
  };
  const reservationId = (7n << 64n) | 5n;
  submit({kind: 'reserve_bundle', resourceIds: [2n, 3n], holderId: 8n, ttlSlots: 4n}, 203n, 3n);
  submit({kind: 'confirm_fenced', reservationId, holderId: 9n, leaseEpoch: 1n}, 204n, 3n);
  const rest: readonly Command[] = [
    {kind: 'release', reservationId, holderId: 1n},
    {kind: 'revoke', reservationId},
    {kind: 'reclaim', reservationId},
  ];
  const payloads = rest.map((command, i) => payload(command, 205n + BigInt(i)));
  engine.handleApiRequest({type: 'submit_batch', requestSlot: 4n, payloads});
  engine.handleApiRequest(tick(40n));
}

function written(): SimDisk {
  const disk = new SimDisk();
  const engine = openOn(disk, {segmentBytes: SEGMENT_BYTES, maxFrameBytes: 1024});
  fill(engine);
  engine.closeNow();
  return disk;
}

describe('of a sound log', () => {
  test('every record is the change that the feed tells of', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    fill(engine);
    const feed = await changesOf(engine);
    engine.closeNow();
    const entries = inspected(disk);
    expect(entries[0]).toEqual({kind: 'config', shardId: 7n, slotMs: null, problem: null});
    const records = of(entries, 'record');
    expect(records.map(({change}) => change)).toEqual(feed);
    expect(records.every(({problem}) => problem === null)).toBe(true);
    expect(records.map(({change}) => change?.result)).toEqual([
      ...['ok', 'ok', 'ok', 'ok', 'ok', 'resource_busy', 'ok', 'ok', 'holder_mismatch', 'ok', 'ok', 'ok'],
    ]);
    expect(entries.at(-1)).toMatchObject({kind: 'end', error: null, recovery: {ending: 'clean', lastLsn: 12n}});
  });

  test('lsns and a bound choose, and what is left out is said', () => {
    const disk = written();
    const lsns = (options: InspectLogOptions): bigint[] => of(inspected(disk, options), 'record').map(({lsn}) => lsn);
    expect(lsns({from: 3n, to: 6n})).toEqual([3n, 4n, 5n, 6n]);
    expect(lsns({from: 11n})).toEqual([11n, 12n]);
    expect(lsns({limit: 2})).toEqual([1n, 2n]);
    expect(inspected(disk, {limit: 2}).at(-1)).toEqual({kind: 'limit'});
    const frames = inspected(disk, {limit: 3, records: false});
    expect([of(frames, 'frame').length, of(frames, 'record').length]).toEqual([3, 0]);
  });

  test('of a directory of segments alone, a database without CONFIG, and one beside a writer', () => {
    const disk = written();
    expect(recordsOf(inspected(disk, {}, WAL_DIR))).toEqual(recordsOf(inspected(disk)));
    disk.unlink(`${DIR}/CONFIG`);
    const [config] = inspected(disk);
    expect(config).toMatchObject({shardId: 0n, problem: expect.stringContaining('has no CONFIG')});
    const running = new SimDisk();
    const engine = openOn(running);
    fill(engine);
    const before = contentOf(running);
    expect(recordsOf(inspected(running)).size).toBe(12);
    expect(contentOf(running)).toEqual(before);
    engine.closeNow();
    expect(openErrorOf(() => inspected(new SimDisk(), {}, '/nowhere')).code).toBe('io');
    expect(openErrorOf(() => inspected(disk, {}, `${DIR}/snapshots`)).code).toBe('missing_log');
  });

  test('a record that no engine writes is named', () => {
    const disk = written();
    const wal = Wal.open({dir: WAL_DIR, io: disk, segmentBytes: 64 * 1024, lock: false});
    expect(wal.append(1, 1, 40, 0, new Uint8Array(8), 0, 8)).toBe(STATUS.OK);
    expect(wal.append(9, 1, 40, 0, new Uint8Array(8), 0, 8)).toBe(STATUS.OK);
    wal.closeSync();
    const records = of(inspected(disk), 'record').slice(-2);
    expect(records.map(({change}) => change)).toEqual([null, null]);
    expect(records.map(({problem}) => problem)).toEqual([
      expect.stringContaining('type 1'),
      expect.stringContaining('type 9'),
    ]);
  });
});

describe('of a log with one bit flipped, one after the other', () => {
  const disk = written();
  const config = disk.contentOf(`${DIR}/CONFIG`);
  // Reading it takes longer than all the rest.
  disk.unlink(`${DIR}/CONFIG`);
  const sound = inspected(disk);
  const truth = recordsOf(sound);
  const [name = ''] = disk.list(WAL_DIR).filter(each => each.endsWith('.seg'));
  const path = `${WAL_DIR}/${name}`;
  const bits = disk.contentOf(path).length * 8;
  const frames = of(sound, 'frame');
  const hasMeaning = (byte: number): boolean =>
    byte < HEADER_BYTES
      ? byte < HEADER_FIELDS_END || byte >= HEADER_BYTES - 4
      : frames.some(({offset}) => byte >= offset && byte < offset + FRAME_FIELDS_END);

  test('no damaged record is shown, all others are, and the damage is named', {timeout: 600_000}, () => {
    const wrong: string[] = [];
    let flipped = 0;
    for (let at = 0; at < bits; at++) {
      const byte = at >> 3;
      // What lies under one checksum and has no meaning of its own to the reader: one bit of each byte will do.
      if (!hasMeaning(byte) && (at & 7) !== (byte & 7)) continue;
      flipped++;
      disk.flipBit(path, byte, at & 7);
      const entries = inspected(disk);
      disk.flipBit(path, byte, at & 7);
      const frame = frames.find(({offset, bytes}) => byte >= offset && byte < offset + bytes);
      const hit = frame?.frame === 'data' ? frame.records : 0;
      // Without its salt no frame of a segment can be told.
      const hidden = byte >= 48 && byte < 52 ? truth.size : hit;
      let shown = 0;
      let isNamed = false;
      for (const entry of entries) {
        if (entry.kind === 'record') {
          shown++;
          if (truth.get(entry.lsn) !== textOf(entry)) wrong.push(`lsn of bit ${at}`);
        } else if (entry.kind === 'unreadable') isNamed = true;
        else if ((entry.kind === 'segment' || entry.kind === 'frame') && entry.problem !== null) isNamed = true;
      }
      if (shown !== truth.size - hidden) wrong.push(`bit ${at}: ${shown} records`);
      if (!isNamed) wrong.push(`bit ${at}: no damage`);
    }
    expect(wrong).toEqual([]);
    expect(flipped).toBeGreaterThan(SEGMENT_BYTES);
  });

  test('and so of CONFIG and of the clean file', () => {
    disk.replaceContent(`${DIR}/CONFIG`, config);
    for (const file of [`${DIR}/CONFIG`, `${WAL_DIR}/clean`]) {
      const length = disk.contentOf(file).length;
      for (let byte = 0; byte < length; byte++) {
        disk.flipBit(file, byte, byte & 7);
        const entries = inspected(disk);
        disk.flipBit(file, byte, byte & 7);
        expect(of(entries, 'record')).toHaveLength(truth.size);
        expect(of(entries, 'config')[0]?.problem === null).toBe(file.endsWith('clean'));
      }
    }
  });
});

/** Every change that is durable, as subscribers get them. */
async function changesOf(engine: SingleNodeEngine): Promise<unknown[]> {
  const feed = engine.changes(1n);
  const chunk = (await feed.next()) ?? new Uint8Array(0);
  feed.close();
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const changes: unknown[] = [];
  for (let at = 0; at < chunk.length; ) {
    const length = view.getUint32(at, true);
    changes.push(decodeChange(chunk.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return changes;
}
