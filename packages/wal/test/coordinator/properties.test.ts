/**
 * Random interleavings of everything that callers, delta and flusher can do: whatever happens, every promise settles,
 * epochs are dense, ranges follow each other, watermarks keep their order, and a view never shows a hole.
 */

import fc from 'fast-check';
import {expect, test} from 'vitest';
import {DURABILITY, type Durability, isCoordinatorError, type Ticket} from '../../src/index.ts';
import {type Bench, bench, idsIn, stateOf, turn} from './support.ts';

const CHANNELS = ['a', 'b', 'c'];
const LEVELS = Object.keys(DURABILITY) as Durability[];

type Step =
  | {readonly do: 'try' | 'write'; readonly channel: number; readonly bytes: number; readonly isRefused: boolean}
  | {readonly do: 'pause' | 'resume'; readonly channel: number}
  | {readonly do: 'flush'; readonly channel: number; readonly storage: boolean}
  | {readonly do: 'turn' | 'hold' | 'releaseOne' | 'release' | 'failDelta' | 'failStorage' | 'subscribe'};

const channel = fc.nat(CHANNELS.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom('try', 'write'),
      channel,
      bytes: fc.integer({min: 1, max: 12}),
      isRefused: fc.boolean(),
    }),
  },
  {weight: 2, arbitrary: fc.record({do: fc.constantFrom('pause', 'resume'), channel})},
  {weight: 3, arbitrary: fc.record({do: fc.constant('flush'), channel, storage: fc.boolean()})},
  {weight: 6, arbitrary: fc.record({do: fc.constantFrom('turn', 'hold', 'releaseOne', 'release', 'subscribe')})},
  {weight: 1, arbitrary: fc.record({do: fc.constantFrom('turn', 'turn', 'failDelta', 'failStorage')})},
);

interface Run extends Bench {
  readonly tickets: {readonly ticket: Ticket<string>; readonly id: string; readonly channel: number}[];
  readonly promises: Promise<unknown>[];
  writes: number;
}

/** Looked at in the end only: until then it may reject unseen. */
function track(run: Run, promise: Promise<unknown>): void {
  promise.catch(() => {});
  run.promises.push(promise);
}

function write(run: Run, at: number, waits: boolean, bytes: number, isRefused: boolean): void {
  const id = `${run.writes++}`;
  const handle = run.coordinator.handle(CHANNELS[at]);
  const put = {id, bytes, ...(isRefused && {refuse: 'no'})};
  const keep = (ticket: Ticket<string>): void => {
    run.tickets.push({ticket, id, channel: at});
    run.promises.push(ticket.epoch(), ...LEVELS.map(level => ticket.wait(level)));
  };
  if (waits) track(run, handle.write(put).then(keep));
  else {
    const outcome = handle.tryWrite(put);
    if (outcome.accepted) keep(outcome.ticket);
    else expect(outcome.write).toBe(put);
  }
}

async function readAll(run: Run): Promise<void> {
  let shown = -1;
  for await (const view of run.main.subscribe()) {
    const {length} = idsIn(view);
    expect(length, 'a view shows no less than the one before').toBeGreaterThanOrEqual(shown);
    shown = length;
  }
}

async function perform(run: Run, action: Step): Promise<void> {
  const {coordinator, flusher} = run;
  if (action.do === 'try' || action.do === 'write') {
    write(run, action.channel, action.do === 'write', action.bytes, action.isRefused);
  } else if (action.do === 'flush') {
    track(run, coordinator.handle(CHANNELS[action.channel]).flush({storage: action.storage}));
  } else if (action.do === 'pause') await coordinator.handle(CHANNELS[action.channel]).pause();
  else if (action.do === 'resume') coordinator.handle(CHANNELS[action.channel]).resume();
  else if (action.do === 'turn') await turn();
  else if (action.do === 'hold') flusher.isHeld = true;
  else if (action.do === 'releaseOne') await flusher.releaseOne();
  else if (action.do === 'release') flusher.release();
  else if (action.do === 'subscribe') track(run, readAll(run));
  else flusher[action.do] = new Error('planted');
  const {applied, written, durable} = coordinator.metrics.epochs;
  expect(durable <= written && written <= applied).toBe(true);
  idsIn(run.main.view());
}

async function checkEnd(run: Run): Promise<void> {
  const {coordinator, flusher, tickets, promises} = run;
  const {epochs} = coordinator.metrics;
  expect(await Promise.all(promises.map(stateOf)), 'everything is settled').not.toContain('pending');
  for (const settled of await Promise.allSettled(promises)) {
    if (settled.status === 'rejected') expect(isCoordinatorError(settled.reason), String(settled.reason)).toBe(true);
  }
  const given: number[] = [];
  const lasts = CHANNELS.map(() => 0);
  // In the order in which they were offered: a write that waited for room is let in before any that came later.
  tickets.sort((a, b) => Number(a.id) - Number(b.id));
  for (const {ticket, id, channel: at} of tickets) {
    const epoch = await ticket.epoch().catch(() => 0);
    if (epoch === 0) continue;
    given.push(epoch);
    expect(epoch, 'order within a channel').toBeGreaterThan(lasts[at] ?? 0);
    lasts[at] = epoch;
    for (const level of LEVELS.slice(1) as ('written' | 'durable')[]) {
      const state = await stateOf(ticket.wait(level));
      if (state === 'resolved') expect(flusher[level]).toContain(id);
      if (coordinator.failure === null && epoch <= epochs[level]) {
        expect(await stateOf(ticket.wait('applied'))).toBe(state);
      }
    }
  }
  expect(given.toSorted((a, b) => a - b)).toEqual(given.map((_, index) => index + 1));
  expect(given.length).toBe(epochs.applied);
  flusher.ranges.forEach(([start, end], index) => {
    expect(start).toBe(flusher.ranges[index - 1]?.[1] ?? 1);
    expect(end).toBeGreaterThan(start);
  });
}

test('random interleavings of writes, pauses, flushes and failures, and any way to stop', async () => {
  const stops = fc.record({drain: fc.boolean(), durability: fc.constantFrom(...LEVELS)});
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, {maxLength: 80, size: 'max'}),
      stops,
      fc.boolean(),
      async (steps, stop, isHeldAtStop) => {
        const made = bench({
          ...{channels: CHANNELS, channelEntriesMax: 4, channelBytesMax: 30, sizeOf: ({bytes = 0}) => bytes},
          ...{flushBytes: 25, flushQueueMax: 2, subscriberDepthMax: 200},
        });
        const run: Run = {...made, tickets: [], promises: [], writes: 0};
        for (const action of steps) await perform(run, action);
        if (!isHeldAtStop) run.flusher.release();
        const stopped = run.coordinator.stop(stop);
        await turn();
        run.flusher.release();
        const outcome = await Promise.allSettled([stopped]);
        expect(outcome[0].status).toBe(run.coordinator.failure === null ? 'fulfilled' : 'rejected');
        expect(run.flusher.running).toBe(0);
        await checkEnd(run);
        const {applied, written, durable} = run.coordinator.metrics.epochs;
        if (run.coordinator.failure !== null) return;
        if (stop.durability === 'durable') expect(durable).toBe(applied);
        if (stop.durability !== 'applied') expect(written).toBe(applied);
      },
    ),
    {numRuns: 400},
  );
});

test('every n-th call of the flusher fails', async () => {
  const script = async (failAt: number): Promise<{calls: number; failed: boolean}> => {
    const run: Run = {...bench({channels: CHANNELS, flushBytes: 6}), tickets: [], promises: [], writes: 0};
    const {coordinator, flusher} = run;
    const inner = {flushDelta: flusher.flushDelta.bind(flusher), flushStorage: flusher.flushStorage.bind(flusher)};
    let calls = 0;
    const count = (): void => {
      if (++calls === failAt) throw new Error(`call ${failAt}`);
    };
    flusher.flushDelta = async (frozen, epochs) => {
      count();
      return await inner.flushDelta(frozen, epochs);
    };
    flusher.flushStorage = async () => {
      count();
      await inner.flushStorage();
    };
    for (let round = 0; round < 6; round++) {
      for (const at of CHANNELS.keys()) for (let index = 0; index < 3; index++) write(run, at, index === 2, 1, false);
      track(run, coordinator.handle(CHANNELS[round % 3]).flush({storage: round % 2 === 0}));
      await turn();
    }
    await coordinator.stop().catch(() => {});
    await checkEnd(run);
    return {calls, failed: coordinator.failure !== null};
  };
  const {calls, failed} = await script(0);
  expect(failed).toBe(false);
  expect(calls).toBeGreaterThan(10);
  for (let failAt = 1; failAt <= calls; failAt++) expect(await script(failAt)).toEqual({calls: failAt, failed: true});
});
