/**
 * The frames that begin and end a change feed on a connection: subscribe, which turns a connection into a feed, and the
 * end, which says why no further change will come and from which lsn the log can still be read.
 */
import {checkNumber, setU64} from './bigint_lanes.ts';
import {CodecError} from './codec_error.ts';
import {CONNECTION_FRAME, COUNT_MAX} from './constants.ts';
import {FieldReader, viewOf} from './field_reader.ts';

/** Why a feed ends, in the frame that ends it. */
export const FEED_END = {
  /** The log does not reach back to the lsn asked for, or truncation has passed a reader that was too slow. */
  NOT_RETAINED: 1,
  /** The lsn asked for is further than one beyond the last durable one: it is of another database. */
  LSN_AHEAD: 2,
  /** The engine has halted. */
  ENGINE_HALTED: 3,
  /** The log cannot be read there. */
  LOG_DAMAGED: 4,
} as const;

/** The end of a feed. `code` is one of FEED_END, or a number that this version does not know. */
export interface FeedEnd {
  code: number;
  /** The first lsn from which a feed can begin. */
  oldestLsn: bigint;
}

/** Encodes a subscription to every change from `from` on. Throws RangeError for what is no u64. */
export function encodeSubscribe(from: bigint): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = CONNECTION_FRAME.SUBSCRIBE;
  setU64(viewOf(bytes), 1, from, 'from');
  return bytes;
}

/** Decodes a subscription into the lsn from which it is to begin. Throws CodecError for anything else. */
export function decodeSubscribe(frame: Uint8Array): bigint {
  const fields = fieldsOf(frame, CONNECTION_FRAME.SUBSCRIBE);
  const from = fields.u64();
  fields.finish();
  return from;
}

/** Encodes the end of a feed. Throws RangeError when a field does not fit its width. */
export function encodeFeedEnd(end: FeedEnd): Uint8Array {
  const bytes = new Uint8Array(11);
  const view = viewOf(bytes);
  bytes[0] = CONNECTION_FRAME.FEED_END;
  view.setUint16(1, checkNumber(end.code, COUNT_MAX, 'code'), true);
  setU64(view, 3, end.oldestLsn, 'oldestLsn');
  return bytes;
}

/** Decodes the end of a feed. Throws CodecError for anything else. */
export function decodeFeedEnd(frame: Uint8Array): FeedEnd {
  const fields = fieldsOf(frame, CONNECTION_FRAME.FEED_END);
  const end = {code: fields.u16(), oldestLsn: fields.u64()};
  fields.finish();
  return end;
}

function fieldsOf(frame: Uint8Array, tag: number): FieldReader {
  const fields = new FieldReader(viewOf(frame), 0, frame.byteLength);
  const found = fields.u8();
  if (found !== tag) throw new CodecError('invalid_request_tag', null, found);
  return fields;
}
