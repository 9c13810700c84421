/**
 * Histories out of a log that a checkpoint cuts meanwhile: between the search for an operation and the walk that explains
 * it, and while a history waits for its turn. Both are told from the log as it was, or as it is, and never fail.
 */
import {operationIdFromBigint, resourceIdFromBigint} from '@allocdb/api';
import {SimDisk} from '@allocdb/wal/testing';
import {expect, test} from 'vitest';
import {EVENT_LOOP} from '../src/clock.ts';
import {readHistory} from '../src/engine/engine_history.ts';
import {FeedPace} from '../src/engine/feed_pace.ts';
import {type HistorySource, historySteps, type SingleNodeEngine} from '../src/index.ts';
import {create, openOn} from './support.ts';

const RESOURCE = resourceIdFromBigint(1n);
/** The operations of the first commands and, in between, of many others. */
const [FIRST, LAST] = [operationIdFromBigint(501n), operationIdFromBigint(502n)];

/** An engine whose log has a few segments, the first of which a checkpoint would give back. */
function engineWithLog(): SingleNodeEngine {
  const engine = openOn(new SimDisk(), {segmentBytes: 16 * 1024, maxFrameBytes: 4096});
  engine.handleApiRequest(create(1n, 501n));
  for (let i = 0n; i < 1500n; i++) engine.handleApiRequest(create(1n, 10_000n + i, 1n + i));
  engine.handleApiRequest(create(1n, 502n, 1600n));
  return engine;
}

/** What a checkpoint does to the log; the lsn that it then begins with. */
function cut({directory: {wal}}: SingleNodeEngine): bigint {
  wal.truncateBefore(wal.durableLsn);
  return wal.firstLsn;
}

function sourceOf({db, directory: {wal}}: SingleNodeEngine): HistorySource {
  return {
    name: 'the database',
    core: db.config,
    slotMs: null,
    firstLsn: wal.firstLsn,
    end: () => ({lastLsn: wal.durableLsn, nowSlot: null}),
    known: () => null,
    read: from => wal.read({from, to: wal.durableLsn}),
  };
}

test('an operation that was found is explained, also when the log is cut in between', () => {
  for (const operation of [FIRST, LAST]) {
    const engine = engineWithLog();
    const {wal} = engine.directory;
    const steps = historySteps(sourceOf(engine), {resource: RESOURCE, operation});
    for (let step = steps.next(); ; step = steps.next()) {
      cut(engine);
      if (step.done !== true) continue;
      expect(step.value).toMatchObject({firstLsn: 1n, operation: {answers: [{kind: 'create_resource', operation}]}});
      break;
    }
    // Nothing is held any more.
    cut(engine);
    expect(wal.firstLsn).toBeGreaterThan(1000n);
    engine.closeNow();
  }
});

test('one that is left early holds nothing either', () => {
  const engine = engineWithLog();
  const steps = historySteps(sourceOf(engine), {resource: null, operation: FIRST});
  steps.next();
  expect(cut(engine)).toBe(1n);
  steps.return(undefined as never);
  expect(cut(engine)).toBeGreaterThan(1000n);
  engine.closeNow();
});

test('a log that is cut before the first turn is read from where it then begins', async () => {
  const engine = engineWithLog();
  const {db, directory} = engine;
  const pace = new FeedPace({frames: () => 0, isBusy: () => false}, EVENT_LOOP, () => 0);
  // The first ends the turn, the second is before the history in the next one.
  void pace.run(() => true);
  let first = 0n;
  void pace.run(() => {
    first = cut(engine);
    return false;
  });
  const whenDurable = async (_: bigint, action: () => void): Promise<void> => action();
  const host = {db, wal: directory.wal, pace, whenDurable};
  const report = await readHistory(host, {resource: RESOURCE, operation: LAST}, {});
  expect(first).toBeGreaterThan(1000n);
  expect(report).toMatchObject({firstLsn: first, operation: {answers: [{operation: LAST}]}});
  engine.closeNow();
});
