/**
 * What is too rare to be drawn by a seed, on a real engine: executions that nobody was told of before a cut log, ids that
 * are executed anew, tables that are full, clocks without a resolution, and reads that go back.
 */
import type {Command} from '@allocdb/core';
import {describe, expect, test} from 'vitest';
import type {Attempt, Finding, HistoryEntry, HistoryReport, Read, Tick} from '../src/history/index.ts';
import {HistoryScript, WINDOW} from './history_script.ts';

const LATE = WINDOW + 5n;

function create(resourceId: bigint): Command {
  return {kind: 'create_resource', resourceId};
}

function reserve(holderId: bigint): Command {
  return {kind: 'reserve', resourceId: 1n, holderId, ttlSlots: 100n};
}

function grantOf({answer}: Attempt): bigint {
  if (answer.type !== 'committed' || answer.reservationId === null) throw new Error('it is granted');
  return answer.reservationId;
}

function release(reservationId: bigint, holderId: bigint): Command {
  return {kind: 'release', reservationId, holderId};
}

/** Makes the log begin behind lsn 1, with a snapshot some records behind its beginning. */
async function cutLog(script: HistoryScript): Promise<void> {
  await script.checkpoint();
  await script.fill(3);
  await script.checkpoint();
}

/** Says that there is no finding, and which lsns the report speaks of. */
function sound(report: HistoryReport): NonNullable<HistoryReport['log']> {
  expect(report.findings).toEqual([]);
  return report.log ?? {firstLsn: 1n, replayedFrom: 1n, lastLsn: 0n};
}

function only(report: HistoryReport): Finding {
  const [finding] = report.findings;
  expect(report.findings).toHaveLength(1);
  if (finding === undefined) throw new Error('something is found');
  return finding;
}

function changed(script: HistoryScript, line: number, change: Partial<HistoryEntry>): HistoryEntry[] {
  return script.entries.map(entry => (entry.line === line ? ({...entry, ...change} as HistoryEntry) : entry));
}

describe('no finding with a cut log', () => {
  test('where a hold ended by a command without an answer, before the snapshot', async () => {
    const script = new HistoryScript();
    await script.submit(1n, create(1n));
    await script.fill(100);
    const held = grantOf(await script.submit(2n, reserve(7n)));
    await script.lose(3n, release(held, 7n));
    await script.submit(4n, reserve(8n));
    await cutLog(script);
    await script.end();
    const {firstLsn, replayedFrom} = sound(script.withLog());
    expect([firstLsn > 1n, firstLsn <= 103n, replayedFrom > 104n]).toEqual([true, true, true]);
    // It is not that nothing is looked at: without the release this cannot be.
    const told = script.entries.filter(entry => entry.type !== 'attempt' || entry.operation !== 3n);
    expect(only(script.withLog(told)).check).toBe('nothing_early');
  });

  test.each([true, false])('where an operation was executed anew behind its window (answered: %s)', async isHeard => {
    const script = new HistoryScript();
    await script.submit(1n, create(1n));
    await script.fill(100);
    script.slot = LATE;
    if (isHeard) await script.submit(1n, create(1n));
    else await script.lose(1n, create(1n));
    await cutLog(script);
    await script.end();
    const {firstLsn, replayedFrom} = sound(script.withLog());
    expect([firstLsn > 1n, replayedFrom > 102n]).toEqual([true, true]);
  });

  test('and what the snapshot remembers is still held against the answer', async () => {
    const script = new HistoryScript();
    await script.fill(100);
    const {answer, line} = await script.submit(1n, create(1n));
    await cutLog(script);
    await script.end();
    sound(script.withLog());
    const altered = {answer: {...answer, result: 'already_exists'}} as Partial<Attempt>;
    expect(only(script.withLog(changed(script, line, altered))).check).toBe('replay');
  });
});

describe('an operation that found its table full', () => {
  async function fullTable(): Promise<{script: HistoryScript; held: bigint}> {
    const script = new HistoryScript({operations: 4});
    await script.submit(1n, create(1n));
    const held = grantOf(await script.submit(2n, reserve(7n)));
    await script.fill(2);
    return {script, held};
  }

  test('may be executed when it is sent again, and nobody is told', async () => {
    const {script, held} = await fullTable();
    const refused = await script.submit(3n, release(held, 7n));
    expect(refused.answer).toMatchObject({result: 'operation_table_full'});
    script.slot = LATE;
    await script.lose(3n, release(held, 7n));
    await script.submit(4n, reserve(8n));
    await script.end();
    for (const report of [script.alone(), script.withLog()]) sound(report);
    // Without that attempt nothing explains the grant.
    const told = script.entries.filter(({answer}) => answer.type !== 'nothing');
    expect(only(script.alone(told)).check).toBe('nothing_early');
  });

  test('conflicts with what it was executed as then', async () => {
    const {script} = await fullTable();
    await script.submit(3n, create(2n));
    script.slot = LATE;
    await script.lose(3n, create(2n));
    const {answer, line} = await script.submit(3n, create(3n));
    expect(answer).toMatchObject({result: 'operation_conflict', lsn: 6n});
    await script.end();
    for (const report of [script.alone(), script.withLog()]) sound(report);
    const altered = {answer: {...answer, lsn: 5n}} as Partial<Attempt>;
    expect(only(script.withLog(changed(script, line, altered))).message).toMatch(/what was not remembered/);
    // Nothing but the refused attempt: nothing can have been remembered.
    const told = script.entries.filter(entry => entry.answer.type !== 'nothing');
    expect(only(script.alone(told)).message).toMatch(/operation_conflict, and no other command has it/);
  });
});

test('with a log an operation may conflict with what was executed behind its window', async () => {
  const script = new HistoryScript();
  await script.submit(1n, create(1n));
  script.slot = LATE;
  await script.lose(1n, create(1n));
  const {answer} = await script.submit(1n, create(2n));
  expect(answer).toMatchObject({result: 'operation_conflict', lsn: 2n});
  await script.end();
  sound(script.withLog());
  expect(only(script.alone()).message).toMatch(/conflicts with lsn 2, and was told for lsn 1/);
});

test('with a clock that does not move everything may have been at once', async () => {
  const script = new HistoryScript({isCoarse: true});
  await script.lose(1n, create(1n));
  await script.submit(1n, create(1n));
  await script.submit(1n, create(2n));
  await script.submit(2n, reserve(7n));
  await script.read(1n);
  await script.end();
  for (const report of [script.alone(), script.withLog()]) sound(report);
});

describe('a tick', () => {
  async function ticked(): Promise<{script: HistoryScript; tick: Tick}> {
    const script = new HistoryScript();
    await script.submit(1n, create(1n));
    await script.submit(2n, reserve(7n));
    await script.fill(3);
    script.slot = 110n;
    await script.tick();
    await script.fill(3);
    await script.end();
    const tick = script.entries.find((entry): entry is Tick => entry.type === 'tick');
    if (tick === undefined) throw new Error('there was a tick');
    expect(tick.answer).toEqual({type: 'applied', count: 1, lastLsn: 6n});
    sound(script.withLog());
    return {script, tick};
  }

  test('that was acknowledged must be in the log', async () => {
    const {script, tick} = await ticked();
    const gone = changed(script, tick.line, {answer: {type: 'applied', count: 3, lastLsn: 50n}});
    const {check, message, lines} = only(script.withLog(gone));
    expect([check, message]).toEqual(['in_log', 'a tick was acknowledged up to lsn 50: the log ends at lsn 9']);
    expect(lines).toEqual([tick.line]);
  });

  test('must be there as expirations', async () => {
    const {script, tick} = await ticked();
    const moved = changed(script, tick.line, {answer: {type: 'applied', count: 1, lastLsn: 7n}});
    // Of the operation that was told for that lsn nothing more is said.
    const seven = script.entries.find(({answer}) => answer.type === 'committed' && answer.lsn === 7n);
    const alone = moved.filter(({line}) => line !== seven?.line);
    expect(only(script.withLog(alone))).toMatchObject({check: 'in_log', message: /not all of them are expirations/});
  });

  test('that claims more lsns than can be counted is judged at once', async () => {
    const {script, tick} = await ticked();
    const count = Number.MAX_SAFE_INTEGER;
    const wide = changed(script, tick.line, {answer: {type: 'applied', count, lastLsn: BigInt(count) + 8n}});
    for (const report of [script.alone(wide), script.withLog(wide)]) expect(report.found).toBeGreaterThan(0);
  });
});

test('what the log has more often than it was sent is found', async () => {
  const script = new HistoryScript();
  await script.submit(1n, create(1n));
  script.slot = LATE;
  const again = await script.submit(1n, create(1n));
  await script.end();
  sound(script.withLog());
  const told = script.entries.filter(({line}) => line !== again.line);
  const {check, message} = only(script.withLog(told));
  expect(check).toBe('in_log');
  expect(message).toBe('operation 1 is in the log at lsns 1 and 2, and 1 of its attempts can have been executed');
});

describe('reads in a row', () => {
  /** Of a resource: held, and free once a release was executed of which nobody was told. */
  async function readsInARow(): Promise<{script: HistoryScript; reads: Read[]}> {
    const script = new HistoryScript();
    await script.submit(1n, create(1n));
    const held = grantOf(await script.submit(2n, reserve(7n)));
    const reads = [await script.read(1n), await script.read(1n)];
    await script.lose(3n, release(held, 7n));
    reads.push(await script.read(1n), await script.read(1n));
    await script.end();
    sound(script.withLog());
    return {script, reads};
  }

  test('do not go back', async () => {
    const {script, reads} = await readsInARow();
    const [, held, free] = reads;
    if (held?.answer.type !== 'resource' || free?.answer.type !== 'resource') throw new Error('both were shown');
    expect([held.answer.version, free.answer.version]).toEqual([1n, 2n]);
    const swapped = script.entries.map(entry => {
      if (entry.line === held.line) return {...held, answer: free.answer};
      return entry.line === free.line ? {...free, answer: held.answer} : entry;
    });
    const {check, message, lines} = only(script.withLog(swapped));
    expect(check).toBe('reads');
    expect(message).toBe('get_resource of 1 was so only before what a read that had come by then showed');
    expect(lines).toEqual([free.line]);
  });

  test('hide one another no fault, and make no other', async () => {
    const {script, reads} = await readsInARow();
    for (const read of reads) {
      if (read.answer.type !== 'resource') throw new Error('it was shown');
      const wrong = changed(script, read.line, {answer: {...read.answer, version: 9n}});
      expect(only(script.withLog(wrong))).toMatchObject({check: 'reads', lines: [read.line]});
    }
  });
});
