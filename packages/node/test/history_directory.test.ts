/**
 * Faults of the directory rather than of the answers: a log that lost its end, an expiration before its time, an
 * operation that was logged twice, a tail that was replaced. The history is sound, and the check that is named finds it.
 */
import {EXPIRE_BYTES, encodeClientRequest, writeExpire} from '@allocdb/core';
import {STATUS, Wal} from '@allocdb/wal';
import type {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {type CheckName, checkHistory, type Finding, openDirectoryLog} from '../src/history/index.ts';
import {ended, grantsIn, toldIn} from './history_planted.ts';
import {runWorld, type World} from './history_world.ts';
import {DIR, openErrorOf, openOn, WAL_DIR} from './support.ts';

const SEED = 4;
const BLOCK = 512;
const FRAME_MAGIC = 0x464c_4157;
const DATA = 1;

function isDataFrame(bytes: Uint8Array, at: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(at, true) === FRAME_MAGIC && bytes[at + 6] === DATA;
}

function findingsOf({header, entries}: World, disk: SimDisk): Finding[] {
  using log = openDirectoryLog(DIR, disk);
  return [...checkHistory(header, entries, {log}).findings];
}

function namesOf(findings: readonly Finding[]): CheckName[] {
  return [...new Set(findings.map(({check}) => check))];
}

/** The disk with records behind the last one, as the log would have taken them. */
function appended(world: World, ...records: [type: number, slot: bigint, payload: Uint8Array][]): SimDisk {
  const disk = world.disk.fork(1);
  const wal = Wal.open({dir: WAL_DIR, io: disk, segmentBytes: 256 * 1024, lock: false});
  for (const [type, slot, payload] of records) {
    expect(wal.append(type, 0, Number(slot), 0, payload, 0, payload.length)).toBe(STATUS.OK);
  }
  wal.closeSync();
  return disk;
}

function lastSlotOf(world: World): bigint {
  const engine = openOn(world.disk.fork(1), {config: world.config});
  const slot = BigInt(engine.db.lastSlotLo >>> 0);
  engine.closeNow();
  return slot;
}

describe('a fault of the log', () => {
  test('its last frames are gone: what was acknowledged is missed', async () => {
    const world = await runWorld(SEED, {crashes: false});
    const disk = world.disk.fork(1);
    const segment =
      disk
        .list(WAL_DIR)
        .filter(name => name.endsWith('.seg'))
        .at(-1) ?? '';
    const path = `${WAL_DIR}/${segment}`;
    const bytes = disk.contentOf(path);
    // The last data frame and what stands behind it, and the word that it was closed in order.
    let last = bytes.length - BLOCK;
    while (!isDataFrame(bytes, last)) last -= BLOCK;
    disk.replaceContent(path, bytes.fill(0, last));
    disk.unlink(`${WAL_DIR}/clean`);
    const findings = findingsOf(world, disk);
    expect(namesOf(findings)).toEqual(['in_log']);
    expect(findings[0]?.message).toMatch(/^operation \d+ was acknowledged at lsn \d+: the log ends at lsn \d+$/);
  });

  test('a hold expires before its deadline', async () => {
    const world = await runWorld(SEED, {crashes: false});
    const slot = lastSlotOf(world);
    const reserve = encodeClientRequest({
      operationId: 5n,
      clientId: 1n,
      command: {kind: 'create_resource', resourceId: 500n},
    });
    const hold = encodeClientRequest({
      operationId: 6n,
      clientId: 1n,
      command: {kind: 'reserve', resourceId: 500n, holderId: 1n, ttlSlots: 50n},
    });
    const reader = openDirectoryLog(DIR, world.disk);
    const lsn = checkHistory(world.header, [], {log: reader}).log?.lastLsn ?? 0n;
    reader.close();
    const expire = (at: bigint): [number, bigint, Uint8Array] => {
      const payload = new Uint8Array(EXPIRE_BYTES);
      const view = new DataView(payload.buffer);
      writeExpire(view, 0, Int32Array.of(Number(lsn + 2n), 0, 7, 0), 0, Number(slot + 50n), 0);
      return [2, at, payload];
    };
    const early = appended(world, [1, slot, reserve], [1, slot, hold], expire(slot + 49n));
    const findings = findingsOf(world, early);
    expect(namesOf(findings)).toEqual(['nothing_early']);
    expect(findings[0]?.message).toContain(`deadline at slot ${slot + 50n}, and this is slot ${slot + 49n}`);
    expect(findingsOf(world, appended(world, [1, slot, reserve], [1, slot, hold], expire(slot + 50n)))).toEqual([]);
  });

  test('an operation is logged again while it is remembered', async () => {
    const world = await runWorld(SEED, {crashes: false});
    const slot = lastSlotOf(world);
    const told = toldIn(world.entries).findLast(({answer}) => !answer.fromRetryCache);
    if (told === undefined) throw new Error('something was answered');
    const again = encodeClientRequest({operationId: told.operation, clientId: 1n, command: told.command});
    const disk = appended(world, [1, slot, again]);
    // Nobody can have caused the second record; where somebody can, it is wrong because the first one was remembered.
    const findings = findingsOf(world, disk);
    expect(namesOf(findings)).toEqual(['in_log']);
    expect(findings[0]?.message).toMatch(/is in the log at lsns \d+ and \d+, and 1 of its attempts can have been/);
    expect(findings[0]?.lines).toContain(told.line);
    const line = world.entries.length + 2;
    const lost = {...told, sent: ended(world.entries).time, came: null, answer: {type: 'nothing'}, line} as const;
    const resent = findingsOf({...world, entries: [...world.entries, lost]}, disk);
    expect(namesOf(resent)).toEqual(['at_most_once']);
    expect(resent[0]?.lines).toContain(told.line);
  });

  test('it is the log of another database', async () => {
    const [world, other] = [await runWorld(SEED, {crashes: false}), await runWorld(SEED + 1, {crashes: false})];
    const names = namesOf(findingsOf(world, other.disk));
    expect(names).toContain('in_log');
    expect(grantsIn(world.entries).length).toBeGreaterThan(0);
  });
});

test('a directory that a process uses, or that holds no database, is refused', async () => {
  const world = await runWorld(SEED, {steps: 50});
  const engine = openOn(world.disk, {config: world.config});
  expect(openErrorOf(() => openDirectoryLog(DIR, world.disk)).code).toBe('locked');
  engine.closeNow();
  openDirectoryLog(DIR, world.disk).close();
  expect(openErrorOf(() => openDirectoryLog('/nothing', world.disk)).code).toBe('io');
});
