/**
 * Histories out of data directories: the engine's own log gives what a naive database says, also where checkpoints have
 * cut the log and a snapshot must tell what was before; from the state in memory; and from logs that hold no answers.
 */

import {readdirSync, readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import {
  type Change,
  holderIdFromBigint,
  idToBigint,
  type OperationId,
  operationIdFromBigint,
  type ResourceId,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from '@allocdb/api';
import type {Command} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {
  type HistoryQuery,
  type HistoryReport,
  historyLines,
  historyOf,
  historySteps,
  inspectLog,
  knownInState,
  openHistory,
  ResourceHistory,
  type SingleNodeEngine,
} from '../src/index.ts';
import {configWith, DIR, openErrorOf, openOn, payload, tick, WAL_DIR} from './support.ts';
import {contradictions, openEvents} from './why_judge.ts';
import {ALL_RESOURCES, type Asked, NaiveDatabase, RandomAsker, SHARD} from './why_model.ts';

const CONFIG = configWith({}, {maxOperations: 4096, maxReservations: 512});

interface Run {
  readonly disk: SimDisk;
  readonly database: NaiveDatabase;
  readonly engine: SingleNodeEngine;
}

/** A random history through an engine, with checkpoints that cut the log, or keep all of it. */
async function run(seed: number, count: number, cuts: boolean): Promise<Run> {
  const disk = new SimDisk();
  const engine = openOn(disk, {
    config: CONFIG,
    segmentBytes: 16 * 1024,
    maxFrameBytes: 4096,
    checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, retainLogBytes: cuts ? 0 : 1 << 30},
  });
  const database = new NaiveDatabase();
  const asker = new RandomAsker(seed);
  for (let i = 0; i < count; i++) {
    const asked = asker.next(database);
    if (asked !== null && asked.kind !== 'expire') submit(engine, database, asked, asker.slot);
    else expireDue(engine, database, asker.slot);
    if (i % 60 === 59) await engine.checkpoint();
  }
  return {disk, database, engine};
}

function submit(engine: SingleNodeEngine, database: NaiveDatabase, asked: Asked, slot: bigint): void {
  const operation = 1000n + database.lastLsn;
  const requestSlot = slot > database.slot ? slot : database.slot;
  const {result} = database.execute(asked, requestSlot, operation);
  const response = engine.handleApiRequest({
    type: 'submit',
    requestSlot,
    payload: payload(commandOf(asked), operation),
  });
  expect(response).toMatchObject({type: 'submit_committed', resultCode: result});
}

/** The engine expires all that is due, by deadline and then by id; the naive database does as it did. */
function expireDue(engine: SingleNodeEngine, database: NaiveDatabase, slot: bigint): void {
  const due = [...database.reservations.values()]
    .filter(({state, deadlineSlot}) => state === 'reserved' && deadlineSlot <= slot)
    .sort((a, b) => Number(a.deadlineSlot - b.deadlineSlot) || Number(a.lsn - b.lsn))
    .slice(0, CONFIG.engine.maxExpirationsPerTick);
  engine.handleApiRequest(tick(slot));
  const effective = slot > database.slot ? slot : database.slot;
  for (const {id, deadlineSlot} of due) database.execute({kind: 'expire', reservation: id, deadlineSlot}, effective);
}

function commandOf(asked: Asked): Command {
  switch (asked.kind) {
    case 'create_resource':
      return {kind: asked.kind, resourceId: idToBigint(asked.resource)};
    case 'reserve':
    case 'reserve_bundle': {
      const {kind, ttlSlots} = asked;
      const [holderId, resourceIds] = [idToBigint(asked.holder), asked.resources.map(idToBigint)];
      const [resourceId = 0n] = resourceIds;
      return kind === 'reserve' ? {kind, resourceId, holderId, ttlSlots} : {kind, resourceIds, holderId, ttlSlots};
    }
    case 'confirm':
    case 'release': {
      const named = {reservationId: idToBigint(asked.reservation), holderId: idToBigint(asked.holder)};
      if (asked.epoch === null) return {kind: asked.kind, ...named};
      return {kind: asked.kind === 'confirm' ? 'confirm_fenced' : 'release_fenced', ...named, leaseEpoch: asked.epoch};
    }
    case 'revoke':
    case 'reclaim':
      return {kind: asked.kind, reservationId: idToBigint(asked.reservation)};
    case 'expire':
      throw new Error('nobody asks for it');
  }
}

function history(disk: SimDisk, asked: Partial<HistoryQuery>): HistoryReport {
  using source = openHistory(DIR, {io: disk});
  return historyOf(source, {resource: null, operation: null, limit: 10_000, ...asked});
}

function operationsOf(changes: readonly Change[]): OperationId[] {
  return changes.flatMap(change => ('operation' in change ? [change.operation] : []));
}

describe('of a stopped directory', () => {
  test('a log from its beginning gives what the naive database says', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const {disk, database, engine} = await run(seed, 220, false);
      engine.closeNow();
      const changes = [...inspectLog(DIR, {io: disk, records: true})].flatMap(each =>
        each.kind === 'record' ? [each.change] : [],
      );
      // Where a command named an epoch, its kind is another one in the log and the same as a change.
      expect(changes).toEqual(database.changes);
      for (const resource of ALL_RESOURCES) {
        const report = history(disk, {resource});
        expect(contradictions(report, database)).toEqual([]);
        expect(openEvents(report)).toEqual([]);
        expect(report.nowSlot).toBe(database.slot);
      }
      for (const operation of operationsOf(database.changes).slice(-12)) {
        const report = history(disk, {operation});
        expect(contradictions(report, database)).toEqual([]);
        expect(report.operation?.answers).toHaveLength(1);
      }
    }
  });

  test('where checkpoints have cut the log, the oldest snapshot tells what was before', async () => {
    let cut = 0;
    let told = 0;
    for (let seed = 1; seed <= 8; seed++) {
      const {disk, database, engine} = await run(seed, 400, true);
      engine.closeNow();
      for (const resource of ALL_RESOURCES) {
        const report = history(disk, {resource});
        const {firstLsn, known} = report;
        if (firstLsn > 1n) cut++;
        expect(known?.lsn ?? 0n).toBeGreaterThanOrEqual(firstLsn - 1n);
        expect(contradictions(report, database, firstLsn)).toEqual([]);
        expect(report.standing?.is).not.toBe('unknown');
        for (const {lsn, reason} of report.events) {
          if (reason.is === 'held' && lsn > (known?.lsn ?? 0n)) expect(reason.by).not.toBeNull();
          if (reason.is === 'held' && reason.by !== null && reason.by.sinceLsn < firstLsn) told++;
        }
      }
    }
    expect(cut).toBeGreaterThan(20);
    expect(told).toBeGreaterThan(0);
  });

  test('a bundle from before the log is found by any of its members, and by its id', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {config: CONFIG, segmentBytes: 16 * 1024, maxFrameBytes: 4096});
    const database = new NaiveDatabase();
    const [first, second, third] = ALL_RESOURCES as [ResourceId, ResourceId, ResourceId];
    const [alice, bob] = [holderIdFromBigint(1n), holderIdFromBigint(2n)];
    for (const resource of [first, second, third]) submit(engine, database, {kind: 'create_resource', resource}, 1n);
    const resources = [first, second];
    submit(engine, database, {kind: 'reserve_bundle', resources, holder: alice, ttlSlots: 90n}, 1n);
    for (let i = 0; i < 2; i++) {
      const {rolls} = engine.directory.wal.metrics;
      while (engine.directory.wal.metrics.rolls < rolls + 2) {
        submit(engine, database, {kind: 'create_resource', resource: third}, 2n);
      }
      await engine.checkpoint();
    }
    submit(engine, database, {kind: 'reserve', resources: [second], holder: bob, ttlSlots: 5n}, 3n);
    const reservation = reservationIdFromBigint((SHARD << 64n) | 4n);
    submit(engine, database, {kind: 'confirm', reservation, holder: bob, epoch: null}, 3n);
    engine.closeNow();
    const report = history(disk, {resource: second});
    expect(report.firstLsn).toBeGreaterThan(4n);
    expect(contradictions(report, database, report.firstLsn, 1n)).toEqual([]);
    expect(openEvents(report)).toEqual([]);
    expect(report.events.map(({kind, result}) => [kind, result])).toEqual([
      ['reserve', 'resource_busy'],
      ['confirm', 'holder_mismatch'],
    ]);
    const [operation = null] = operationsOf(database.changes.slice(-1));
    const [answer] = history(disk, {operation}).operation?.answers ?? [];
    expect(answer?.reason).toMatchObject({is: 'other_holder', by: {reservation, holder: alice, resourceCount: 2}});
  });

  test('an operation from before the log is told by a snapshot that remembers it', async () => {
    const {disk, database, engine} = await run(5, 400, true);
    engine.closeNow();
    const {firstLsn} = history(disk, {resource: ALL_RESOURCES[0] ?? null});
    const before = database.changes.filter(({lsn, slot}) => lsn < firstLsn && slot + 150n >= database.slot);
    const [operation = null] = operationsOf(before);
    expect(operation).not.toBeNull();
    const report = history(disk, {operation});
    expect(report.operation?.answers).toEqual([]);
    expect(report.operation?.remembered).toMatchObject({id: operation, lsn: before[0]?.lsn, result: before[0]?.result});
    expect(historyLines(report).join('\n')).toMatch(/as a snapshot remembers/);
    const never = history(disk, {operation: operationIdFromBigint(5n)});
    expect(never.operation).toMatchObject({answers: [], remembered: null});
    expect(historyLines(never).join('\n')).toMatch(/is not in the log/);
  });

  test('from a lsn on, and in steps', async () => {
    const {disk, database, engine} = await run(6, 300, false);
    engine.closeNow();
    const [resource = null] = ALL_RESOURCES;
    const late = history(disk, {resource, from: 150n});
    expect(late.firstLsn).toBe(150n);
    expect(contradictions(late, database, 150n)).toEqual([]);
    expect(history(disk, {resource, from: 9999n}).events).toEqual([]);
    const whole = history(disk, {resource});
    using source = openHistory(DIR, {io: disk});
    const steps = historySteps(source, {resource, operation: null});
    let step = steps.next();
    while (step.done !== true) step = steps.next();
    expect(step.value).toEqual(whole);
  });

  test('refuses what it cannot read, and gives its lock back', async () => {
    const {disk, engine} = await run(7, 60, false);
    expect(openErrorOf(() => openHistory(DIR, {io: disk})).code).toBe('locked');
    engine.closeNow();
    openHistory(DIR, {io: disk}).close();
    const [name = ''] = disk.list(WAL_DIR).filter(each => each.endsWith('.seg'));
    disk.flipBit(`${WAL_DIR}/${name}`, 4096 + 200, 1);
    expect(openErrorOf(() => history(disk, {resource: ALL_RESOURCES[0] ?? null})).code).toBe('corrupt_log');
    disk.unlink(`${DIR}/CONFIG`);
    expect(openErrorOf(() => openHistory(DIR, {io: disk})).code).toBe('missing_config');
    openOn(disk.fork(1), {dir: '/other'}).closeNow();
  });

  test('an empty database', () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    const report = history(disk, {resource: ALL_RESOURCES[0] ?? null});
    expect(report).toMatchObject({firstLsn: 1n, lastLsn: 0n, nowSlot: null, standing: {is: 'absent'}, events: []});
  });
});

describe('of a running engine', () => {
  test('its state tells what was before the log, and its cursor what happened since', async () => {
    for (let seed = 20; seed < 26; seed++) {
      const {database, engine} = await run(seed, 400, true);
      const {wal} = engine.directory;
      const from = wal.firstLsn;
      for (const resource of ALL_RESOURCES) {
        const subjects = {resources: [resource], reservations: [], operation: null};
        const known = knownInState(engine.db, subjects);
        expect(known).toMatchObject({lsn: database.lastLsn, slot: database.slot});
        const asked = {resource, operation: null, from, shardId: SHARD, limit: 10_000, known};
        const visitor = new ResourceHistory(asked);
        const cursor = wal.read(from);
        while (visitor.read(cursor, 7));
        cursor.close();
        const report = visitor.report({lastLsn: wal.durableLsn, nowSlot: database.slot, slotMs: 100});
        expect(contradictions(report, database, from)).toEqual([]);
        expect(report.standing?.is).not.toBe('unknown');
      }
      engine.closeNow();
    }
  });
});

describe('of a log that was written before answers were noted', () => {
  /** The directory of the first format, put on a disk. */
  function golden(): SimDisk {
    const disk = new SimDisk();
    const copy = (from: string, to: string): void => {
      disk.makeDir(to);
      for (const entry of readdirSync(from, {withFileTypes: true})) {
        if (entry.isDirectory()) copy(`${from}/${entry.name}`, `${to}/${entry.name}`);
        else {
          const bytes = readFileSync(`${from}/${entry.name}`);
          const isPacked = entry.name.endsWith('.gz');
          disk.replaceContent(`${to}/${entry.name.replace(/\.gz$/, '')}`, isPacked ? gunzipSync(bytes) : bytes);
        }
      }
    };
    copy(new URL('golden/v1', import.meta.url).pathname, DIR);
    disk.unlink(`${DIR}/expected.json`);
    return disk;
  }

  test('what was asked is told, and nothing is made up about what was answered', () => {
    const disk = golden();
    const named = new Set<ResourceId>();
    for (const entry of inspectLog(DIR, {io: disk, records: true})) {
      if (entry.kind !== 'record' || entry.change === null) continue;
      expect(entry.change.result).toBeNull();
      if (entry.change.kind === 'create_resource') named.add(entry.change.resource);
    }
    expect(named.size).toBeGreaterThan(0);
    for (const resource of named) {
      const report = history(disk, {resource});
      expect(report.events.length).toBeGreaterThan(0);
      expect(report.events.every(({reason}) => reason.is === 'not_noted')).toBe(true);
      expect(historyLines(report).join('\n')).toMatch(/written before answers were noted/);
    }
    expect(history(disk, {resource: resourceIdFromBigint(0xdeadn)}).events).toEqual([]);
  });
});
