/**
 * Between the JSON of commands and those of the facade: fields of a body become a command, an answer becomes a status and a
 * body. Pure. A route and a member of a batch go through the same functions, so that both answer alike.
 */
import {
  type AnswerByCommand,
  type BatchCommand,
  holderId,
  newOperationId,
  type OperationId,
  operationId,
  operationIdFrom,
  reservationId,
  resourceId,
} from '@allocdb/api';
import {u64Of} from './fields.ts';
import {type Problem, problemOf} from './problem.ts';
import {isRefusal} from './problem_table.ts';

/** What to hold, for whom, and for how long: a body that its schema let through. */
export interface ReserveFields {
  readonly resource?: string | undefined;
  readonly resources?: readonly string[] | undefined;
  readonly holder: string;
  readonly ttl_slots?: string | number | undefined;
  readonly ttl_ms?: string | number | undefined;
}

/** Whose reservation it is, and as of which epoch. */
export interface HolderFields {
  readonly holder: string;
  readonly epoch?: string | number | undefined;
}

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const ID = /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** The operation that an idempotency key names: itself where it is an id, else the one derived from it. */
export function operationOfKey(key: string | undefined): OperationId {
  if (key === undefined) return newOperationId();
  return ID.test(key) ? operationId(key) : operationIdFrom(key);
}

/** A reserve of one resource, or a bundle of what is listed: two commands also where the list has one. */
export function reserveCommand(fields: ReserveFields, operation: OperationId, slotDurationMs: number): BatchCommand {
  const {resource, resources = [], holder} = fields;
  const common = {holder: holderId(holder), ttlSlots: ttlSlotsOf(fields, slotDurationMs), operationId: operation};
  return resource === undefined
    ? {command: 'reserve_bundle', resources: resources.map(resourceId), ...common}
    : {command: 'reserve', resource: resourceId(resource), ...common};
}

/**
 * Slots that last at least as long as was asked for. A hold taken late in a slot ends up to a slot early by the clock on
 * the wall, so it gets one more: `ttl_ms` is kept, and exceeded by at most two slots.
 */
function ttlSlotsOf({ttl_slots: slots, ttl_ms: ms}: ReserveFields, slotDurationMs: number): bigint {
  if (slots !== undefined) return u64Of(slots);
  // Where a number rounds, above 2^53, no database has room for such a hold anyway.
  const wanted = Number(ms ?? 0);
  const least = BigInt(Math.ceil(wanted / slotDurationMs));
  if (least === 0n) return 0n;
  return least < U64_MAX ? least + 1n : U64_MAX;
}

/** A confirm or a release. */
export function holderCommand(
  command: 'confirm' | 'release',
  reservation: string,
  fields: HolderFields,
  operation: OperationId,
): BatchCommand {
  const {holder, epoch} = fields;
  return {
    command,
    reservation: reservationId(reservation),
    holder: holderId(holder),
    operationId: operation,
    ...(epoch === undefined ? {} : {epoch: u64Of(epoch)}),
  };
}

/** What a command is answered with. */
export interface CommandReply {
  readonly status: number;
  readonly body: Problem | Readonly<Record<string, unknown>>;
}

/** Status and body of an answer. */
export function replyOf(command: BatchCommand, answer: AnswerByCommand[BatchCommand['command']]): CommandReply {
  const base = {lsn: String(answer.lsn), operation: answer.operation, from_retry_cache: answer.fromRetryCache};
  if (isRefusal(answer.result)) {
    const body = problemOf(answer.result, base);
    return {status: body.status, body};
  }
  const {result} = answer;
  if (answer.result === 'reserved') {
    const {id, epoch, deadlineSlot, holder, resources} = answer.lease;
    const reservation = {id, epoch: String(epoch), deadline_slot: String(deadlineSlot), holder, resources};
    return {status: 201, body: {result, reservation, ...base}};
  }
  if (command.command === 'create_resource') {
    return {status: 201, body: {result, resource: resourceId(command.resource), ...base}};
  }
  const reservation = 'reservation' in command ? reservationId(command.reservation) : null;
  return {status: 200, body: {result, reservation, ...base}};
}
