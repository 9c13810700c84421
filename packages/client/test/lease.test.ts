/**
 * Leases: how long they may be trusted, what ends them, what the end of a scope gives back and what it must not.
 * The clock stands still unless a test moves it, so that no machine is too slow for a deadline.
 */
import type {ApiRequest, ApiResponse, ResultName, SubmitResponse} from '@allocdb/api';
import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {type Client, connect, holderIdFrom, isAllocDbError, type Lease, resourceIdFrom} from '../src/index.ts';
import {standingClock} from './pair.ts';
import {ScriptedServer, WELCOME} from './scripted_server.ts';

const input = {resources: [resourceIdFrom('a'), resourceIdFrom('b')], holder: holderIdFrom('someone'), ttlSlots: 10};
const TAGS: Record<number, string> = {16: 'reserve_bundle', 17: 'confirm', 18: 'release'};

let clock: Disposable;
let server: ScriptedServer;
let client: Client;
let seen: string[];
let results: Partial<Record<string, ResultName | 'silence' | 'exhausted'>>;
let fromRetryCache: boolean;
let deadlineSlot: bigint;

function answer(request: ApiRequest): ApiResponse | null {
  if (request.type !== 'submit') throw new Error(`unexpected ${request.type}`);
  const command = TAGS[request.payload[32] ?? 0] ?? 'unknown';
  seen.push(command);
  const resultCode = results[command] ?? 'ok';
  if (resultCode === 'silence') return null;
  if (resultCode === 'exhausted')
    return {type: 'submit_rejected', failure: {code: 'lsn_exhausted', lastAppliedLsn: 1n}};
  const granted = command === 'reserve_bundle' && resultCode === 'ok';
  const response: SubmitResponse = {
    type: 'submit_committed',
    appliedLsn: 7n,
    resultCode,
    reservationId: granted ? 7n : null,
    deadlineSlot: granted ? deadlineSlot : null,
    fromRetryCache,
  };
  return response;
}

beforeEach(async () => {
  clock = standingClock();
  seen = [];
  results = {};
  fromRetryCache = false;
  deadlineSlot = 110n;
  server = await ScriptedServer.start();
  server.welcome = {...WELCOME, slotDurationMs: 40};
  server.answer = answer;
  client = await connect(server.url);
});

afterEach(async () => {
  await client.close();
  await server[Symbol.asyncDispose]();
  clock[Symbol.dispose]();
});

async function acquire(): Promise<Lease> {
  const lease = await client.acquire(input);
  if (lease === null) throw new Error('refused');
  return lease;
}

test('a grant is an object, a refusal is null', async () => {
  const lease = await acquire();
  expect(lease).toMatchObject({
    epoch: 1n,
    deadlineSlot: 110n,
    holder: input.holder,
    resources: input.resources,
    lsn: 7n,
  });
  expect(lease.fence).toBe(lease.id);
  results = {reserve_bundle: 'resource_busy'};
  expect(await client.acquire(input)).toBeNull();
});

test('the local deadline comes before ttl slots have passed since the call', async () => {
  server.welcome = {...WELCOME, slotDurationMs: 100};
  await using slower = await connect(server.url);
  const signal = (await slower.acquire({...input, ttlSlots: 5}))?.signal;
  vi.advanceTimersByTime(350);
  expect(signal?.aborted).toBe(false);
  vi.advanceTimersByTime(149);
  expect(signal?.aborted).toBe(true);
  expect(isAllocDbError(signal?.reason) && signal.reason.code).toBe('lease_lost');
});

test('whoever asks behind the deadline is told, also where no timer could fire', async () => {
  const lease = await acquire();
  const {signal} = lease;
  const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 400);
  try {
    expect(signal.aborted).toBe(false);
    expect(lease.signal.aborted).toBe(true);
    expect(signal.aborted).toBe(true);
  } finally {
    now.mockRestore();
  }
});

test('an answer from the retry cache is trusted no longer than its deadline slot allows', async () => {
  fromRetryCache = true;
  deadlineSlot = 101n;
  expect((await acquire()).signal.aborted).toBe(true);
  deadlineSlot = 100_000n;
  expect((await acquire()).signal.aborted).toBe(false);
});

test('a hold of one slot may be over at once', async () => {
  const lease = await client.acquire({...input, ttlSlots: 1n});
  expect(lease?.signal.aborted).toBe(true);
});

test('the end of a scope gives back what was not confirmed, once', async () => {
  let kept: Lease;
  {
    await using lease = await acquire();
    kept = lease;
  }
  expect(seen).toEqual(['reserve_bundle', 'release']);
  expect(kept.signal.aborted).toBe(true);
  await kept[Symbol.asyncDispose]();
  expect(seen).toHaveLength(2);
});

test('what was confirmed stays, and its deadline is void', async () => {
  const lease = await acquire();
  expect((await lease.confirm()).result).toBe('confirmed');
  await lease[Symbol.asyncDispose]();
  vi.advanceTimersByTime(450);
  expect(lease.signal.aborted).toBe(false);
  expect(seen).toEqual(['reserve_bundle', 'confirm']);
});

test('a refused confirmation says that it is over', async () => {
  results = {confirm: 'reservation_retired'};
  const lease = await acquire();
  expect((await lease.confirm()).result).toBe('reservation_retired');
  expect(lease.signal.aborted).toBe(true);
});

test('what refuses the operation and not the lease leaves the lease as it is', async () => {
  results = {confirm: 'operation_table_full', release: 'operation_table_full'};
  const lease = await acquire();
  expect((await lease.confirm()).result).toBe('operation_table_full');
  expect((await lease.release()).result).toBe('operation_table_full');
  expect(lease.signal.aborted).toBe(false);
  results = {};
  await lease[Symbol.asyncDispose]();
  expect(seen).toEqual(['reserve_bundle', 'confirm', 'release', 'release']);
  expect(lease.signal.aborted).toBe(true);
});

test('a confirmation in doubt is never followed by a release', async () => {
  results = {confirm: 'silence'};
  const lease = await acquire();
  const controller = new AbortController();
  const confirmation = expect(lease.confirm({signal: controller.signal})).rejects.toMatchObject({
    failure: {certainty: 'indefinite'},
  });
  await expect.poll(() => seen).toContain('confirm');
  controller.abort();
  await confirmation;
  await lease[Symbol.asyncDispose]();
  expect(seen).toEqual(['reserve_bundle', 'confirm']);
});

test('a confirmation that certainly did not happen leaves something to give back', async () => {
  results = {confirm: 'exhausted'};
  const lease = await acquire();
  await expect(lease.confirm()).rejects.toMatchObject({code: 'lsn_exhausted'});
  await lease[Symbol.asyncDispose]();
  expect(seen).toEqual(['reserve_bundle', 'confirm', 'release']);
});

test('disposal fires the signal, also where the release is refused for want of room', async () => {
  results = {release: 'operation_table_full'};
  const lease = await acquire();
  await lease[Symbol.asyncDispose]();
  expect(seen).toEqual(['reserve_bundle', 'release']);
  expect(lease.signal.aborted).toBe(true);
});

test('disposal does not throw when the release cannot be told', async () => {
  const lease = await acquire();
  await client.close();
  await lease[Symbol.asyncDispose]();
  expect(lease.signal.aborted).toBe(true);
});
