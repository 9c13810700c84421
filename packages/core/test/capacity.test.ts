import {describe, expect, test} from 'vitest';
import {type Command, DECODE, encodeClientRequest, Outcome, WIRE_BUNDLE_MEMBERS_MAX} from '../src/index.ts';
import {CONFIG, Machine} from './machine.ts';
import {runTable} from './run_table.ts';
import {loadInto, takeSnapshot} from './snapshots.ts';

const LAST = 2n ** 64n - 1n;

function create(id: number): Command {
  return {kind: 'create_resource', resourceId: BigInt(id)};
}

describe('every configured bound', () => {
  test('maxResources', () => {
    runTable(
      `slot op  command      answer
          0  1  create r1    ok
          0  2  create r2    resource_table_full`,
      {maxResources: 1, maxBundleSize: 1},
    );
  });

  test('maxReservations counts live and remembered ones alike', () => {
    runTable(
      `slot op  command              answer
          0  1  create r1            ok
          0  2  create r2            ok
          0  3  create r3            ok
          0  4  reserve A r1 h1 5    ok@5
          0  5  reserve B r2 h1 5    ok@5
          0  6  release A h1         ok
          0  7  confirm B h1         ok
          0  8  reserve C r3 h1 5    reservation_table_full
          3  9  reserve C r3 h1 5    reservation_table_full
          4 10  reserve C r3 h1 5    ok@9
          9 11  reserve D r1 h1 5    reservation_table_full -- sales count for as long as they last
          9 12  revoke B             ok
          9 13  reserve D r1 h1 5    reservation_table_full -- and while they are revoked
          9 14  reclaim B            ok
         13 15  reserve D r1 h1 5    ok@18`,
      {maxReservations: 2, maxExpirationBucketLen: 2},
    );
  });

  test('maxOperations', () => {
    runTable(
      `slot op  command      answer
          0  1  create r1    ok
          0  2  create r2    operation_table_full
         15  2  create r2    operation_table_full
         16  2  create r2    ok`,
      {maxOperations: 1},
    );
  });

  test('maxBundleSize', () => {
    runTable(
      `slot op  command                answer
          0  1  create r1              ok
          0  2  create r2              ok
          0  3  bundle A h1 5 r1 r2    bundle_too_large
          0  4  bundle A h1 5 r1       ok@5`,
      {maxBundleSize: 1},
    );
  });

  test('maxTtlSlots', () => {
    runTable(
      `slot op  command              answer
          0  1  create r1            ok
          0  2  reserve A r1 h1 2    ttl_out_of_range
          0  3  reserve A r1 h1 1    ok@1`,
      {maxTtlSlots: 1n, reservationHistoryWindowSlots: 1n},
    );
  });

  test('maxExpirationBucketLen: what is confirmed, released or expired leaves its place', () => {
    runTable(
      `slot op  command              answer
          0  1  create r1            ok
          0  2  create r2            ok
          0  3  reserve A r1 h1 5    ok@5
          0  4  reserve B r2 h1 5    expiration_index_full
          0  5  confirm A h1         ok
          0  6  reserve B r2 h1 5    ok@5
          0  7  release B h1         ok
          0  8  reserve B r2 h1 5    ok@5
          5  -  expire B 5           ok
         11  9  reserve B r2 h1 5    ok@16                  -- the same bucket, a lap later`,
      {maxExpirationBucketLen: 1, maxReservations: 4},
    );
  });
});

describe('tables that were full', () => {
  test('take as much again, time after time', () => {
    const config = {...CONFIG, maxReservations: 40, maxResources: 40, maxOperations: 90, maxExpirationBucketLen: 40};
    const machine = new Machine(config);
    let operationId = 0n;
    const submit = (slot: bigint, command: Command) =>
      machine.submit(slot, {operationId: ++operationId, clientId: 0n, command});
    for (let id = 0; id < 40; id++) expect(submit(0n, create(id)).code).toBe('ok');
    for (let round = 1n; round <= 6n; round++) {
      const slot = 100n * round;
      const grants: bigint[] = [];
      for (let id = 0; id < 40; id++) {
        const command: Command = {kind: 'reserve', resourceId: BigInt(id), holderId: 1n, ttlSlots: 10n};
        const answer = submit(slot, command);
        expect(answer.code).toBe('ok');
        grants.push(answer.reservationId ?? 0n);
        machine.expectSound();
      }
      expect(machine.db.reservationsUsed).toBe(40);
      for (const reservationId of grants)
        expect(submit(slot, {kind: 'release', reservationId, holderId: 1n}).code).toBe('ok');
      expect(submit(slot, create(round % 2n === 0n ? 0 : 99)).code).not.toBe('operation_table_full');
      // 81 of 90 records are taken: nine more fit into this window, whatever is still being swept.
      for (let i = 0; i < 9; i++) expect(submit(slot, create(0)).code).toBe('already_exists');
      expect(submit(slot, create(0)).code).toBe('operation_table_full');
      machine.expectSound();
    }
    expect(machine.replayed().digest()).toBe(machine.digest());
  });
});

test('a bundle may have as many members as the wire can count', () => {
  const members = WIRE_BUNDLE_MEMBERS_MAX;
  const machine = new Machine({...CONFIG, maxResources: members, maxBundleSize: members, maxOperations: 70_000});
  const submit = (operationId: number, command: Command) =>
    machine.submit(1n, {operationId: BigInt(operationId), clientId: 0n, command});
  for (let id = 0; id < members; id++) submit(id, create(id));
  const resourceIds = Array.from({length: members}, (_, i) => BigInt((i * 7) % members));
  const bundle = {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5n} as const;
  expect(submit(66_000, {...bundle, resourceIds: resourceIds.with(-1, resourceIds[0])}).code).toBe('resource_busy');
  const {reservationId} = submit(66_001, {...bundle, resourceIds});
  const lease = machine.lease(reservationId ?? 0n, 1n);
  expect(lease).toMatchObject({state: 'reserved', members: resourceIds});
  machine.expectSound();
  const snapshot = takeSnapshot(machine.db);
  const copy = new Machine(machine.config);
  expect(loadInto(copy.db, snapshot)).toEqual({problem: null, digest: snapshot.digest});
  expect(copy.lease(reservationId ?? 0n, 1n)).toEqual(lease);
  expect(submit(66_002, {kind: 'release', reservationId: reservationId ?? 0n, holderId: 1n}).code).toBe('ok');
  machine.expectSound();
});

describe('what is retired', () => {
  test('is gone at once, and removed for good in steps of 64 rows every 32 commands', () => {
    const rows = 100;
    const machine = new Machine({...CONFIG, maxReservations: rows, maxOperations: 400, maxExpirationBucketLen: rows});
    let operationId = 0n;
    const submit = (slot: bigint, command: Command) =>
      machine.submit(slot, {operationId: ++operationId, clientId: 0n, command});
    submit(0n, create(0));
    for (let i = 0; i < rows; i++) {
      submit(0n, {kind: 'reserve', resourceId: 0n, holderId: 1n, ttlSlots: 10n});
      submit(0n, {kind: 'release', reservationId: machine.idOfLsn(machine.lastLsn), holderId: 1n});
    }
    const {reservations, retireQueue, operations} = machine.db;
    const dead = (): number[] => [retireQueue.unswept, operations.index.count - operations.used];
    expect([...dead(), reservations.stored]).toEqual([0, 0, rows]);
    const seen: number[][] = [];
    for (let i = 1; i <= 160; i++) {
      submit(20n, create(0));
      expect([machine.db.reservationsUsed, operations.used]).toEqual([0, i]);
      if (String(seen.at(-1)) !== String(dead())) seen.push(dead());
    }
    expect(seen).toEqual([
      [100, 201],
      [36, 137],
      [0, 73],
      [0, 9],
      [0, 0],
    ]);
    expect(reservations.stored).toBe(0);
    machine.expectSound();
  });
});

describe('lsns', () => {
  test('reach the last one there is', () => {
    runTable(
      `slot op  command              answer
          0  1  create r1            ok
          0  2  reserve A r1 h1 5    ok@5
          0  3  confirm A h1         ok
          0  -  lease #max-1         confirmed/h1/e1/r1
          0  -  lease #max           not_found
          0  3  confirm A h1         again:ok`,
      {},
      {lsn: LAST - 3n, slot: 0n},
    );
  });

  test('and slots that go back are a broken promise of the caller', () => {
    const {db} = new Machine();
    const [bytes, out] = [encodeClientRequest({operationId: 1n, clientId: 0n, command: create(1)}), new Outcome()];
    expect(db.decodeClient(new DataView(bytes.buffer), 0, bytes.length)).toBe(DECODE.NONE);
    db.applyClient(5, 0, 5, 0, out);
    expect(() => db.applyClient(5, 0, 5, 0, out)).toThrow('lsn rises');
    expect(() => db.applyClient(6, 0, 4, 0, out)).toThrow('slot does not fall');
    db.applyClient(6, 0, 5, 0, out);
    expect(out).toMatchObject({fromRetryCache: true, appliedLsnLo: 5});
  });
});
