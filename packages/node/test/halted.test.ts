/**
 * What becomes of everything that waits when a frame cannot be written: case by case, on a disk that fails one call.
 */
import {isIndefinite} from '@allocdb/api';
import {describe, expect, test} from 'vitest';
import type {SingleNodeEngine} from '../src/index.ts';
import {
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
  SNAPSHOT_DIR,
  said,
  tick,
  turns,
  until,
} from './support.ts';

const MALFORMED = {type: 'submit', requestSlot: 1n, payload: new Uint8Array(3)} as const;
const RESERVATION = (7n << 64n) | 1n;
const LEASE = {type: 'get_lease', requiredLsn: null, currentSlot: 1n, reservationId: RESERVATION} as const;
const MIXED_BATCH = {
  type: 'submit_batch',
  requestSlot: 1n,
  payloads: [
    payload({kind: 'create_resource', resourceId: 50n}),
    new Uint8Array(40),
    new Uint8Array(300),
    payload({kind: 'reserve_bundle', resourceIds: [50n], holderId: 1n, ttlSlots: 5n}),
    payload({kind: 'revoke', reservationId: 1n}),
  ],
} as const;

async function failing(): Promise<{disk: HeldDisk; engine: SingleNodeEngine; caller: Caller}> {
  const disk = new HeldDisk();
  const engine = openOn(disk, {
    commitMode: 'async',
    segmentBytes: 1 << 20,
    config: configWith({maxSubmissionQueue: 40}),
  });
  engine.handleApiRequest(create(1n, 1n, 10n));
  engine.handleApiRequest(create(2n, 2n, 10n));
  return {disk, engine, caller: new Caller(engine)};
}

/** Lets the sync in flight fail. */
async function fail(disk: HeldDisk): Promise<void> {
  await until(() => disk.heldCount > 0);
  disk.arm({call: 1, kind: 'EIO'});
  await disk.release();
}

describe('a sync fails', () => {
  test('metrics that wait are answered, though a snapshot was published since they were asked for', async () => {
    const {disk, engine, caller} = await failing();
    caller.send(create(3n));
    await until(() => disk.heldCount === 1);
    disk.hold = false;
    const checkpoint = engine.checkpoint();
    await until(() => disk.list(SNAPSHOT_DIR).some(name => name.endsWith('.tmp')));
    await turns(20);
    disk.hold = true;
    caller.send(create(4n));
    const other = new Caller(engine);
    other.send(metricsAt(17n));
    await disk.release();
    // The first frame is durable, so the snapshot has its name; the second one is being written.
    expect(disk.list(SNAPSHOT_DIR)).toEqual([expect.stringMatching(/\.snap$/)]);
    await fail(disk);
    await checkpoint.catch(() => undefined);
    await until(() => caller.responses.length === 2);
    expect(caller.said).toEqual(['ok@3', 'storage_failure']);
    expect(other.responses[0]).toMatchObject({type: 'metrics', acceptingWrites: false, lastAppliedLsn: 3n});
    expect(engine.state).toBe('halted');
  });

  test('each answer that waits becomes what is known, in order', async () => {
    const {disk, engine, caller} = await failing();
    const other = new Caller(engine);
    caller.send(create(3n), MALFORMED, resource(3n), create(1n, 1n), MIXED_BATCH, reserve(3n, 10n), tick(30n), LEASE);
    caller.send(metricsAt(17n));
    other.send(resource(2n));
    await until(() => disk.heldCount === 1);
    caller.send(create(4n), MALFORMED, resource(9n, 99n), reserve(2n, 25n), batch(2, 30n), tick(40n), metricsAt(31n));
    other.send(metricsAt(3n));
    expect(caller.responses).toEqual([]);
    await fail(disk);
    expect(caller.said).toEqual([
      'storage_failure',
      'invalid_request',
      'resource_engine_halted',
      'storage_failure',
      '[storage_failure, invalid_request, command_too_large, storage_failure, storage_failure]',
      'storage_failure',
      'storage_failure',
      'reservation_engine_halted',
      'metrics',
      'engine_halted',
      'invalid_request',
      'resource_engine_halted',
      'engine_halted',
      '[engine_halted, engine_halted]',
      'engine_halted',
      'metrics',
    ]);
    expect(other.said).toEqual(['resource_engine_halted', 'metrics']);
    expect([engine.state, engine.durableLsn, engine.haltCause?.message]).toEqual([
      'halted',
      2n,
      expect.stringContaining('EIO'),
    ]);
  });

  test('metrics are those of the last durable frame', async () => {
    const {disk, engine, caller} = await failing();
    caller.send(metricsAt(11n), create(3n), metricsAt(17n), reserve(3n, 15n), metricsAt(17n), metricsAt(12n));
    await fail(disk);
    const latched = {
      queueDepth: 0,
      acceptingWrites: false,
      lastAppliedLsn: 2n,
      lastRequestSlot: 10n,
      operationTableUsed: 2,
    };
    caller.send(metricsAt(14n));
    await until(() => caller.responses.length === 7);
    // Nothing was in flight when it was asked for: it was answered then.
    expect(caller.responses[0]).toMatchObject({acceptingWrites: true, logicalSlotLag: 1n});
    expect(caller.responses[2]).toMatchObject({...latched, logicalSlotLag: 7n});
    expect(caller.responses[4]).toMatchObject({...latched, logicalSlotLag: 7n});
    expect(caller.responses[6]).toMatchObject({...latched, logicalSlotLag: 4n, expirationBacklog: 0});
    expect(engine.metrics(14n)).toMatchObject({
      acceptingWrites: false,
      halted: true,
      lastAppliedLsn: 2n,
      durableLsn: 2n,
    });
  });

  test('a frame that became durable while the next one filled is what is latched', async () => {
    const {disk, caller} = await failing();
    caller.send(create(3n));
    await until(() => disk.heldCount === 1);
    caller.send(create(4n));
    await disk.release();
    caller.send(create(5n), metricsAt(10n));
    await fail(disk);
    expect(caller.said).toEqual(['ok@3', 'storage_failure', 'engine_halted', 'metrics']);
    expect(caller.responses[3]).toMatchObject({lastAppliedLsn: 3n, operationTableUsed: 3});
  });

  test('afterwards everything is answered, at once and for both kinds of use', async () => {
    const {disk, engine, caller} = await failing();
    caller.send(create(3n));
    await until(() => disk.heldCount === 1);
    caller.send(create(4n));
    await fail(disk);
    caller.send(create(5n), create(1n, 1n), MALFORMED, resource(1n), LEASE, tick(9n), MIXED_BATCH, metricsAt(1n));
    await until(() => caller.responses.length === 10);
    expect(caller.said.slice(2)).toEqual([
      'engine_halted',
      'engine_halted',
      'invalid_request',
      'resource_engine_halted',
      'reservation_engine_halted',
      'engine_halted',
      '[engine_halted, invalid_request, command_too_large, engine_halted, engine_halted]',
      'metrics',
    ]);
    expect(said(engine.handleApiRequest(create(6n)))).toBe('engine_halted');
    expect(said(engine.handleApiRequest(resource(1n, 99n)))).toBe('resource_engine_halted');
    await expect(engine.submit(resource(1n)).then(said)).resolves.toBe('resource_engine_halted');
    await expect(engine.checkpoint()).rejects.toThrow(/EIO/);
    await engine.close();
    expect(engine.state).toBe('closed');
  });

  test('of a synchronous request the answer says so, and the next is refused', async () => {
    const {disk, engine} = await failing();
    disk.arm({call: 2, kind: 'EIO'});
    const answer = engine.handleApiRequest(create(3n, 3n));
    expect(answer).toMatchObject({type: 'submit_rejected', failure: {code: 'storage_failure'}});
    expect(answer.type === 'submit_rejected' && isIndefinite(answer.failure)).toBe(true);
    expect(said(engine.handleApiRequest(create(4n)))).toBe('engine_halted');
    disk.restart();
    const reopened = openOn(disk);
    expect(said(reopened.handleApiRequest(create(3n, 3n)))).toMatch(/^ok@3/);
    expect(said(reopened.handleApiRequest(create(3n, 3n)))).toBe('ok@3 again');
  });

  test('closing reports nothing new and gives the directory back', async () => {
    const {disk, engine, caller} = await failing();
    caller.send(create(3n));
    await until(() => disk.heldCount === 1);
    const closed = engine.close();
    await fail(disk);
    await closed;
    expect(caller.said).toEqual(['storage_failure']);
    expect(openOn(disk).durableLsn).toBeGreaterThanOrEqual(2n);
  });
});

describe('the log fails between frames', () => {
  /** Refuses to make room for the next segment, with an error that is not a full disk. */
  class RoomlessDisk extends HeldDisk {
    refuses: boolean = false;

    override open(path: string, mode: 'read' | 'write' | 'create'): number {
      if (!this.refuses || !path.includes('spare')) return super.open(path, mode);
      throw Object.assign(new Error('EIO: no spare'), {code: 'EIO'});
    }
  }

  const requests = [create(1n), batch(3, 1n), reserve(1n), tick(900n)];

  test.each([0, 1, 2, 3])('a request that meets it is answered, and never throws (%i)', async kind => {
    const disk = new RoomlessDisk();
    disk.hold = false;
    const engine = openOn(disk, {segmentBytes: 16 * 1024, maxFrameBytes: 4096});
    for (let i = 1n; i <= 3n; i++) engine.handleApiRequest(create(i));
    for (let i = 1n; i <= 3n; i++) engine.handleApiRequest(reserve(i, 1n));
    disk.refuses = true;
    // Without a turn of the event loop nothing is prepared in the background: the room is asked for when it is needed.
    while (engine.directory.wal.metrics.bytesWritten < 11_000) engine.handleApiRequest(create(1n));
    const request = requests[kind] ?? create(1n);
    let answer = '';
    for (let i = 0; i < 30 && engine.state === 'running'; i++) {
      answer = said(engine.handleApiRequest(kind === 3 && i < 1 ? create(1n) : request));
    }
    for (let i = 0; i < 30 && engine.state === 'running'; i++) answer = said(engine.handleApiRequest(create(1n)));
    expect(engine.state).toBe('halted');
    expect(answer).toMatch(/^(engine_halted|\[engine_halted, engine_halted, engine_halted\])$/);
    expect(engine.haltCause?.message).toContain('EIO');
    const caller = new Caller(engine);
    caller.send(create(1n), resource(1n));
    await until(() => caller.responses.length === 2);
    expect(caller.said).toEqual(['engine_halted', 'resource_engine_halted']);
    await engine.close();
    disk.refuses = false;
    expect(said(openOn(disk).handleApiRequest(resource(1n)))).toBe('resource_found');
  });

  test('pipelined answers that wait are told, also those of other callers', async () => {
    const disk = new RoomlessDisk();
    disk.hold = false;
    const engine = openOn(disk, {segmentBytes: 16 * 1024, maxFrameBytes: 4096, commitMode: 'async'});
    disk.refuses = true;
    while (engine.directory.wal.metrics.bytesWritten < 10_000) engine.handleApiRequest(create(1n));
    const callers = [new Caller(engine), new Caller(engine)];
    for (let i = 0; i < 60; i++) callers[i % 2]?.send(create(BigInt(i)), resource(1n));
    await until(() => callers.every(caller => caller.responses.length === 60));
    expect(engine.state).toBe('halted');
    for (const caller of callers) {
      expect(new Set(caller.said)).toEqual(new Set(['engine_halted', 'resource_engine_halted']));
    }
  });
});

describe('a batch over several frames', () => {
  function small(): {disk: HeldDisk; engine: SingleNodeEngine} {
    const disk = new HeldDisk();
    disk.hold = false;
    return {disk, engine: openOn(disk, {commitMode: 'inline', maxFrameBytes: 1024, segmentBytes: 1 << 20})};
  }

  /** Two calls write a frame; which one of the n-th frame's fails. */
  function failFrame(disk: HeldDisk, frame: number): void {
    disk.arm({call: 2 * frame, kind: 'EIO'});
  }

  function tally(response: Parameters<typeof members>[0]): [string, number][] {
    const counts = new Map<string, number>();
    for (const member of members(response)) {
      const what = member.type === 'submit_committed' ? 'committed' : member.failure.code;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    return [...counts];
  }

  test.each([1, 2, 3])('synchronous, frame %i fails: what was durable before stays', frame => {
    const {disk, engine} = small();
    failFrame(disk, frame);
    const answer = engine.handleApiRequest(batch(60, 1n));
    const durable = Number(engine.durableLsn ?? 0n);
    expect(members(answer)).toHaveLength(60);
    const expected: [string, number][] = durable === 0 ? [] : [['committed', durable]];
    const lost = (tally(answer).find(([code]) => code === 'storage_failure') ?? ['', 0])[1];
    expect(tally(answer)).toEqual([...expected, ['storage_failure', lost], ['engine_halted', 60 - durable - lost]]);
    expect(lost).toBeGreaterThan(0);
  });

  test('the last frame fails: the members before it stay committed', () => {
    const {disk, engine} = small();
    const probe = small();
    probe.engine.handleApiRequest(batch(40, 1n));
    const {frames} = probe.engine.metrics(0n);
    failFrame(disk, frames);
    const answer = engine.handleApiRequest(batch(40, 1n));
    const durable = Number(engine.durableLsn ?? 0n);
    expect(durable).toBeGreaterThan(10);
    expect(tally(answer)).toEqual([
      ['committed', durable],
      ['storage_failure', 40 - durable],
    ]);
  });

  test('what was durable of an earlier batch says nothing of the next one', () => {
    const {disk, engine} = small();
    expect(tally(engine.handleApiRequest(batch(3000, 1n)))).toEqual([['committed', 3000]]);
    failFrame(disk, 1);
    const lost = tally(engine.handleApiRequest(batch(10, 1n)));
    expect(lost).toEqual([['storage_failure', 10]]);
  });

  test.each([1, 2, 3, 4])('pipelined behind other answers, frame %i fails: the stream stays in step', async frame => {
    const {disk, engine} = small();
    const caller = new Caller(engine);
    caller.send(create(60n), create(61n), resource(60n), metricsAt(1n));
    failFrame(disk, frame);
    caller.send(batch(50, 1n), create(62n), resource(1n));
    await until(() => caller.responses.length === 7);
    const durable = engine.durableLsn ?? 0n;
    const first =
      durable === 0n
        ? ['storage_failure', 'storage_failure', 'resource_engine_halted']
        : ['ok@1', 'ok@2', 'resource_found'];
    expect(caller.said.slice(0, 4)).toEqual([...first, 'metrics']);
    const codes = tally(caller.responses[4]);
    expect(codes.reduce((sum, [, count]) => sum + count, 0)).toBe(50);
    const committed = codes.find(([code]) => code === 'committed')?.[1] ?? 0;
    expect(BigInt(committed)).toBe(durable === 0n ? 0n : durable - 2n);
    expect(engine.state).toBe('halted');
    expect(caller.said.slice(6)).toEqual(['resource_engine_halted']);
  });
});
