/**
 * The one error that the codecs of this package throw for bytes that are no frame of theirs, and its rendering as a
 * frame in the conformance streams (0xE0, code, details). A codec error is the caller's: it is never a response.
 *
 * Values that do not fit their width when encoding are misuse and throw RangeError instead.
 */
import {CODEC} from './constants.ts';
import type {RequestRegisters} from './request_registers.ts';

/** What was wrong with the bytes. `length_too_large` occurs on encode only. */
export type CodecErrorCode =
  | 'buffer_too_short'
  | 'invalid_request_tag'
  | 'invalid_response_tag'
  | 'invalid_enum_value'
  | 'invalid_layout'
  | 'length_too_large';

/** Which closed set an `invalid_enum_value` is not in. */
export type EnumKind =
  | 'optional_u64'
  | 'optional_u128'
  | 'bool'
  | 'submission_failure_code'
  | 'invalid_request_reason'
  | 'submission_error_category'
  | 'resource_state'
  | 'reservation_state'
  | 'recovery_startup_kind'
  | 'result_code'
  | 'slot_overflow_kind';

const NUMBER_OF_CODE: Record<CodecErrorCode, number> = {
  buffer_too_short: CODEC.BUFFER_TOO_SHORT,
  invalid_request_tag: CODEC.INVALID_REQUEST_TAG,
  invalid_response_tag: CODEC.INVALID_RESPONSE_TAG,
  invalid_enum_value: CODEC.INVALID_ENUM_VALUE,
  invalid_layout: CODEC.INVALID_LAYOUT,
  length_too_large: CODEC.LENGTH_TOO_LARGE,
};

/** Bytes that are no frame, or an object that does not fit one. Match `code`, not the message. */
export class CodecError extends Error {
  override readonly name: string = 'CodecError';
  readonly code: CodecErrorCode;
  /** The closed set, with `invalid_enum_value` only. */
  readonly kind: EnumKind | null;
  /** The offending byte (a tag or an enum value), or the length that does not fit; null otherwise. */
  readonly value: number | null;

  constructor(code: CodecErrorCode, kind: EnumKind | null = null, value: number | null = null) {
    super([code, kind, value].filter(part => part !== null).join(' '));
    this.code = code;
    this.kind = kind;
    this.value = value;
  }
}

/** The error object for a nonzero answer of `readRequest`, from the registers it was read into. */
export function requestCodecError(error: number, registers: RequestRegisters): CodecError {
  switch (error) {
    case CODEC.BUFFER_TOO_SHORT:
      return new CodecError('buffer_too_short');
    case CODEC.INVALID_REQUEST_TAG:
      return new CodecError('invalid_request_tag', null, registers.errorValue);
    case CODEC.INVALID_ENUM_VALUE:
      return new CodecError('invalid_enum_value', registers.errorKind, registers.errorValue);
    case CODEC.INVALID_LAYOUT:
      return new CodecError('invalid_layout');
    default:
      throw new RangeError(`${error} is not an error of a request`);
  }
}

/** First byte of a codec error's frame; no response begins with it. */
export const CODEC_ERROR_TAG = 0xe0;

/**
 * The error as the conformance streams write it: 0xE0, code, then the offending byte of a tag or enum value, then the
 * name of the enum in ASCII. The length of `length_too_large` is not in it.
 */
export function codecErrorFrame(error: CodecError): Uint8Array {
  const bytes = [CODEC_ERROR_TAG, NUMBER_OF_CODE[error.code]];
  if (error.value !== null && error.code !== 'length_too_large') bytes.push(error.value);
  for (let i = 0; i < (error.kind?.length ?? 0); i++) bytes.push(error.kind?.charCodeAt(i) ?? 0);
  return Uint8Array.from(bytes);
}
