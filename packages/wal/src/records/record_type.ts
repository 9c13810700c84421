/**
 * A type of record: its number, its name, and the codec between its value and its payload.
 *
 * Invariant: whatever a codec throws on bytes from a log comes out as `malformed`, and a payload over the bound of its type
 * is neither written nor decoded. Not here: which types a log has (`record_registry.ts`).
 */

import {PayloadReader} from './payload_reader.ts';
import {PayloadWriter} from './payload_writer.ts';
import {RecordError} from './record_error.ts';

/** How records of one number are written and read. Make one with `defineRecordType`. */
export interface RecordType<T, N extends string = string> {
  /** u16, stored with each record. */
  readonly id: number;
  readonly name: N;
  /** A reader that does not know the type must refuse the log. */
  readonly required: boolean;
  /** Largest payload. */
  readonly maxBytes: number;
  /** Writes the value; throws `RangeError` for one that cannot be stored. */
  encode(value: T, writer: PayloadWriter): void;
  /** Reads the value; the payload must be used up afterwards. Whatever it throws becomes `malformed`. */
  decode(reader: PayloadReader): T;
}

const U16_MAX = 0xffff;

/** Checks the number and the bounds of a type (`RangeError`) and freezes it. */
export function defineRecordType<T, N extends string>(type: RecordType<T, N>): RecordType<T, N> {
  const {id, name, maxBytes} = type;
  if (!Number.isInteger(id) || id < 0 || id > U16_MAX) throw new RangeError('the number of a record type is a u16');
  if (name === '') throw new RangeError('a record type has a name');
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) throw new RangeError('maxBytes is a count of bytes');
  return Object.freeze({...type});
}

/** A type whose payload is the caller's bytes as they are. */
export function opaqueRecordType<N extends string>(
  type: Pick<RecordType<Uint8Array, N>, 'id' | 'name' | 'required' | 'maxBytes'>,
): RecordType<Uint8Array, N> {
  return defineRecordType({
    ...type,
    encode: (value, writer) => writer.raw(value),
    decode: reader => reader.rest(),
  });
}

/** The payload of a value. Throws `too_large`, and `RangeError` for a value that the type cannot store. */
export function encodePayload<T>(type: RecordType<T>, value: T): Uint8Array {
  const writer = new PayloadWriter(type.maxBytes);
  try {
    type.encode(value, writer);
  } catch (cause) {
    if (!(cause instanceof RecordError) || cause.code !== 'too_large') throw cause;
    const detail = {type: type.id, typeName: type.name, cause};
    throw new RecordError('too_large', `a ${type.name} takes at most ${type.maxBytes} bytes`, detail);
  }
  return writer.finish();
}

/** Where a payload lies, and the lsn for the error where there is one. */
export interface PayloadBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly lsn?: bigint;
}

/** The value of a payload. Throws `malformed` and nothing else. */
export function decodePayload<T>(type: RecordType<T>, payload: Uint8Array | PayloadBytes): T {
  const at = payload instanceof Uint8Array ? {bytes: payload, offset: 0, length: payload.length} : payload;
  try {
    if (at.length > type.maxBytes) throw new RecordError('malformed', `${at.length} bytes, at most ${type.maxBytes}`);
    const reader = new PayloadReader(at.bytes, at.offset, at.length);
    const value = type.decode(reader);
    reader.end();
    return value;
  } catch (cause) {
    const lsn = at.lsn === undefined ? {} : {lsn: at.lsn};
    const detail = {type: type.id, typeName: type.name, cause, ...lsn};
    throw new RecordError('malformed', `a ${type.name} that its codec does not read`, detail);
  }
}
