/**
 * The one error class of the coordinator, with a closed set of codes.
 *
 * Match `error.code`, not the message and not `instanceof`. A write that was never applied comes back in `write`, so that
 * the caller can offer it again. Refusals in normal work (no room in a channel) are results of `tryWrite`, not errors.
 */

/**
 * - `shutdown`: the coordinator was stopped before the write was applied, or before its level was reached
 * - `timeout`: no room in the channel within `timeoutMs`; the write was not accepted
 * - `aborted`: the signal fired; only the waiting ended, except that a write without room was not accepted
 * - `apply_failed`: the delta refused the write at `epoch` (see `cause`); the coordinator works on
 * - `delta_failed`: the delta failed outside `apply` (see `cause`); the coordinator is failed
 * - `flush_failed`: `flushDelta` failed (see `cause`); the coordinator is failed
 * - `storage_flush_failed`: `flushStorage` failed (see `cause`); the coordinator is failed
 * - `epochs_exhausted`: the last epoch was given out; the coordinator is failed
 * - `message_lost`: a subscriber had more views unread than it may have; subscribe again
 */
export type CoordinatorErrorCode = 'shutdown' | 'timeout' | 'aborted' | 'apply_failed' | FailureCode | 'message_lost';

/** The codes with which a coordinator fails for good. */
export type FailureCode = 'delta_failed' | 'flush_failed' | 'storage_flush_failed' | 'epochs_exhausted';

/** Whatever does not apply is absent. */
export interface CoordinatorErrorDetail {
  readonly epoch?: number;
  readonly write?: unknown;
  readonly cause?: unknown;
}

/** Every failure the coordinator reports. */
export class CoordinatorError extends Error {
  override readonly name: string = 'CoordinatorError';
  readonly code: CoordinatorErrorCode;
  /** For `apply_failed`: the epoch of the write. */
  readonly epoch: number | null;
  /** A write that is handed back: it was not applied and never will be. Otherwise undefined. */
  readonly write: unknown;

  constructor(code: CoordinatorErrorCode, message: string, detail: CoordinatorErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : {cause: detail.cause});
    this.code = code;
    this.epoch = detail.epoch ?? null;
    this.write = detail.write;
  }
}

/** True for an error of the coordinator, whichever copy of the package threw. */
export function isCoordinatorError(error: unknown): error is CoordinatorError {
  return error instanceof Error && error.name === 'CoordinatorError';
}

/** The same error for one write, which goes back with it. */
export function handingBack(error: CoordinatorError, write: unknown): CoordinatorError {
  return new CoordinatorError(error.code, error.message, {cause: error.cause, write});
}

export function causeText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
