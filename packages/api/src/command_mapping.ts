/**
 * Between the facade's commands and the wire's: inputs are checked and turned into payloads, responses into answers.
 * Pure; it sends nothing and remembers nothing.
 *
 * A response that the command cannot have (a busy resource for a create) means that the two sides disagree about the
 * protocol. It is told as `protocol_error`, not dressed up as an answer.
 */
import {type ClientRequest, type Command, encodeClientRequest, type ResultName} from '@allocdb/core';
import type {AnswerBase, AnswerByCommand, BatchCommand, GrantedLease} from './answers.ts';
import type {SubmitResponse} from './api_response.ts';
import {checkU64} from './bigint_lanes.ts';
import {AllocDbError, databaseError, indefiniteFailure} from './errors.ts';
import {
  holderId,
  idToBigint,
  newOperationId,
  type OperationId,
  operationId,
  reservationId,
  reservationIdFromBigint,
  resourceId,
} from './ids.ts';
import {unreachable} from './unreachable.ts';

const ANY: readonly ResultName[] = ['operation_conflict', 'operation_table_full'];
const RESERVATION: readonly ResultName[] = [...ANY, 'reservation_not_found', 'reservation_retired', 'invalid_state'];
const HOLDER: readonly ResultName[] = [...RESERVATION, 'holder_mismatch', 'stale_epoch'];
const RESERVE: readonly ResultName[] = [
  ...ANY,
  'bundle_too_large',
  'ttl_out_of_range',
  'resource_busy',
  'resource_not_found',
  'reservation_table_full',
  'slot_overflow',
  'expiration_index_full',
];

/** By command: what `ok` is called, and the refusals that it can meet. */
const RESULTS: Record<BatchCommand['command'], {ok: string; refusals: ReadonlySet<ResultName>}> = {
  create_resource: {ok: 'created', refusals: new Set([...ANY, 'already_exists', 'resource_table_full'])},
  reserve: {ok: 'reserved', refusals: new Set(RESERVE)},
  reserve_bundle: {ok: 'reserved', refusals: new Set(RESERVE)},
  confirm: {ok: 'confirmed', refusals: new Set(HOLDER)},
  release: {ok: 'released', refusals: new Set(HOLDER)},
  revoke: {ok: 'revoking', refusals: new Set(RESERVATION)},
  reclaim: {ok: 'reclaimed', refusals: new Set(RESERVATION)},
};

/** Epoch of a reservation when it is granted. */
const FIRST_EPOCH = 1n;

function slotsOf(value: bigint | number, field: string): bigint {
  if (typeof value !== 'number') return checkU64(value, field);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${field} must be a whole number of slots, got ${value}`);
  }
  return BigInt(value);
}

function commandOf(input: BatchCommand): Command {
  switch (input.command) {
    case 'create_resource':
      return {kind: 'create_resource', resourceId: idToBigint(resourceId(input.resource))};
    case 'reserve':
      return {
        kind: 'reserve',
        resourceId: idToBigint(resourceId(input.resource)),
        holderId: idToBigint(holderId(input.holder)),
        ttlSlots: slotsOf(input.ttlSlots, 'ttlSlots'),
      };
    case 'reserve_bundle':
      return {
        kind: 'reserve_bundle',
        resourceIds: input.resources.map(id => idToBigint(resourceId(id))),
        holderId: idToBigint(holderId(input.holder)),
        ttlSlots: slotsOf(input.ttlSlots, 'ttlSlots'),
      };
    case 'confirm':
    case 'release': {
      const ids = {
        reservationId: idToBigint(reservationId(input.reservation)),
        holderId: idToBigint(holderId(input.holder)),
      };
      if (input.epoch === undefined) return {kind: input.command, ...ids};
      return {kind: `${input.command}_fenced`, ...ids, leaseEpoch: checkU64(input.epoch, 'epoch')};
    }
    case 'revoke':
    case 'reclaim':
      return {kind: input.command, reservationId: idToBigint(reservationId(input.reservation))};
    default:
      return unreachable(input, 'command');
  }
}

/** A command ready to be sent, and what is needed to read its answer. */
export interface PreparedCommand {
  input: BatchCommand;
  operation: OperationId;
  payload: Uint8Array;
}

/** Checks a command and encodes its payload. Throws TypeError or RangeError naming the argument. */
export function prepareCommand(input: BatchCommand, clientId: bigint): PreparedCommand {
  const operation = input.operationId === undefined ? newOperationId() : operationId(input.operationId);
  const request: ClientRequest = {operationId: idToBigint(operation), clientId, command: commandOf(input)};
  return {input, operation, payload: encodeClientRequest(request)};
}

/** The error for a response that the request cannot have. */
export function protocolError(found: string, operationIds: readonly OperationId[]): AllocDbError {
  return new AllocDbError(indefiniteFailure('protocol_error', operationIds), `unexpected response: ${found}`);
}

function leaseOf(input: BatchCommand, response: SubmitResponse & {type: 'submit_committed'}): GrantedLease | null {
  if (input.command !== 'reserve' && input.command !== 'reserve_bundle') return null;
  if (response.reservationId === null || response.deadlineSlot === null) return null;
  const resources = input.command === 'reserve' ? [input.resource] : input.resources;
  return {
    id: reservationIdFromBigint(response.reservationId),
    epoch: FIRST_EPOCH,
    deadlineSlot: response.deadlineSlot,
    holder: holderId(input.holder),
    resources: resources.map(resourceId),
  };
}

/** The answer that a response is for this command, or the error that it is. */
export function answerOf(
  prepared: PreparedCommand,
  response: SubmitResponse,
): AnswerByCommand[BatchCommand['command']] | AllocDbError {
  const {input, operation} = prepared;
  if (response.type === 'submit_rejected') return databaseError(response.failure, [operation]);
  const {ok, refusals} = RESULTS[input.command];
  const base: AnswerBase = {lsn: response.appliedLsn, operation, fromRetryCache: response.fromRetryCache};
  if (response.resultCode !== 'ok') {
    if (!refusals.has(response.resultCode)) {
      return protocolError(`${response.resultCode} to ${input.command}`, [operation]);
    }
    return {result: response.resultCode, ...base} as AnswerByCommand[BatchCommand['command']];
  }
  if (ok !== 'reserved') return {result: ok, ...base} as AnswerByCommand[BatchCommand['command']];
  const lease = leaseOf(input, response);
  if (lease === null) return protocolError(`${input.command} granted without reservation`, [operation]);
  return {result: 'reserved', lease, ...base};
}
