/**
 * The one error class of the package, with a closed set of codes.
 *
 * Match `error.code`, not the message and not `instanceof`. An error about bytes on disk names where they are and by
 * what evidence they are wrong. Misuse of an argument is a `RangeError` or `TypeError` and has no code.
 * Refusals that a caller meets in normal work (a full frame, a full disk) are statuses of `append`, not errors.
 */

/**
 * - `corruption`: bytes that are known to have been durable are damaged; no file has been changed
 * - `gap`: an intact frame or segment begins at another lsn than the log before it ends with
 * - `missing_segment`: a segment between two others, or one that a read starts in, is not there
 * - `missing_log`: the log is known to exist (a floor, a `clean` file), and no segment is there
 * - `locked`: a living process holds the directory; `holderPid` names it when it could be read
 * - `lock_unavailable`: the lock could not be tried (no flock(1) on this machine)
 * - `unsupported_version`: written by a newer version of this package
 * - `too_large`: a frame on disk is larger than `maxReadFrameBytes` allows, or a record larger than the log takes
 * - `storage_full`: no space for the segment; definite, nothing was written
 * - `lsn_exhausted`: lsn 2^64 - 1 has been given out
 * - `frame_full`: the open frame cannot take the record; commit first
 * - `pending_full`: `maxPendingBytes` are appended and not yet durable; commit first
 * - `too_many_segments`: the log has `maxSegments` segments; truncate it
 * - `io`: the operating system failed a call outside the write path (see `cause`)
 * - `failed`: a write or sync failed earlier (see `cause`); what was not yet durable is in doubt, open the log again
 * - `busy`: a synchronous commit, marker or close was asked for while a frame is being written
 * - `not_empty`: the target of a copy holds files
 * - `closed`: the log was closed
 */
export type WalErrorCode =
  | 'corruption'
  | 'gap'
  | 'missing_segment'
  | 'missing_log'
  | 'locked'
  | 'lock_unavailable'
  | 'unsupported_version'
  | 'too_large'
  | 'storage_full'
  | 'lsn_exhausted'
  | 'frame_full'
  | 'pending_full'
  | 'too_many_segments'
  | 'io'
  | 'failed'
  | 'busy'
  | 'not_empty'
  | 'closed';

/** Where and why; whatever does not apply is absent. */
export interface WalErrorDetail {
  readonly segment?: string;
  readonly offset?: number;
  readonly lsn?: bigint;
  readonly evidence?: string;
  readonly holderPid?: number | null;
  readonly cause?: unknown;
}

/** Every failure this package reports. */
export class WalError extends Error {
  override readonly name: string = 'WalError';
  readonly code: WalErrorCode;
  /**
   * Whether what was asked for may have happened. `indefinite` is what waited for a commit of a log that then failed:
   * opening it again tells. Later calls on a failed log throw the same error; they themselves have done nothing. Every
   * other error is `definite`: nothing was appended, nothing was changed.
   */
  readonly certainty: 'definite' | 'indefinite';
  /** File name of the segment that the error is about. */
  readonly segment: string | null;
  /** Byte offset in that segment. */
  readonly offset: number | null;
  /** The lsn that the damaged bytes would have had, or that is missing. */
  readonly lsn: bigint | null;
  /** What proves it. */
  readonly evidence: string | null;
  /** For `locked`: the process that holds the lock, or null when the lock file names none that lives. */
  readonly holderPid: number | null;

  constructor(code: WalErrorCode, message: string, detail: WalErrorDetail = {}) {
    const place = detail.segment === undefined ? '' : ` [${detail.segment} at ${detail.offset ?? 0}]`;
    const reason = detail.evidence === undefined ? '' : `: ${detail.evidence}`;
    super(`${message}${place}${reason}`, detail.cause === undefined ? undefined : {cause: detail.cause});
    this.code = code;
    this.certainty = code === 'failed' ? 'indefinite' : 'definite';
    this.segment = detail.segment ?? null;
    this.offset = detail.offset ?? null;
    this.lsn = detail.lsn ?? null;
    this.evidence = detail.evidence ?? null;
    this.holderPid = detail.holderPid ?? null;
  }
}

/** True for an error of this package, whichever copy of it threw. */
export function isWalError(error: unknown): error is WalError {
  return error instanceof Error && error.name === 'WalError';
}

/** Runs file operations outside the write path; what the system refuses becomes `io`. */
export function guardIo<T>(doing: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw isWalError(error) ? error : ioError(doing, error);
  }
}

export function ioError(doing: string, cause: unknown): WalError {
  return new WalError('io', `${doing} failed`, {evidence: systemText(cause), cause});
}

export function systemCode(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

export function isDiskFull(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** True where the process or the system has no handle left to open a file with: nothing was begun. */
export function isOutOfHandles(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

export function systemText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
