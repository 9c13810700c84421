/**
 * Does the simulator see what it is there to see? Faults planted around the engine, one for each kind of check: each must
 * be reported as what it is. Breaking the engine itself is the business of `pnpm mutate --only simulator`.
 */
import {digestOf, OPERATION} from '@allocdb/core';
import {describe, expect, test} from 'vitest';
import {drawSchedule} from '../src/simulator/draw_schedule.ts';
import {runSchedule} from '../src/simulator/run.ts';
import type {Harness} from '../src/simulator/run_state.ts';
import type {Schedule, SimEvent} from '../src/simulator/schedule.ts';
import {shrinkSchedule} from '../src/simulator/shrink.ts';
import type {ViolationKind} from '../src/simulator/violation.ts';
import type {World} from '../src/simulator/world.ts';

const QUIET: readonly SimEvent['do'][] = ['submit', 'batch', 'retry', 'read', 'tick', 'turn', 'io', 'rest'];
const SEED = 7;

/** Requests and nothing that disturbs them, with these events in between, each so many events after the last. */
function scheduleWith(between: readonly SimEvent[], gap = 60): Schedule {
  const drawn = drawSchedule(SEED, 600);
  const calm = drawn.events.filter(event => QUIET.includes(event.do));
  const events = calm.slice(0, gap * (between.length + 1));
  for (const [index, event] of between.entries()) events.splice(gap * (index + 1) + index, 0, event);
  const settings = {...drawn.settings, commitMode: 'async', everyLogBytes: null, slots: 'trust'} as const;
  return {...drawn, start: null, settings, events};
}

const REST: SimEvent = {do: 'rest', dice: 8};
/** One that keeps nothing which was not synced. */
const POWER_CUT: SimEvent = {do: 'crash', how: 'power', dice: 7};
const KILL: SimEvent = {do: 'crash', how: 'kill', dice: 3};
const AFTER_SYNC: SimEvent = {do: 'crash_at', point: 'client_after_sync', skip: 0, how: 'kill', dice: 3};
const RESTART: SimEvent = {do: 'restart', dice: 1};
const CHECKPOINT: SimEvent = {do: 'checkpoint'};
const SYNC_FAILS: SimEvent = {do: 'fault', on: 'log_sync', kind: 'EIO', skip: 0, times: 1};

/** Runs something once, at the first event from this one on for which it says that it did. */
function once(from: number, plant: (world: World) => boolean): Harness {
  let done = false;
  return {
    onStep: (world, index) => {
      if (!done && index >= from) done = plant(world);
    },
  };
}

interface Planted {
  readonly kind: ViolationKind;
  readonly what: string;
  readonly schedule: Schedule;
  readonly harness: () => Harness;
}

const PLANTED: readonly Planted[] = [
  {
    kind: 'answer',
    what: 'one bit of an answer is another',
    schedule: scheduleWith([]),
    harness: () => ({onTaken: taken => taken.with(taken.length - 1, (taken.at(-1) ?? 0) ^ 1)}),
  },
  {
    kind: 'answer',
    what: 'an answer comes twice',
    schedule: scheduleWith([]),
    harness: () => ({onTaken: taken => Uint8Array.from([...taken, ...taken])}),
  },
  {
    kind: 'shown_early',
    what: 'an answer leaves while its frame is open',
    schedule: scheduleWith([]),
    harness: () =>
      once(40, ({clients, process}) => {
        const {durableLsn} = process.io.watch;
        const hasty = clients.all.find(({waiting}) =>
          waiting.some(({decision}) => (decision.needs ?? 0n) > durableLsn),
        );
        if (hasty === undefined) return false;
        hasty.answers.releasedEnd = hasty.answers.end;
        hasty.answers.onReady();
        return true;
      }),
  },
  {
    kind: 'lost',
    what: 'syncs that are not made',
    schedule: scheduleWith([REST, POWER_CUT], 50),
    harness: () => ({
      onOpened: ({io}) => {
        io.liesAboutSync = true;
      },
    }),
  },
  {
    kind: 'state',
    what: 'the recovered slot is another',
    schedule: scheduleWith([REST, KILL]),
    harness: () => ({
      onOpened: ({engine}) => {
        if (engine.db.hasSlot) engine.db.lastSlotLo++;
      },
    }),
  },
  {
    kind: 'digest',
    what: 'a fingerprint is another than before the crash',
    schedule: scheduleWith([REST, KILL]),
    harness: () => ({
      onOpened: ({engine: {db}}) => {
        const {operations} = db;
        if (operations.used === 0) return;
        const at = operations.rowAt(0) * OPERATION.WORDS + OPERATION.FINGERPRINT;
        operations.words[at] = (operations.words[at] ?? 0) ^ 1;
      },
    }),
  },
  {
    kind: 'invariants',
    what: 'a resource is held by nobody after the opening',
    schedule: scheduleWith([REST, KILL]),
    harness: () => ({
      onOpened: ({engine: {db}}) => {
        db.lastLsnLo = db.lastLsnLo > 0 ? 1 : 0;
      },
    }),
  },
  {
    kind: 'unresolved',
    what: 'a retry is answered from another record than the one in the log',
    schedule: scheduleWith([AFTER_SYNC, REST, AFTER_SYNC, REST, AFTER_SYNC, REST]),
    harness: () => ({
      onStep: ({clients}) => {
        for (const {unknown} of clients.all) {
          for (const one of unknown.values()) if (one.appliedLsn !== null) one.appliedLsn--;
        }
      },
    }),
  },
  {
    kind: 'halt',
    what: 'the engine goes on behind a failed sync',
    schedule: scheduleWith([SYNC_FAILS, REST]),
    harness: () => ({
      onOpened: ({io}) => {
        const sync = io.datasync.bind(io);
        io.datasync = handle => {
          try {
            sync(handle);
          } catch {
            // Swallowed, and what it would have made durable is taken for durable: these are the faults.
            io.watch.durableLsn += 1000n;
            io.knownLsn = io.watch.begunLsn;
          }
        };
      },
    }),
  },
  {
    kind: 'halt',
    what: 'the engine halts and nothing has failed',
    schedule: scheduleWith([REST]),
    harness: () =>
      once(40, ({process}) => {
        process.io.datasync = () => {
          throw new Error('for no reason');
        };
        return true;
      }),
  },
  {
    kind: 'silent',
    what: 'the end of a turn never comes',
    schedule: scheduleWith([REST]),
    harness: () =>
      once(30, ({process}) => {
        process.scheduler.runTurn();
        process.scheduler.endOfTurn = () => undefined;
        return true;
      }),
  },
  {
    kind: 'open',
    what: 'a byte of the log is another',
    schedule: scheduleWith([REST, REST, REST, RESTART]),
    harness: () =>
      once(200, ({recovery: {disk}}) => {
        const [first] = disk.list('/data/wal').filter(name => name.endsWith('.seg'));
        disk.flipBit(`/data/wal/${first}`, 4096 + 60, 0);
        return true;
      }),
  },
  {
    kind: 'verify',
    what: 'a byte of the older snapshot is another',
    schedule: scheduleWith([REST, CHECKPOINT, REST, CHECKPOINT, REST]),
    harness: () =>
      once(330, ({recovery: {disk}}) => {
        const [oldest] = disk.list('/data/snapshots').filter(name => name.endsWith('.snap'));
        if (oldest === undefined) return false;
        disk.flipBit(`/data/snapshots/${oldest}`, 140, 0);
        return true;
      }),
  },
  {
    kind: 'checkpoint',
    what: 'a snapshot has another digest than the state',
    schedule: scheduleWith([REST, CHECKPOINT, REST]),
    harness: () => ({
      onOpened: ({engine: {checkpoints}}) => {
        const told = checkpoints.onFinish;
        checkpoints.onFinish = outcome => told(outcome instanceof Error ? outcome : {...outcome, digest: 7n});
      },
    }),
  },
  {
    kind: 'checkpoint',
    what: 'a checkpoint fails and nothing has failed',
    schedule: scheduleWith([REST, CHECKPOINT, REST]),
    harness: () => ({
      onOpened: ({io}) => {
        const open = io.open.bind(io);
        io.open = (path, mode) => {
          if (path.endsWith('.snap.tmp')) throw new Error('for no reason');
          return open(path, mode);
        };
      },
    }),
  },
  {
    kind: 'threw',
    what: 'something throws that should not',
    schedule: scheduleWith([]),
    harness: () =>
      once(3, () => {
        throw new Error('for no reason');
      }),
  },
];

describe('a planted fault is reported as what it is', () => {
  test.each(PLANTED)('$kind: $what', async ({kind, schedule, harness}) => {
    expect((await runSchedule(schedule)).violation).toBeNull();
    const {violation} = await runSchedule(schedule, {harness: harness()});
    expect(violation?.message).toMatch(new RegExp(`^${kind}: `));
  });
});

test('a failing schedule is made smaller, and fails in the same way', async () => {
  const schedule = drawSchedule(11, 400);
  const spoilt = (digest: bigint): Harness => ({
    // Any history in which three resources exist is one that fails.
    onStep: ({process: {engine}}) => {
      if (engine.db.resources.count < 3 || digestOf(engine.db) === digest) return;
      throw new Error('three resources');
    },
  });
  const shrunk = await shrinkSchedule(schedule, spoilt(0n));
  expect(shrunk?.violation.kind).toBe('threw');
  expect(shrunk?.schedule.events.length).toBeLessThan(8);
  expect((await runSchedule(shrunk?.schedule ?? schedule, {harness: spoilt(0n)})).violation?.kind).toBe('threw');
});
