/**
 * The typed facade over a transport that answers what the test says: requests are what the wire should carry, responses
 * become answers by name, failures errors, misuse rejections; nothing throws synchronously.
 */
import {decodeClientRequest, RESULT_NAMES, type ResultName} from '@allocdb/core';
import {describe, expect, expectTypeOf, test} from 'vitest';
import {
  type ApiResponse,
  type BatchCommand,
  type CreateResourceAnswer,
  type Database,
  holderIdFrom,
  idToBigint,
  isAllocDbError,
  type NotAnswered,
  operationIdFrom,
  type ReserveAnswer,
  reservationIdFromBigint,
  resourceIdFrom,
  type SubmissionFailure,
  type SubmitResponse,
} from '../src/index.ts';
import {scripted} from './scripted_transport.ts';

const seat = resourceIdFrom('seat');
const other = resourceIdFrom('other seat');
const holder = holderIdFrom('someone');
const reservation = reservationIdFromBigint(7n);
const operation = operationIdFrom('order');

function committed(resultCode: ResultName, appliedLsn = 5n, grant = false): SubmitResponse {
  return {
    type: 'submit_committed',
    appliedLsn,
    resultCode,
    reservationId: grant ? 7n : null,
    deadlineSlot: grant ? 72n : null,
    fromRetryCache: false,
  };
}

const CALLS: Record<BatchCommand['command'], (db: Database) => Promise<{result: string; lsn: bigint}>> = {
  create_resource: db => db.createResource({resource: seat}),
  reserve: db => db.reserve({resource: seat, holder, ttlSlots: 30}),
  reserve_bundle: db => db.reserveBundle({resources: [seat, other], holder, ttlSlots: 30n}),
  confirm: db => db.confirm({reservation, holder}),
  release: db => db.release({reservation, holder, epoch: 2n}),
  revoke: db => db.revoke({reservation}),
  reclaim: db => db.reclaim({reservation}),
};
const COMMANDS = Object.keys(CALLS) as BatchCommand['command'][];

describe('commands', () => {
  test('a grant is a lease', async () => {
    const {db, requests, options} = scripted(committed('ok', 7n, true));
    const answer = await db.reserveBundle({resources: [seat, other], holder, ttlSlots: 30, operationId: operation});
    expect(answer).toEqual({
      result: 'reserved',
      lease: {id: reservation, epoch: 1n, deadlineSlot: 72n, holder, resources: [seat, other]},
      lsn: 7n,
      operation,
      fromRetryCache: false,
    });
    expect(options).toEqual([{signal: null, operationIds: [operation]}]);
    const [request] = requests;
    if (request?.type !== 'submit') throw new Error('not a submit');
    expect(request.requestSlot).toBe(42n);
    expect(decodeClientRequest(request.payload)).toEqual({
      operationId: idToBigint(operation),
      clientId: 9n,
      command: {
        kind: 'reserve_bundle',
        resourceIds: [idToBigint(seat), idToBigint(other)],
        holderId: idToBigint(holder),
        ttlSlots: 30n,
      },
    });
  });

  test('each has its own word for ok', async () => {
    const words = [];
    for (const command of COMMANDS) {
      words.push((await CALLS[command](scripted(committed('ok', 1n, command.startsWith('reserve'))).db)).result);
    }
    expect(words).toEqual(['created', 'reserved', 'reserved', 'confirmed', 'released', 'revoking', 'reclaimed']);
  });

  test('refusals are answers by the name of their result; what a command cannot meet is a protocol error', async () => {
    const refusals = new Map<string, string[]>();
    for (const command of COMMANDS) {
      const met: string[] = [];
      for (const name of RESULT_NAMES) {
        if (name === '' || name === 'ok') continue;
        const answer = await CALLS[command](scripted(committed(name)).db).catch((error: unknown) => error);
        if (isAllocDbError(answer)) {
          expect(answer.failure).toMatchObject({code: 'protocol_error', certainty: 'indefinite'});
        } else {
          expect(answer).toMatchObject({result: name, lsn: 5n});
          met.push(name);
        }
      }
      refusals.set(command, met.sort());
    }
    const holderRefusals = [
      'holder_mismatch',
      'invalid_state',
      'operation_conflict',
      'operation_table_full',
      'reservation_not_found',
      'reservation_retired',
      'stale_epoch',
    ];
    expect(refusals.get('confirm')).toEqual(holderRefusals);
    expect(refusals.get('release')).toEqual(holderRefusals);
    expect(refusals.get('revoke')).toEqual(holderRefusals.filter(name => !/holder|epoch/.test(name)));
    expect(refusals.get('reclaim')).toEqual(refusals.get('revoke'));
    expect(refusals.get('create_resource')).toEqual([
      'already_exists',
      'operation_conflict',
      'operation_table_full',
      'resource_table_full',
    ]);
    expect(refusals.get('reserve')).toHaveLength(9);
    expect(refusals.get('reserve_bundle')).toEqual(refusals.get('reserve'));
  });

  test('an epoch makes confirm and release fenced', async () => {
    const {db, requests} = scripted(committed('ok'), committed('ok'));
    await db.confirm({reservation, holder});
    await db.release({reservation, holder, epoch: 2n});
    const kinds = requests.map(request => {
      if (request.type !== 'submit') throw new Error('not a submit');
      const decoded = decodeClientRequest(request.payload);
      return 'command' in decoded ? decoded.command.kind : decoded;
    });
    expect(kinds).toEqual(['confirm', 'release_fenced']);
  });

  test('a failure rejects with the certainty of the wire, and names the operation', async () => {
    const failing = (failure: SubmissionFailure) =>
      scripted({type: 'submit_rejected', failure}).db.reserve({
        resource: seat,
        holder,
        ttlSlots: 1,
        operationId: operation,
      });
    await expect(failing({code: 'overloaded', queueDepth: 1, queueCapacity: 1})).rejects.toMatchObject({
      code: 'overloaded',
      failure: {code: 'overloaded', certainty: 'definite'},
      detail: {queueDepth: 1},
    });
    await expect(failing({code: 'storage_failure'})).rejects.toMatchObject({
      failure: {code: 'storage_failure', certainty: 'indefinite', operationId: operation, operationIds: [operation]},
    });
  });

  test('a fresh operation id is made when none is given, and is in the answer', async () => {
    const {db, options} = scripted(committed('ok'), committed('ok'));
    const [first, second] = [await db.revoke({reservation}), await db.revoke({reservation})];
    expect(first.operation).not.toBe(second.operation);
    expect(options.map(each => each.operationIds)).toEqual([[first.operation], [second.operation]]);
  });

  test('misuse rejects, and never throws synchronously', async () => {
    const {db, requests} = scripted();
    const loose = db as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const attempts: [string, unknown[], unknown][] = [
      ['createResource', [], TypeError],
      ['createResource', [{resource: 'seat 12'}], RangeError],
      ['createResource', [{resource: seat, operationId: 5}], TypeError],
      ['reserve', [{resource: seat, holder, ttlSlots: 1.5}], RangeError],
      ['reserve', [{resource: seat, holder, ttlSlots: -1n}], RangeError],
      ['reserve', [{resource: seat, holder, ttlSlots: '30'}], TypeError],
      ['reserveBundle', [{resources: Array(65_536).fill(seat), holder, ttlSlots: 1}], RangeError],
      ['confirm', [{reservation, holder, epoch: 1}], TypeError],
      ['batch', [[{command: 'explode'}]], TypeError],
      ['batch', [Array(65_536).fill({command: 'revoke', reservation})], RangeError],
      ['getResource', [5], TypeError],
      ['getLease', [reservation, {requiredLsn: 5}], TypeError],
    ];
    for (const [method, args, type] of attempts) {
      await expect((loose[method] as (typeof loose)[string]).apply(db, args)).rejects.toBeInstanceOf(type);
    }
    expect(requests).toEqual([]);
  });
});

describe('batch', () => {
  test('one answer for each command, in order, failures among them', async () => {
    const {db, requests, options} = scripted({
      type: 'batch_result',
      results: [
        committed('ok', 3n),
        committed('resource_busy', 4n),
        {type: 'submit_rejected', failure: {code: 'engine_halted'}},
      ],
    });
    const answers = await db.batch([
      {command: 'create_resource', resource: seat, operationId: operation},
      {command: 'reserve', resource: seat, holder, ttlSlots: 1},
      {command: 'revoke', reservation},
    ]);
    expectTypeOf(answers[0]).toEqualTypeOf<CreateResourceAnswer | NotAnswered>();
    expectTypeOf(answers[1]).toEqualTypeOf<ReserveAnswer | NotAnswered>();
    expect(answers.map(answer => answer.result)).toEqual(['created', 'resource_busy', 'not_answered']);
    expect(answers[2]).toMatchObject({error: {failure: {certainty: 'indefinite', operationId: answers[2].operation}}});
    expect(options[0]?.operationIds).toEqual(answers.map(answer => answer.operation));
    expect(requests[0]).toMatchObject({type: 'submit_batch', requestSlot: 42n});
    expect(db.lastLsn).toBe(4n);
  });

  test('a wrong number of results is a protocol error that names every operation', async () => {
    const {db} = scripted({type: 'batch_result', results: []});
    const failed = db.batch([{command: 'revoke', reservation, operationId: operation}]);
    await expect(failed).rejects.toMatchObject({failure: {code: 'protocol_error', operationIds: [operation]}});
  });

  test('an empty batch has no answers', async () => {
    expect(await scripted({type: 'batch_result', results: []}).db.batch([])).toEqual([]);
  });
});

describe('reads', () => {
  test('resource, reservation and lease as views', async () => {
    const history = {createdLsn: 7n, deadlineSlot: 72n, releasedLsn: null, retireAfterSlot: null};
    const numbers = {reservationId: 7n, holderId: idToBigint(holder), state: 'reserved' as const, ...history};
    const {db} = scripted(
      {
        type: 'resource_found',
        resourceId: idToBigint(seat),
        state: 'reserved',
        currentReservationId: 7n,
        version: 1n,
      },
      {type: 'reservation_found', resourceId: idToBigint(seat), ...numbers},
      {type: 'lease_found', leaseEpoch: 1n, resourceIds: [idToBigint(seat), idToBigint(other)], ...numbers},
    );
    const resource = {id: seat, state: 'reserved', reservation, version: 1n};
    const base = {id: reservation, holder, state: 'reserved', ...history};
    expect(await db.getResource(seat)).toEqual({result: 'found', resource});
    expect(await db.getReservation(reservation)).toEqual({result: 'found', reservation: {...base, resource: seat}});
    const lease = {...base, epoch: 1n, resources: [seat, other]};
    expect(await db.getLease(reservation)).toEqual({result: 'found', lease});
  });

  test('absence, retirement and fences are answers', async () => {
    const fence = {requiredLsn: 9n, lastAppliedLsn: null};
    const {db} = scripted(
      {type: 'resource_not_found'},
      {type: 'resource_fence_not_applied', ...fence},
      {type: 'reservation_not_found'},
      {type: 'reservation_retired'},
      {type: 'reservation_fence_not_applied', ...fence},
    );
    expect(await db.getResource(seat)).toEqual({result: 'resource_not_found'});
    expect(await db.getResource(seat)).toEqual({result: 'fence_not_applied', ...fence});
    expect(await db.getReservation(reservation)).toEqual({result: 'reservation_not_found'});
    expect(await db.getLease(reservation)).toEqual({result: 'reservation_retired'});
    expect(await db.getLease(reservation)).toEqual({result: 'fence_not_applied', ...fence});
  });

  test('they wait for the highest lsn that this handle has seen, unless told otherwise', async () => {
    const absent: ApiResponse = {type: 'resource_not_found'};
    const answers = [committed('ok', 8n), committed('already_exists', 3n)];
    const {db, requests} = scripted(absent, ...answers, absent, absent, absent);
    await db.getResource(seat);
    await db.createResource({resource: seat});
    await db.createResource({resource: seat});
    await db.getResource(seat);
    await db.getResource(seat, {requiredLsn: 100n});
    await db.getResource(seat, {requiredLsn: 0n});
    const fences = requests.flatMap(request => (request.type === 'get_resource' ? [request.requiredLsn] : []));
    expect(fences).toEqual([null, 8n, 100n, 0n]);
  });

  test('a halted engine is no answer, and nothing happened', async () => {
    const {db} = scripted({type: 'resource_engine_halted'}, {type: 'reservation_engine_halted'}, {
      type: 'metrics',
    } as never);
    const failure = {code: 'engine_halted', certainty: 'definite'};
    await expect(db.getResource(seat)).rejects.toMatchObject({failure});
    await expect(db.getLease(reservation)).rejects.toMatchObject({failure});
    expect(await db.metrics()).toEqual({});
  });
});

test('signals are handed on; close and disposal end the transport', async () => {
  const {db, options, closed} = scripted({type: 'resource_not_found'});
  const {signal} = new AbortController();
  await db.getResource(seat, {signal});
  expect(options[0]?.signal).toBe(signal);
  await db.close();
  await db[Symbol.asyncDispose]();
  expect(closed()).toBe(2);
  expect(db.clientId).toBe('00000000000000000000000000000009');
  expect(db.currentSlot()).toBe(42n);
});
