// The model's own surface below and beside the API frames: applying one record, reopening, and the invariant walk, which
// has to be able to find something.
//
// What commands answer is the vectors' subject; this file holds only what no frame can show.
import {type Command, encodeClientRequest, Model, type ModelConfig, type State} from '@allocdb/sim';
import {describe, expect, test} from 'vitest';

const U64_MAX = 2n ** 64n - 1n;

const CONFIG: ModelConfig = {
  shardId: 0n,
  maxResources: 4,
  maxReservations: 4,
  maxBundleSize: 2,
  maxOperations: 16,
  maxTtlSlots: 10n,
  maxClientRetryWindowSlots: 5n,
  reservationHistoryWindowSlots: 3n,
  maxExpirationBucketLen: 2,
  operationWindowSlots: null,
  maxSubmissionQueue: 4,
  maxCommandBytes: 256,
  maxExpirationsPerTick: 4,
};

function payload(operationId: bigint, command: Command): Uint8Array {
  return encodeClientRequest(operationId, 1n, command);
}

/** Resource 1, reserved by holder 7 at lsn 2 until slot 15. */
function modelWithOneHold(): Model {
  const model = new Model(CONFIG);
  model.applyClient(1n, 5n, payload(1n, {kind: 'create_resource', resourceId: 1n}));
  model.applyClient(2n, 5n, payload(2n, {kind: 'reserve', resourceId: 1n, holderId: 7n, ttlSlots: 10n}));
  return model;
}

describe('applying one record', () => {
  test('expire: another deadline or no longer reserved is a noop, unknown is not found', () => {
    const expire = (model: Model, lsn: bigint, reservationId: bigint, deadlineSlot: bigint): string => {
      const applied = model.applyExpire(lsn, 15n, {reservationId, deadlineSlot});
      return applied.kind === 'committed' ? applied.result : applied.kind;
    };
    const model = modelWithOneHold();
    expect(expire(model, 3n, 2n, 14n)).toBe('noop');
    expect(expire(model, 4n, 9n, 15n)).toBe('reservation_not_found');
    expect(expire(model, 5n, 2n, 15n)).toBe('ok');
    expect(expire(model, 6n, 2n, 15n)).toBe('noop');
    expect(model.dumpState().reservations).toMatchObject([
      {state: 'expired', lease_epoch: '2', released_lsn: '5', retire_after_slot: '18'},
    ]);
  });

  test('a slot whose arithmetic does not fit changes nothing', () => {
    const model = modelWithOneHold();
    const before = model.dumpState();
    const overflow = {kind: 'slot_overflow', requestSlot: U64_MAX - 1n};
    expect(model.applyExpire(3n, U64_MAX - 1n, {reservationId: 2n, deadlineSlot: 15n})).toEqual({
      ...overflow,
      overflow: 'reservation_history',
      delta: 3n,
    });
    expect(model.applyClient(3n, U64_MAX - 1n, payload(3n, {kind: 'revoke', reservationId: 2n}))).toEqual({
      ...overflow,
      overflow: 'operation_window',
      delta: 15n,
    });
    expect(model.dumpState()).toEqual(before);
  });

  test('a known operation is answered from its record, though the lsn is used', () => {
    const model = modelWithOneHold();
    const command: Command = {kind: 'reserve', resourceId: 1n, holderId: 7n, ttlSlots: 10n};
    expect(model.applyClient(3n, 6n, payload(2n, command))).toEqual({
      kind: 'committed',
      appliedLsn: 2n,
      result: 'ok',
      reservationId: 2n,
      deadlineSlot: 15n,
      fromRetryCache: true,
    });
    expect(model.dumpState().last_applied_lsn).toBe('3');
  });

  test('neither lsn nor slot may go back', () => {
    const model = modelWithOneHold();
    const create = payload(3n, {kind: 'create_resource', resourceId: 2n});
    expect(() => model.applyClient(2n, 5n, create)).toThrow('lsn 2 goes back');
    expect(() => model.applyClient(3n, 4n, create)).toThrow('slot 4 goes back');
  });
});

describe('reopening', () => {
  const recovery = (model: Model): unknown[] => {
    const metrics = model.metrics(0n);
    const {startupKind, loadedSnapshotLsn, replayedWalFrameCount, replayedWalLastLsn, activeSnapshotLsn} = metrics;
    return [startupKind, loadedSnapshotLsn, replayedWalFrameCount, replayedWalLastLsn, activeSnapshotLsn];
  };

  test('the metrics say what was loaded and replayed', () => {
    const empty = new Model(CONFIG);
    empty.restart();
    expect(recovery(empty)).toEqual(['fresh_start', null, 0, null, null]);
    const model = modelWithOneHold();
    model.restart();
    expect(recovery(model)).toEqual(['wal_only', null, 2, 2n, null]);
    model.checkpoint();
    expect(recovery(model)).toEqual(['wal_only', null, 2, 2n, 2n]);
    model.restart();
    expect(recovery(model)).toEqual(['snapshot_only', 2n, 0, null, 2n]);
    model.applyExpire(3n, 15n, {reservationId: 2n, deadlineSlot: 15n});
    model.restart();
    expect(recovery(model)).toEqual(['snapshot_and_wal', 2n, 1, 3n, 2n]);
  });

  test('a start position is an empty snapshot with nothing behind it', () => {
    const model = new Model(CONFIG, {lsn: 900n, slot: 40n});
    expect(recovery(model)).toEqual(['snapshot_only', 900n, 0, null, 900n]);
    expect(model.metrics(45n).logicalSlotLag).toBe(5n);
  });

  test('a copy goes its own way', () => {
    const model = modelWithOneHold();
    const before = model.dumpState();
    model.clone().applyExpire(3n, 15n, {reservationId: 2n, deadlineSlot: 15n});
    expect(model.dumpState()).toEqual(before);
  });
});

describe('the invariant walk', () => {
  const spoils: [string, (state: State) => void][] = [
    ['is available but points', state => Object.assign(state.resources.get(1n) ?? {}, {state: 'available'})],
    ['its reservation confirmed', state => Object.assign(state.reservations.get(2n) ?? {}, {state: 'confirmed'})],
    ['without a reservation', state => state.reservations.delete(2n)],
    ['has a member twice', state => state.reservations.get(2n)?.members.push(1n)],
    ['is live and has a release', state => Object.assign(state.reservations.get(2n) ?? {}, {retireAfterSlot: 9n})],
    ['is terminal and owns', state => Object.assign(state.reservations.get(2n) ?? {}, {state: 'expired'})],
    ['outside its window', state => Object.assign(state.operations.get(1n) ?? {}, {retireAfterSlot: 4n})],
    ['watermark is after', state => Object.assign(state, {maxRetiredReservationId: 3n})],
    ['watermark is of another', state => Object.assign(state, {maxRetiredReservationId: 1n << 64n})],
  ];

  test.each(spoils)('finds that something %s', (text, spoil) => {
    const model = modelWithOneHold();
    expect(model.invariants()).toEqual([]);
    spoil(model.machine.state);
    expect(model.invariants().join('\n')).toContain(text);
  });
});
