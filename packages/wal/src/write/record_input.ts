/**
 * The convenient form of a record, and the errors that the statuses of `append` become there.
 */

import {WalError, type WalErrorCode} from '../errors.ts';
import type {RecordScope} from '../format/scope.ts';
import {STATUS, type Status} from './status.ts';

/** A record for `appendRecord`. */
export interface RecordInput {
  /** 0 to 65535; what it means is the caller's business. */
  readonly type: number;
  readonly payload: Uint8Array;
  /** An idempotency key or a logical time. Default 0. */
  readonly stamp?: bigint;
  /** A reader that does not know the type must refuse the log. Default true. */
  readonly required?: boolean;
  /** 8 bits of the caller's that travel with the record. Default 0. */
  readonly note?: number;
  /** Whose record it is. Default: nobody's. */
  readonly scope?: RecordScope;
}

const REFUSALS: Record<Exclude<Status, typeof STATUS.OK>, {code: WalErrorCode; message: string}> = {
  [STATUS.FRAME_FULL]: {code: 'frame_full', message: 'the open frame is full, commit first'},
  [STATUS.RECORD_TOO_LARGE]: {code: 'too_large', message: 'the record is larger than this log takes'},
  [STATUS.STORAGE_FULL]: {code: 'storage_full', message: 'the disk has no space for the next segment'},
  [STATUS.PENDING_FULL]: {code: 'pending_full', message: 'maxPendingBytes are not yet durable, commit first'},
  [STATUS.TOO_MANY_SEGMENTS]: {code: 'too_many_segments', message: 'the log has maxSegments segments, truncate it'},
  [STATUS.LSN_EXHAUSTED]: {code: 'lsn_exhausted', message: 'lsn 2^64 - 1 has been given out'},
};

export function refusal(status: Exclude<Status, typeof STATUS.OK>): WalError {
  const {code, message} = REFUSALS[status];
  return new WalError(code, message);
}
