/**
 * Calls on an engine of this process that share a signal: what each of them rejects with when it fires, by how far it had
 * come, and that however many there are, the signal has one listener, and none when they are over. Feeds are in
 * change_feed.test.ts.
 */
import type {ApiRequest} from '@allocdb/api';
import {newOperationId} from '@allocdb/api';
import {expect, test} from 'vitest';
import {EngineTransport} from '../src/index.ts';
import {create, HeldDisk, openOn} from './support.ts';

/** A signal that counts who listens. */
class CountedSignal {
  aborted: boolean = false;
  readonly reason: Error = new Error('enough');
  readonly #listeners: Set<() => void> = new Set();

  get count(): number {
    return this.#listeners.size;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of this.#listeners) listener();
  }
}

const METRICS: ApiRequest = {type: 'get_metrics', currentWallClockSlot: 1n};

test('dozens of calls share one listener of their signal, and leave none behind', async () => {
  const disk = new HeldDisk();
  const engine = openOn(disk, {commitMode: 'async'});
  const transport = new EngineTransport(engine, {now: () => 1n});
  const signal = new CountedSignal();
  const calls = Array.from({length: 50}, (_, i) =>
    transport.call(create(BigInt(i + 1)), {signal, operationIds: [newOperationId()]}),
  );
  expect(signal.count).toBe(1);
  disk.releaseAll();
  disk.hold = false;
  expect((await Promise.all(calls)).map(({type}) => type)).toEqual(calls.map(() => 'submit_committed'));
  expect(signal.count).toBe(0);
  await engine.close();
});

test('a signal that fires: in doubt what was queued, but for a read, and definite what was not', async () => {
  const disk = new HeldDisk();
  const engine = openOn(disk, {commitMode: 'async'});
  const transport = new EngineTransport(engine, {now: () => 1n});
  const signal = new CountedSignal();
  const operationId = newOperationId();
  const command = {signal, operationIds: [operationId]};
  const queued = transport.call(create(1n), command);
  const read = transport.call({type: 'get_resource', requiredLsn: null, resourceId: 1n}, {signal, operationIds: []});
  const settled = Promise.allSettled([queued, read]);
  signal.abort();
  const late = await Promise.allSettled([transport.call(create(2n), command)]);
  const cause = signal.reason;
  expect([...(await settled), ...late]).toMatchObject([
    {status: 'rejected', reason: {failure: {code: 'aborted', certainty: 'indefinite', operationId}, cause}},
    {status: 'rejected', reason: {failure: {code: 'aborted', certainty: 'definite'}, cause}},
    {status: 'rejected', reason: {failure: {code: 'aborted', certainty: 'definite'}, cause}},
  ]);
  expect(signal.count).toBe(0);
  disk.releaseAll();
  disk.hold = false;
  expect(await transport.call(METRICS, {signal: null, operationIds: []})).toMatchObject({type: 'metrics'});
  await engine.close();
});
