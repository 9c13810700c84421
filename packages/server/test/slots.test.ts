/**
 * Time on the server: it is the server's own, counted in slots from the last one in the log by elapsed time. Holds end by
 * themselves, late if anything and never early, whatever clocks and clients say.
 */
import type {ApiResponse} from '@allocdb/api';
import {decodeConnectionError} from '@allocdb/api';
import {afterEach, describe, expect, test, vi} from 'vitest';
import {cleanUp, pause, until} from './command.ts';
import {SMALL, startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, reserve, submit} from './requests.ts';

afterEach(async () => {
  vi.useRealTimers();
  await stopServers();
  await cleanUp();
});

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const SLOT_MS = 20;

/** A clock that stands still unless it is told otherwise. */
class HandClock {
  ms: number = 1_000_000;
  readonly source = (): number => this.ms;
}

async function held(peer: Peer, operation: bigint, resource: bigint, ttlSlots: bigint): Promise<bigint> {
  const [answer] = await peer.ask(reserve(operation, resource, ttlSlots));
  if (answer?.type !== 'submit_committed' || answer.deadlineSlot === null) throw new Error(JSON.stringify(answer));
  return answer.deadlineSlot;
}

async function stateOf(peer: Peer, resourceId: bigint): Promise<string> {
  const [answer] = await peer.ask({type: 'get_resource', requiredLsn: null, resourceId});
  return answer?.type === 'resource_found' ? answer.state : String(answer?.type);
}

async function untilState(peer: Peer, resourceId: bigint, state: string): Promise<void> {
  let current = '';
  const asking = (async () => {
    while (current !== state) {
      current = await stateOf(peer, resourceId);
      await pause(2);
    }
  })();
  await until(() => current === state, `resource ${resourceId} to be ${state}`);
  await asking;
}

describe('holds', () => {
  test('end by themselves, in the order of their deadlines, and not before them', async () => {
    const {server, port} = await startServer({slotDurationMs: SLOT_MS});
    const peer = await Peer.open(port);
    await peer.ask(create(1n), create(2n), create(3n));
    const short = await held(peer, 11n, 1n, 5n);
    const long = await held(peer, 12n, 2n, 20n);
    await held(peer, 13n, 3n, 10_000n);
    await untilState(peer, 1n, 'available');
    expect(server.engine.metrics(0n).lastRequestSlot).toBeGreaterThanOrEqual(short);
    await untilState(peer, 2n, 'available');
    expect(server.engine.metrics(0n).lastRequestSlot).toBeGreaterThanOrEqual(long);
    expect(await stateOf(peer, 3n)).toBe('reserved');
    expect(server.engine.metrics(0n).expirations).toBe(2);
    await peer.close();
  });

  test('far more than one tick takes end all the same', async () => {
    const config = {...SMALL, engine: {...SMALL.engine, maxExpirationsPerTick: 100}};
    const {server, port} = await startServer({slotDurationMs: SLOT_MS, config});
    const peer = await Peer.open(port);
    const ids = Array.from({length: 900}, (_, i) => BigInt(i + 1));
    await peer.ask(...ids.map(create));
    await peer.ask(...ids.map(id => reserve(10_000n + id, id, 3n)));
    await until(() => server.engine.metrics(0n).expirations === 900, 'all holds to end');
    expect(await stateOf(peer, 900n)).toBe('available');
    await peer.close();
  });

  test('under a clock that jumps: back it stands still, forward it ends what is due and nothing else', async () => {
    const clock = new HandClock();
    const {server, port} = await startServer({slotDurationMs: SLOT_MS, clockSource: clock.source});
    const peer = await Peer.open(port);
    await peer.ask(create(1n), create(2n));
    clock.ms += 10 * SLOT_MS;
    expect(await held(peer, 11n, 1n, 5n)).toBe(15n);
    expect(await held(peer, 12n, 2n, 500n)).toBe(510n);
    clock.ms -= 1_000_000;
    await pause(5 * SLOT_MS);
    expect(await stateOf(peer, 1n)).toBe('reserved');
    clock.ms += 1_000_000 + 4 * SLOT_MS + SLOT_MS - 1;
    await pause(5 * SLOT_MS);
    expect(await stateOf(peer, 1n)).toBe('reserved');
    clock.ms += 1;
    await untilState(peer, 1n, 'available');
    clock.ms += 400 * SLOT_MS;
    await pause(5 * SLOT_MS);
    expect(await stateOf(peer, 2n)).toBe('reserved');
    clock.ms += 95 * SLOT_MS;
    await untilState(peer, 2n, 'available');
    expect(server.engine.metrics(0n).expirations).toBe(2);
    await peer.close();
  });

  test('do not end because the wall clock jumps', async () => {
    const {port} = await startServer({slotDurationMs: 1000});
    const peer = await Peer.open(port);
    await peer.ask(create(1n));
    await held(peer, 11n, 1n, 5000n);
    vi.useFakeTimers({toFake: ['Date']});
    vi.setSystemTime(Date.now() + 30 * 365 * 86_400_000);
    expect(await stateOf(peer, 1n)).toBe('reserved');
    vi.setSystemTime(0);
    expect(await stateOf(peer, 1n)).toBe('reserved');
    vi.useRealTimers();
    await peer.close();
  });
});

describe('slots that clients state', () => {
  test('count for nothing: not in commands, batches, reads or metrics', async () => {
    const clock = new HandClock();
    const {server, port} = await startServer({slotDurationMs: SLOT_MS, clockSource: clock.source});
    const peer = await Peer.open(port);
    clock.ms += 7 * SLOT_MS;
    const [created] = await peer.ask(submit(1n, {kind: 'create_resource', resourceId: 1n}, U64_MAX));
    expect(created).toMatchObject({resultCode: 'ok'});
    const [answer] = await peer.ask(
      submit(2n, {kind: 'reserve', resourceId: 1n, holderId: 1n, ttlSlots: 10n}, U64_MAX - 5n),
    );
    expect(answer).toMatchObject({resultCode: 'ok', deadlineSlot: 17n});
    const [metrics] = await peer.ask({type: 'get_metrics', currentWallClockSlot: U64_MAX});
    expect(metrics).toMatchObject({lastRequestSlot: 7n, logicalSlotLag: 0n, expirationBacklog: 0});
    const reservationId = answer?.type === 'submit_committed' ? (answer.reservationId ?? 0n) : 0n;
    const reads: ApiResponse[] = await peer.ask(
      {type: 'get_reservation', requiredLsn: null, currentSlot: U64_MAX, reservationId},
      {type: 'get_lease', requiredLsn: null, currentSlot: U64_MAX, reservationId},
    );
    expect(reads.map(read => read.type)).toEqual(['reservation_found', 'lease_found']);
    expect(server.engine.metrics(0n).lastRequestSlot).toBe(7n);
    await peer.close();
  });

  test('are time itself where they are trusted, and ticks are the clients', async () => {
    const {port} = await startServer({trustClientSlots: true, slotDurationMs: 1});
    const peer = await Peer.open(port);
    await peer.ask(create(1n));
    const [answer] = await peer.ask(submit(2n, {kind: 'reserve', resourceId: 1n, holderId: 1n, ttlSlots: 10n}, 100n));
    expect(answer).toMatchObject({resultCode: 'ok', deadlineSlot: 110n});
    await pause(50);
    const ticks = await peer.ask(
      {type: 'tick_expirations', currentWallClockSlot: 109n},
      {type: 'tick_expirations', currentWallClockSlot: 110n},
    );
    expect(ticks).toMatchObject([{processedCount: 0}, {processedCount: 1}]);
    await peer.close();
  });
});

describe('over a restart', () => {
  test('slots go on from the last one in the log: downtime does not count', async () => {
    const clock = new HandClock();
    const first = await startServer({slotDurationMs: SLOT_MS, clockSource: clock.source});
    const peer = await Peer.open(first.port);
    await peer.ask(create(1n));
    clock.ms += 40 * SLOT_MS;
    expect(await held(peer, 11n, 1n, 10n)).toBe(50n);
    await first.server.stop();
    clock.ms += 1_000_000 * SLOT_MS;
    const second = await startServer({dir: first.dir, slotDurationMs: SLOT_MS, clockSource: clock.source});
    const again = await Peer.connect(second.port);
    expect((await again.hello()).currentSlot).toBe(40n);
    await pause(5 * SLOT_MS);
    expect(await stateOf(again, 1n)).toBe('reserved');
    clock.ms += 10 * SLOT_MS;
    await untilState(again, 1n, 'available');
    await again.close();
  });

  test.each([true, false])('at the end of time connections are still served (slots trusted: %s)', async trust => {
    const first = await startServer({trustClientSlots: true});
    const peer = await Peer.open(first.port);
    const [last] = await peer.ask(submit(1n, {kind: 'create_resource', resourceId: 1n}, U64_MAX - 700n));
    expect(last).toMatchObject({resultCode: 'ok'});
    await first.server.stop();
    const clock = new HandClock();
    const second = await startServer({dir: first.dir, trustClientSlots: trust, clockSource: clock.source});
    clock.ms += 1e9;
    const again = await Peer.connect(second.port);
    expect((await again.hello()).currentSlot).toBe(U64_MAX);
    const [answer] = await again.ask({type: 'get_metrics', currentWallClockSlot: 0n});
    expect(answer).toMatchObject({type: 'metrics', lastRequestSlot: U64_MAX - 700n});
    const [refused] = await again.ask(submit(2n, {kind: 'create_resource', resourceId: 2n}, U64_MAX));
    expect(refused).toMatchObject({type: 'submit_rejected', failure: {code: 'slot_overflow'}});
    expect(again.takeAll().map(decodeConnectionError)).toEqual([]);
    await again.close();
  });
});
