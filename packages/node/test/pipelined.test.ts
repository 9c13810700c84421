/**
 * The pipelined path on a disk that holds its syncs back: what may leave when, in which order, and what is refused.
 */
import {type ApiRequest, encodeRequest} from '@allocdb/api';
import {describe, expect, test} from 'vitest';
import type {SingleNodeEngine} from '../src/index.ts';
import {
  afterPowerCut,
  batch,
  Caller,
  configWith,
  create,
  HeldDisk,
  members,
  metricsAt,
  openOn,
  payload,
  reserve,
  resource,
  said,
  tick,
  turns,
  until,
} from './support.ts';

function setUp(limits: Parameters<typeof configWith>[0] = {}, options: Parameters<typeof openOn>[1] = {}) {
  const disk = new HeldDisk();
  const engine = openOn(disk, {config: configWith(limits), commitMode: 'async', segmentBytes: 1 << 20, ...options});
  return {disk, engine, caller: new Caller(engine)};
}

describe('answers wait for the disk', () => {
  test('nothing leaves before its frame is durable', async () => {
    const {disk, engine, caller} = setUp();
    caller.send(create(1n), create(2n));
    await until(() => disk.heldCount === 1);
    await turns(5);
    expect(caller.responses).toEqual([]);
    expect(engine.durableLsn).toBeNull();
    expect(openOn(afterPowerCut(disk)).metrics(0n).resources.used).toBeLessThanOrEqual(2);
    await disk.release();
    expect(caller.said).toEqual(['ok@1', 'ok@2']);
    expect(engine.durableLsn).toBe(2n);
    for (const seed of [1, 2, 3, 4, 5]) {
      expect(openOn(afterPowerCut(disk, seed)).metrics(0n).resources.used).toBe(2);
    }
  });

  test('what arrives during a sync goes into the next frame, and the order is kept', async () => {
    const {disk, engine, caller} = setUp();
    const other = new Caller(engine);
    caller.send(create(1n));
    await until(() => disk.heldCount === 1);
    caller.send(create(2n));
    other.send(create(3n));
    await turns(2);
    caller.send(create(4n));
    await turns(2);
    await disk.release();
    expect([caller.said, other.said]).toEqual([['ok@1'], []]);
    await disk.release();
    expect([caller.said, other.said]).toEqual([['ok@1', 'ok@2', 'ok@4'], ['ok@3']]);
    expect(engine.metrics(0n).frames).toBe(2);
  });

  test('one turn is one frame, and each caller hears of it once', async () => {
    const {disk, engine} = setUp();
    const callers = [new Caller(engine), new Caller(engine), new Caller(engine)];
    for (let i = 0n; i < 30n; i++) callers[Number(i % 3n)]?.send(create(i + 1n));
    await disk.release();
    expect(callers.map(caller => caller.responses.length)).toEqual([10, 10, 10]);
    expect(callers.map(caller => caller.readyCalls)).toEqual([1, 1, 1]);
    expect(engine.metrics(0n)).toMatchObject({frames: 1, records: 30, queueDepth: 0});
  });

  test('a retry in the same frame, or in the next turn, waits for the sync of the first', async () => {
    const {disk, engine, caller} = setUp();
    const other = new Caller(engine);
    caller.send(create(1n, 5n), create(1n, 5n));
    await until(() => disk.heldCount === 1);
    other.send(create(1n, 5n), create(2n, 5n));
    await turns(5);
    expect([caller.said, other.said]).toEqual([[], []]);
    await disk.release();
    expect(caller.said).toEqual(['ok@1', 'ok@1 again']);
    expect(other.said).toEqual(['ok@1 again', 'operation_conflict@1 again']);
    expect(engine.metrics(0n).records).toBe(1);
  });

  test('a caller that sends again when it hears is served', async () => {
    const {disk, engine} = setUp();
    disk.hold = false;
    let left = 5n;
    const caller: Caller = new Caller(engine, () => {
      if (left-- > 0n) caller.send(create(left + 10n));
    });
    caller.send(create(1n));
    await until(() => caller.responses.length === 6);
    expect(caller.said).toEqual(['ok@1', 'ok@2', 'ok@3', 'ok@4', 'ok@5', 'ok@6']);
  });
});

describe('reads', () => {
  test('are answered in their turn, without the disk, when nothing is in flight', async () => {
    const {disk, engine, caller} = setUp();
    caller.send(resource(1n), metricsAt(3n), tick(3n));
    await turns(1);
    expect(caller.said).toEqual(['resource_not_found', 'metrics', 'ticked 0']);
    expect(disk.heldCount + engine.metrics(0n).frames).toBe(0);
  });

  test('see everything accepted before them, and wait until it is durable', async () => {
    const {disk, engine, caller} = setUp();
    const reader = new Caller(engine);
    caller.send(create(1n));
    await until(() => disk.heldCount === 1);
    reader.send(resource(1n), resource(2n), resource(1n, 1n), resource(1n, 2n));
    caller.send(create(2n));
    reader.send(resource(2n), resource(2n, 2n));
    await turns(5);
    expect(reader.said).toEqual([]);
    await disk.release();
    const first = ['resource_found', 'resource_not_found', 'resource_found', 'resource_fence_not_applied'];
    expect(reader.said).toEqual(first);
    await disk.release();
    expect(reader.said).toEqual([...first, 'resource_found', 'resource_found']);
  });

  test('metrics count what waits', async () => {
    const {disk, caller} = setUp({maxSubmissionQueue: 8});
    caller.send(create(1n), create(2n), create(2n), metricsAt(5n));
    await disk.release();
    const metrics = caller.responses[3];
    expect(metrics).toMatchObject({type: 'metrics', queueDepth: 3, queueCapacity: 8, lastAppliedLsn: 3n});
  });
});

describe('the queue is bounded', () => {
  test('overloaded exactly at the bound, until answers have left', async () => {
    const {disk, engine, caller} = setUp({maxSubmissionQueue: 4});
    caller.send(create(1n, 1n), create(2n, 2n), create(3n, 3n));
    await until(() => disk.heldCount === 1);
    caller.send(create(4n, 4n), create(5n, 5n));
    expect(engine.metrics(0n).queueDepth).toBe(4);
    const malformed = {type: 'submit', requestSlot: 1n, payload: new Uint8Array(3)} as const;
    const long = {type: 'submit', requestSlot: 1n, payload: new Uint8Array(300)} as const;
    const late = {
      type: 'submit',
      requestSlot: 2n ** 64n - 1n,
      payload: payload({kind: 'revoke', reservationId: 1n}),
    } as const;
    caller.send(create(1n, 1n), malformed, long, late, resource(1n), tick(0n), create(6n, 6n));
    await disk.release();
    await disk.release();
    expect(caller.said).toEqual([
      'ok@1',
      'ok@2',
      'ok@3',
      'ok@4',
      'overloaded',
      'ok@1 again',
      'invalid_request',
      'command_too_large',
      'slot_overflow',
      'resource_found',
      'ticked 0',
      'overloaded',
    ]);
    expect(caller.responses[4]).toMatchObject({failure: {queueDepth: 4, queueCapacity: 4}});
    disk.releaseAll();
    caller.send(create(5n, 5n));
    await until(() => caller.responses.length === 13);
    expect(caller.said.at(-1)).toBe('ok@5');
    expect(engine.metrics(0n).queueDepth).toBe(0);
  });

  test('a batch is admitted or refused as a whole', async () => {
    const {disk, caller} = setUp({maxSubmissionQueue: 4});
    caller.send(create(1n), batch(4, 20n), batch(3, 30n), batch(1, 40n), batch(0, 50n));
    await disk.release();
    expect(caller.said).toEqual([
      'ok@1',
      '[overloaded, overloaded, overloaded, overloaded]',
      '[ok@2, ok@3, ok@4]',
      '[overloaded]',
      '[]',
    ]);
    expect(members(caller.responses[1])[3]).toMatchObject({failure: {queueDepth: 1, queueCapacity: 4}});
    expect(members(caller.responses[3])[0]).toMatchObject({failure: {queueDepth: 4, queueCapacity: 4}});
  });

  test('one that is larger than the queue is admitted when the queue is empty', async () => {
    const {disk, engine, caller} = setUp({maxSubmissionQueue: 4});
    caller.send(batch(9, 1n), create(40n));
    expect(engine.metrics(0n).queueDepth).toBe(9);
    await disk.release();
    expect(members(caller.responses[0]).map(said)).toEqual(Array.from({length: 9}, (_, i) => `ok@${i + 1}`));
    expect(caller.said[1]).toBe('overloaded');
    expect(caller.responses[1]).toMatchObject({failure: {queueDepth: 9, queueCapacity: 4}});
  });

  test('while a frame is written, a batch that the next one cannot hold is refused as a whole', async () => {
    const {disk, caller} = setUp({}, {maxFrameBytes: 1024});
    caller.send(create(1n));
    await until(() => disk.heldCount === 1);
    caller.send(batch(10, 2n), batch(8, 20n), batch(20, 40n), ...Array.from({length: 10}, () => create(60n)));
    disk.releaseAll();
    await until(() => caller.responses.length === 14);
    expect(members(caller.responses[1]).map(said)).toEqual(Array.from({length: 10}, (_, i) => `ok@${i + 2}`));
    expect(new Set(members(caller.responses[2]).map(said))).toEqual(new Set(['overloaded']));
    expect(new Set(members(caller.responses[3]).map(said))).toEqual(new Set(['overloaded']));
    expect(caller.said.slice(4)).toContain('overloaded');
  });

  test('with nothing in flight a full frame is written at once', async () => {
    const {disk, engine, caller} = setUp({}, {maxFrameBytes: 1024});
    caller.send(batch(30, 1n), create(60n));
    disk.releaseAll();
    await until(() => caller.responses.length === 2);
    expect(members(caller.responses[0]).every(member => member.type === 'submit_committed')).toBe(true);
    expect(caller.said[1]).toBe('ok@31');
    expect(engine.metrics(0n).frames).toBeGreaterThan(2);
  });
});

describe('the two uses do not mix', () => {
  test('handleApiBytes throws while pipelined requests wait, and does nothing', async () => {
    const {disk, engine, caller} = setUp();
    const synchronous = (): string => said(engine.handleApiRequest(create(9n)));
    caller.send(create(1n));
    expect(synchronous).toThrow(/pipelined/);
    await until(() => disk.heldCount === 1);
    expect(synchronous).toThrow(/pipelined/);
    await disk.release();
    expect(synchronous()).toBe('ok@2');
    expect(caller.said).toEqual(['ok@1']);
  });

  test('bytes that are no request are the caller’s error, and nothing is written', () => {
    const {engine, caller} = setUp();
    expect(caller.send(new Uint8Array([99]))).not.toBe(0);
    expect(caller.send(new Uint8Array(0))).not.toBe(0);
    expect(caller.answers.pendingBytes).toBe(0);
    expect(() => engine.handleApiBytes(new Uint8Array([99]))).toThrow(/invalid_request_tag/);
    expect(() => engine.handleApiBytes(encodeRequest(create(1n)).subarray(0, 12))).toThrow(/buffer_too_short/);
  });
});

describe('submit', () => {
  /** Submits each request; as the promises resolve, each answer goes to the place of its own request in `told`. */
  function submitAll(engine: SingleNodeEngine, requests: readonly ApiRequest[], told: string[]): Promise<unknown> {
    return Promise.all(
      requests.map(async (request, i) => {
        told[i] = said(await engine.submit(request));
      }),
    );
  }

  test('each resolves with its own answer, when that is durable', async () => {
    const {disk, engine} = setUp();
    const first: string[] = [];
    const firstDone = submitAll(engine, [create(1n), reserve(1n), resource(1n)], first);
    await until(() => disk.heldCount === 1);
    const second: string[] = [];
    const secondDone = submitAll(engine, [create(2n), create(1n, 1n), resource(9n), create(3n)], second);
    await turns(5);
    expect([first, second]).toEqual([[], []]);
    await disk.release();
    await firstDone;
    expect(first).toEqual(['ok@1', 'ok@2', 'resource_found']);
    expect(second).toEqual([]);
    await disk.release();
    await secondDone;
    expect(second).toEqual(['ok@3', 'already_exists@4', 'resource_not_found', 'ok@5']);
  });

  test('one that throws takes nobody else’s answer', async () => {
    const {disk, engine} = setUp();
    const before = engine.submit(create(1n));
    await expect(engine.submit(resource(2n ** 128n))).rejects.toThrow(RangeError);
    const after = engine.submit(create(2n));
    await until(() => disk.heldCount === 1);
    await disk.release();
    expect([said(await before), said(await after)]).toEqual(['ok@1', 'ok@2']);
  });

  test('a failed sync settles all that wait, each as its own frame wants', async () => {
    const {disk, engine} = setUp();
    const first: string[] = [];
    const second: string[] = [];
    const firstDone = submitAll(engine, [create(1n), resource(1n)], first);
    await until(() => disk.heldCount === 1);
    const secondDone = submitAll(engine, [create(2n), resource(2n), create(3n)], second);
    await turns(2);
    disk.arm({call: 1, kind: 'EIO'});
    await disk.release();
    await Promise.all([firstDone, secondDone]);
    expect(first).toEqual(['storage_failure', 'resource_engine_halted']);
    expect(second).toEqual(['engine_halted', 'resource_engine_halted', 'engine_halted']);
  });

  test('rejects what cannot be a request, and never throws', async () => {
    const {engine} = setUp();
    await expect(engine.submit(resource(2n ** 128n))).rejects.toThrow(RangeError);
    await engine.close();
    await expect(engine.submit(resource(1n))).rejects.toThrow(/closed/);
  });
});

describe('closing', () => {
  test('answers everything that was taken, takes nothing more, and may be called twice', async () => {
    const {disk, engine, caller} = setUp();
    caller.send(create(1n));
    await until(() => disk.heldCount === 1);
    caller.send(create(2n));
    const closed = engine.close();
    expect(engine.state).toBe('closed');
    expect(() => caller.send(create(3n))).toThrow(/closed/);
    expect(() => engine.handleApiRequest(create(3n))).toThrow(/closed/);
    disk.releaseAll();
    await Promise.all([closed, engine.close()]);
    expect(caller.said).toEqual(['ok@1', 'ok@2']);
    await expect(engine.checkpoint()).rejects.toThrow(/closed/);
    expect(openOn(disk).metrics(0n).resources.used).toBe(2);
  });

  test('answers what waits for nothing but the end of its turn', async () => {
    const {engine, caller} = setUp();
    caller.send(resource(1n));
    await engine.close();
    expect(caller.responses).toHaveLength(1);
  });

  test('at once, it writes what is open, and throws while a frame is being written', async () => {
    const {disk, engine, caller} = setUp();
    caller.send(create(1n));
    await until(() => disk.heldCount === 1);
    expect(() => engine.closeNow()).toThrow(/being written/);
    await disk.release();
    caller.send(create(2n));
    engine.closeNow();
    engine.closeNow();
    await turns(2);
    expect(caller.said).toEqual(['ok@1', 'ok@2']);
    expect(openOn(disk).metrics(0n).resources.used).toBe(2);
  });
});
