/**
 * What metrics count is what was answered: commands that were refused before they were logged, by reason, and durations by
 * bucket.
 */
import type {ApiResponse, SubmitResponse} from '@allocdb/api';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {LatencyHistogram, type SingleNodeEngine} from '../src/index.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {batch, Caller, CONFIG, configWith, create, DIR, HeldDisk, openOn, payload, tick, until} from './support.ts';

const U64_MAX = 2n ** 64n - 1n;

/** Reasons that were counted at least once. */
function refusals(engine: SingleNodeEngine): Record<string, number> {
  const counted = engine.metrics(0n).refusals.filter(({count}) => count > 0);
  return Object.fromEntries(counted.map(({reason, count}) => [reason, count]));
}

/** Reasons in the answers to commands, with how often each was given. */
function refusalsIn(responses: readonly ApiResponse[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const count = (answer: SubmitResponse): void => {
    if (answer.type === 'submit_rejected') counts[answer.failure.code] = (counts[answer.failure.code] ?? 0) + 1;
  };
  for (const response of responses) {
    if (response.type === 'batch_result') response.results.forEach(count);
    else if (response.type === 'submit_committed' || response.type === 'submit_rejected') count(response);
  }
  return counts;
}

describe('refusals are counted by reason', () => {
  test('what is wrong with a command, and a full queue, alone and in batches', async () => {
    const disk = new HeldDisk();
    const config = configWith({maxSubmissionQueue: 4});
    const engine = openOn(disk, {config, commitMode: 'async', segmentBytes: 1 << 20});
    const caller = new Caller(engine);
    expect(refusals(engine)).toEqual({});
    caller.send(create(1n, 1n), create(2n, 2n), create(3n, 3n));
    await until(() => disk.heldCount === 1);
    const late = payload({kind: 'revoke', reservationId: 1n});
    caller.send(
      {type: 'submit', requestSlot: 1n, payload: new Uint8Array(3)},
      {type: 'submit', requestSlot: 1n, payload: new Uint8Array(300)},
      {type: 'submit', requestSlot: U64_MAX, payload: late},
      {type: 'submit_batch', requestSlot: 1n, payloads: [new Uint8Array(3)]},
      create(4n, 4n),
      create(5n, 5n),
      batch(7, 20n),
      create(1n, 1n),
      tick(0n),
    );
    disk.releaseAll();
    await until(() => caller.responses.length === 12);
    const expected = {invalid_request: 2, command_too_large: 1, slot_overflow: 1, overloaded: 8};
    expect(refusalsIn(caller.responses)).toEqual(expected);
    expect(refusals(engine)).toEqual(expected);
    await engine.close();
  });

  test('a full disk', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk, {segmentBytes: 16 * 1024, maxFrameBytes: 4096});
    const responses: ApiResponse[] = [];
    disk.spaceBytes = 40 * 1024;
    for (let i = 0n; refusalsIn(responses)['storage_full'] === undefined && i < 2000n; i++) {
      responses.push(engine.handleApiRequest(batch(8, i)));
    }
    expect(refusalsIn(responses)['storage_full']).toBeGreaterThan(0);
    expect(refusals(engine)).toEqual(refusalsIn(responses));
    engine.closeNow();
  });

  test('a halted engine, and no lsn left', async () => {
    const disk = new HeldDisk();
    const engine = openOn(disk, {commitMode: 'async', segmentBytes: 1 << 20});
    const caller = new Caller(engine);
    caller.send(create(1n));
    await until(() => disk.heldCount > 0);
    disk.arm({call: 1, kind: 'EIO'});
    await disk.release();
    caller.send(create(2n), batch(3, 5n));
    await until(() => caller.responses.length === 3);
    // The one in flight was logged: that it is not durable is no refusal.
    expect(caller.said[0]).toBe('storage_failure');
    expect(refusals(engine)).toEqual({engine_halted: 4});

    const last = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: U64_MAX - 1n, slot: 7n}, last, 64 * 1024);
    const full = openOn(last);
    full.handleApiRequest(create(1n));
    full.handleApiRequest(create(2n));
    expect(refusals(full)).toEqual({lsn_exhausted: 1});
    full.closeNow();
  });
});

test('durations are counted in every bucket that is long enough, and in no other', () => {
  const {boundsMs} = LatencyHistogram;
  expect(boundsMs.every((bound, i) => i === 0 || bound > (boundsMs[i - 1] ?? 0))).toBe(true);
  const duration = fc.double({min: 0, max: 1e6, noNaN: true});
  fc.assert(
    fc.property(fc.array(duration), durations => {
      const histogram = new LatencyHistogram();
      for (const ms of durations) histogram.record(ms);
      const counts = histogram.cumulative();
      expect(counts.length).toBe(boundsMs.length);
      boundsMs.forEach((bound, i) => {
        expect(counts[i]).toBeGreaterThanOrEqual(durations.filter(ms => ms <= bound * (1 - 1e-9)).length);
        expect(counts[i]).toBeLessThanOrEqual(durations.filter(ms => ms <= bound * (1 + 1e-9)).length);
      });
    }),
  );
});
