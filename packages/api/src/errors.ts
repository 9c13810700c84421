/**
 * The one error that means "no answer". An answer, refusals included, is a resolved value; misuse is TypeError or
 * RangeError; everything else is an AllocDbError that says whether anything may have happened.
 *
 * It is recognised by a mark, not by its class, so that two copies of this package in one process agree. Certainty is
 * about effects: a read has none, so the failure of a read is always definite.
 */
import {isIndefinite, type SubmissionFailure} from './api_response.ts';
import type {ConnectionErrorName} from './constants.ts';
import type {OperationId} from './ids.ts';

/** Failures that the database itself reports. */
export type DatabaseFailureCode = SubmissionFailure['code'];

/** Failures of the way to the database, this process included. */
export type LocalFailureCode =
  /** The call's signal fired. */
  | 'aborted'
  /** This handle was closed. */
  | 'closed'
  /** The server could not be reached, or did not complete the handshake. */
  | 'connect_failed'
  | 'connect_timed_out'
  /** The connection ended before the answer came. */
  | 'connection_lost'
  /** The log does not reach back to the lsn that a feed was to begin with; `failure.oldestLsn` says from where it does. */
  | 'lsn_not_retained'
  /** A feed was to begin further than one beyond the last durable lsn: it is of another database. */
  | 'lsn_ahead'
  /** The log is damaged where it was to be read. */
  | 'log_damaged'
  /** A held lease is over, or may be by its holder's own clock: the reason of its signal. */
  | 'lease_lost'
  /** No answer within the retry budget. */
  | 'timed_out'
  /** The other side said something that the protocol does not allow. */
  | 'protocol_error';

/** Why there is no answer. */
export type FailureCode = DatabaseFailureCode | ConnectionErrorName | LocalFailureCode;

/**
 * What is known without an answer. Definite: nothing happened and nothing will. Indefinite: it may have happened, or
 * still happen; send the same command with the same operation id again, and the answer is that of the one execution.
 */
export type Failure =
  | {readonly code: FailureCode; readonly certainty: 'definite'; readonly oldestLsn?: bigint}
  | {
      readonly code: FailureCode;
      readonly certainty: 'indefinite';
      /** The operation to repeat; of a batch, its first one. */
      readonly operationId: OperationId;
      /** All operations of the call, in order: one for a command, all of a batch. */
      readonly operationIds: readonly OperationId[];
    };

const MARK: symbol = Symbol.for('@allocdb/api/AllocDbError');

/** No answer. Match `code` and `failure.certainty`; use `isAllocDbError` to recognise it. */
export class AllocDbError extends Error {
  override readonly name: string = 'AllocDbError';
  readonly code: FailureCode;
  readonly failure: Failure;
  /** The numbers that came with a failure of the database, such as queue depth; null for any other. */
  readonly detail: SubmissionFailure | null;

  constructor(failure: Failure, message: string, options: {detail?: SubmissionFailure; cause?: unknown} = {}) {
    super(message, 'cause' in options ? {cause: options.cause} : undefined);
    this.code = failure.code;
    this.failure = failure;
    this.detail = options.detail ?? null;
    Object.defineProperty(this, MARK, {value: true});
  }
}

/** True for an AllocDbError, also one made by another copy of this package. */
export function isAllocDbError(value: unknown): value is AllocDbError {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[MARK] === true;
}

/** A definite failure: nothing happened. */
export function definiteFailure(code: FailureCode): Failure {
  return {code, certainty: 'definite'};
}

/** An indefinite failure of these operations; definite when there are none, as for a read or an empty batch. */
export function indefiniteFailure(code: FailureCode, operationIds: readonly OperationId[]): Failure {
  const [operationId] = operationIds;
  if (operationId === undefined) return definiteFailure(code);
  return {code, certainty: 'indefinite', operationId, operationIds};
}

const MESSAGES: Record<DatabaseFailureCode, string> = {
  engine_halted: 'the engine has halted',
  invalid_request: 'the command is malformed',
  slot_overflow: 'a slot would not fit 64 bits',
  command_too_large: 'the command is longer than the database allows',
  lsn_exhausted: 'no log sequence number is left',
  overloaded: 'the queue is full',
  storage_failure: 'the log could not be written or synced',
  storage_full: 'the disk is full',
};

function describe(failure: SubmissionFailure): string {
  switch (failure.code) {
    case 'invalid_request':
      return failure.reason === 'invalid_command_tag' ? `${failure.reason} ${failure.commandTag}` : failure.reason;
    case 'slot_overflow':
      return `${failure.kind}, slot ${failure.requestSlot} + ${failure.delta}`;
    case 'command_too_large':
      return `${failure.encodedLen} of at most ${failure.maxCommandBytes} bytes`;
    case 'lsn_exhausted':
      return `last is ${failure.lastAppliedLsn}`;
    case 'overloaded':
      return `${failure.queueDepth} of ${failure.queueCapacity} commands`;
    default:
      return '';
  }
}

/** The error for a failure that the database reported, with the certainty that its category says. */
export function databaseError(detail: SubmissionFailure, operationIds: readonly OperationId[]): AllocDbError {
  const {code} = detail;
  const failure = isIndefinite(detail) ? indefiniteFailure(code, operationIds) : definiteFailure(code);
  const more = describe(detail);
  return new AllocDbError(failure, more === '' ? MESSAGES[code] : `${MESSAGES[code]}: ${more}`, {detail});
}
