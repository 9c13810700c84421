/**
 * Records of an engine's log as changes, one by one: for tools that look into a log. The bytes are read by the decoder of
 * the change feed, so that a log looks the same to who reads it as to who subscribed to it.
 *
 * Not here: the feed itself, which never makes an object of a record (engine/change_feed.ts).
 */
import {
  CHANGE_HEADER_MAX,
  CHANGE_ORIGIN,
  type Change,
  CodecError,
  decodeChange,
  putChangeHeader,
  type ReservationId,
  reservationIdFromBigint,
} from '@allocdb/api';
import {
  bigintOfU64,
  COMMAND,
  CommandRegisters,
  DECODE,
  decodeClientCommand,
  hiOf,
  loOf,
  REG,
  RESULT,
} from '@allocdb/core';
import {RECORD_TYPE} from '../engine/command_log.ts';

/** What a record of a log is made of; a cursor's present record is one too. */
export interface EngineRecord {
  readonly lsn: bigint;
  readonly type: number;
  /** The slot at which it was applied. */
  readonly stamp: bigint;
  /** Code of the result that was answered; 0 where it was not noted. */
  readonly note: number;
}

const LOW_BITS = 64n;

/**
 * The change that a record is. `shardId` is the high half of the ids that it granted. Throws CodecError for a record that
 * no engine writes.
 */
export function changeOfRecord(record: EngineRecord, payload: Uint8Array, shardId: bigint): Change {
  const {lsn, stamp, note} = record;
  const ttl = note === RESULT.OK && record.type === RECORD_TYPE.CLIENT_COMMAND ? ttlOf(payload) : null;
  const deadline = stamp + (ttl ?? 0n);
  const header = {
    lsnLo: loOf(lsn),
    lsnHi: hiOf(lsn),
    slotLo: loOf(stamp),
    slotHi: hiOf(stamp),
    origin: originOf(record.type),
    resultCode: note,
    granted: ttl !== null,
    deadlineLo: loOf(deadline),
    deadlineHi: hiOf(deadline),
    shardLo: loOf(shardId),
    shardHi: hiOf(shardId),
  };
  const frame = new Uint8Array(CHANGE_HEADER_MAX + payload.length);
  const at = putChangeHeader(new DataView(frame.buffer), 0, header);
  frame.set(payload, at);
  return decodeChange(frame.subarray(0, at + payload.length));
}

/** Decoded one at a time, and nothing is kept of it. */
const registers: CommandRegisters = new CommandRegisters();

/** The time-to-live that a payload asks for; null for a command that asks for none. */
function ttlOf(payload: Uint8Array): bigint | null {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const isCommand = decodeClientCommand(view, 0, payload.length, registers) === DECODE.NONE;
  const {tag, words} = registers;
  if (!isCommand || (tag !== COMMAND.RESERVE && tag !== COMMAND.RESERVE_BUNDLE)) return null;
  return bigintOfU64(words[REG.AMOUNT] ?? 0, words[REG.AMOUNT + 1] ?? 0);
}

/** The id of the reservation that a reserve at this lsn granted. */
export function reservationOf(shardId: bigint, lsn: bigint): ReservationId {
  return reservationIdFromBigint((shardId << LOW_BITS) | lsn);
}

function originOf(type: number): number {
  if (type === RECORD_TYPE.CLIENT_COMMAND) return CHANGE_ORIGIN.CLIENT;
  if (type === RECORD_TYPE.INTERNAL_COMMAND) return CHANGE_ORIGIN.INTERNAL;
  throw new CodecError('invalid_layout');
}
