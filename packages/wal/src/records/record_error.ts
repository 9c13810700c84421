/**
 * The one error class of typed records, with a closed set of codes: what is wrong with a record or its value.
 *
 * Match `error.code`. What is wrong with the log itself stays a `WalError`, and a value outside its field's width is the
 * caller's mistake and a `RangeError`.
 */

/**
 * - `unknown_type`: a required record of a type that the registry does not have; the log must not be read past it
 * - `malformed`: the payload is not one that the type's codec writes (see `cause`)
 * - `too_large`: the encoded value is longer than its type allows; nothing was appended
 * - `no_handler`: a replay met a required data record and was given no handler for its type
 * - `ids_exhausted`: surrogate 2^32 - 1 has been given out
 */
export type RecordErrorCode = 'unknown_type' | 'malformed' | 'too_large' | 'no_handler' | 'ids_exhausted';

/** Which record; whatever does not apply is absent. */
export interface RecordErrorDetail {
  readonly lsn?: bigint;
  readonly type?: number;
  readonly typeName?: string;
  readonly cause?: unknown;
}

/** Every refusal of a typed record. */
export class RecordError extends Error {
  override readonly name: string = 'RecordError';
  readonly code: RecordErrorCode;
  /** The record's lsn; null where it has none yet, or none is known. */
  readonly lsn: bigint | null;
  /** The number of its type. */
  readonly type: number | null;
  readonly typeName: string | null;

  constructor(code: RecordErrorCode, message: string, detail: RecordErrorDetail = {}) {
    const place = detail.lsn === undefined ? '' : ` [lsn ${detail.lsn}]`;
    super(`${message}${place}`, detail.cause === undefined ? undefined : {cause: detail.cause});
    this.code = code;
    this.lsn = detail.lsn ?? null;
    this.type = detail.type ?? null;
    this.typeName = detail.typeName ?? null;
  }
}

/** True for a `RecordError`, whichever copy of the package threw it. */
export function isRecordError(error: unknown): error is RecordError {
  return error instanceof Error && error.name === 'RecordError';
}
