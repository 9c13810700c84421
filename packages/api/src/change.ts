/**
 * A change: one committed command or expiration, as the log has it, with what it was answered. Changes come in lsn order
 * without a gap, refused commands included, so whoever applies those with result `ok` to what a scan showed has the state.
 *
 * On the wire a change is a frame of its own (0xf3): the fields of a committed response, then the payload as it was
 * logged. The writer takes lanes and copies bytes, for feeds that keep up with a busy log; the reader makes objects.
 */
import {decodeClientRequest, RESULT_NAMES, type ResultName} from '@allocdb/core';
import {CodecError} from './codec_error.ts';
import {CONNECTION_FRAME} from './constants.ts';
import {FieldReader, viewOf} from './field_reader.ts';
import {
  type ClientId,
  clientIdFromBigint,
  type HolderId,
  holderIdFromBigint,
  type OperationId,
  operationIdFromBigint,
  type ReservationId,
  type ResourceId,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from './ids.ts';
import {unreachable} from './unreachable.ts';

/** What every change says. */
export interface ChangeBase {
  readonly lsn: bigint;
  /** The slot at which it was applied. */
  readonly slot: bigint;
  /** What was answered; null in a log that was written before answers were noted. Anything but `ok` changed nothing. */
  readonly result: ResultName | null;
}

/** A change that a client asked for. */
export interface ClientChange extends ChangeBase {
  readonly operation: OperationId;
  readonly client: ClientId;
}

/** A resource was created. */
export interface CreateResourceChange extends ClientChange {
  readonly kind: 'create_resource';
  readonly resource: ResourceId;
}
/** Things were held; `lease` is null when that was refused. */
export interface ReserveChange extends ClientChange {
  readonly kind: 'reserve' | 'reserve_bundle';
  readonly resources: readonly ResourceId[];
  readonly holder: HolderId;
  readonly ttlSlots: bigint;
  readonly lease: {readonly id: ReservationId; readonly deadlineSlot: bigint} | null;
}
/** A holder confirmed or gave back; `epoch` is null where none was stated. */
export interface HolderChange extends ClientChange {
  readonly kind: 'confirm' | 'release';
  readonly reservation: ReservationId;
  readonly holder: HolderId;
  readonly epoch: bigint | null;
}
/** A reservation was taken away, or its things became free again. */
export interface RevocationChange extends ClientChange {
  readonly kind: 'revoke' | 'reclaim';
  readonly reservation: ReservationId;
}
/** A hold ended at its deadline; nobody asked for it. */
export interface ExpireChange extends ChangeBase {
  readonly kind: 'expire';
  readonly reservation: ReservationId;
  readonly deadlineSlot: bigint;
}

/** One entry of the log, by `kind`. */
export type Change = CreateResourceChange | ReserveChange | HolderChange | RevocationChange | ExpireChange;

/** Who logged a change: a client's command with its header, or the engine itself. */
export const CHANGE_ORIGIN = {CLIENT: 1, INTERNAL: 2} as const;

const {CLIENT, INTERNAL} = CHANGE_ORIGIN;
/** Tag of the one internal command. */
const EXPIRE = 5;

/** Bytes of a change frame, without its length prefix, beside the payload. */
export const CHANGE_HEADER_MAX: number = 1 + 8 + 8 + 1 + 1 + 17 + 9;

/** A change as numbers: lanes as they lie in a log. `granted` says that deadline and shard mean something. */
export interface ChangeLanes {
  readonly lsnLo: number;
  readonly lsnHi: number;
  readonly slotLo: number;
  readonly slotHi: number;
  readonly origin: number;
  readonly resultCode: number;
  readonly granted: boolean;
  readonly deadlineLo: number;
  readonly deadlineHi: number;
  readonly shardLo: number;
  readonly shardHi: number;
}

/** Writes a change frame up to its payload, which follows at the offset that is returned. */
export function putChangeHeader(view: DataView, offset: number, change: ChangeLanes): number {
  let at = offset;
  view.setUint8(at, CONNECTION_FRAME.CHANGE);
  view.setInt32(at + 1, change.lsnLo, true);
  view.setInt32(at + 5, change.lsnHi, true);
  view.setInt32(at + 9, change.slotLo, true);
  view.setInt32(at + 13, change.slotHi, true);
  view.setUint8(at + 17, change.origin);
  view.setUint8(at + 18, change.resultCode);
  view.setUint8(at + 19, change.granted ? 1 : 0);
  at += 20;
  if (change.granted) {
    view.setInt32(at, change.lsnLo, true);
    view.setInt32(at + 4, change.lsnHi, true);
    view.setInt32(at + 8, change.shardLo, true);
    view.setInt32(at + 12, change.shardHi, true);
    at += 16;
  }
  view.setUint8(at, change.granted ? 1 : 0);
  at += 1;
  if (!change.granted) return at;
  view.setInt32(at, change.deadlineLo, true);
  view.setInt32(at + 4, change.deadlineHi, true);
  return at + 8;
}

/** Reads a change frame. Throws CodecError for anything else. */
export function decodeChange(frame: Uint8Array): Change {
  const fields = new FieldReader(viewOf(frame), 0, frame.byteLength);
  const tag = fields.u8();
  if (tag !== CONNECTION_FRAME.CHANGE) throw new CodecError('invalid_response_tag', null, tag);
  const lsn = fields.u64();
  const slot = fields.u64();
  const origin = fields.u8();
  const result = resultOf(fields.u8());
  const lease = leaseOf(fields.opt128(), fields.opt64());
  const base: ChangeBase = {lsn, slot, result};
  const change =
    origin === CLIENT ? clientChangeOf(base, fields.bytes(fields.left()), lease) : expireOf(origin, base, fields);
  // A lease is what a reservation that was answered ok has, and nothing else.
  const isGranted = (change.kind === 'reserve' || change.kind === 'reserve_bundle') && result === 'ok';
  if (isGranted !== (lease !== null)) throw new CodecError('invalid_layout');
  return change;
}

function leaseOf(id: bigint | null, deadlineSlot: bigint | null): ReserveChange['lease'] {
  if (id !== null && deadlineSlot !== null) return {id: reservationIdFromBigint(id), deadlineSlot};
  if (id !== deadlineSlot) throw new CodecError('invalid_layout');
  return null;
}

function resultOf(code: number): ResultName | null {
  if (code === 0) return null;
  const name = RESULT_NAMES[code];
  if (name === undefined) throw new CodecError('invalid_enum_value', 'result_code', code);
  return name as ResultName;
}

function expireOf(origin: number, base: ChangeBase, fields: FieldReader): ExpireChange {
  if (origin !== INTERNAL || fields.u8() !== EXPIRE) throw new CodecError('invalid_layout');
  const change = {
    kind: 'expire',
    reservation: reservationIdFromBigint(fields.u128()),
    deadlineSlot: fields.u64(),
  } as const;
  fields.finish();
  return {...base, ...change};
}

function clientChangeOf(base: ChangeBase, payload: Uint8Array, lease: ReserveChange['lease']): Change {
  const request = decodeClientRequest(payload);
  if (!('command' in request)) throw new CodecError('invalid_layout');
  const {command} = request;
  const head: ClientChange = {
    ...base,
    operation: operationIdFromBigint(request.operationId),
    client: clientIdFromBigint(request.clientId),
  };
  switch (command.kind) {
    case 'create_resource':
      return {...head, kind: command.kind, resource: resourceIdFromBigint(command.resourceId)};
    case 'reserve':
    case 'reserve_bundle': {
      const ids = command.kind === 'reserve' ? [command.resourceId] : command.resourceIds;
      const {kind, ttlSlots} = command;
      const holder = holderIdFromBigint(command.holderId);
      return {...head, kind, resources: ids.map(resourceIdFromBigint), holder, ttlSlots, lease};
    }
    case 'confirm':
    case 'release':
      return {...head, kind: command.kind, ...subjectOf(command), epoch: null};
    case 'confirm_fenced':
      return {...head, kind: 'confirm', ...subjectOf(command), epoch: command.leaseEpoch};
    case 'release_fenced':
      return {...head, kind: 'release', ...subjectOf(command), epoch: command.leaseEpoch};
    case 'revoke':
    case 'reclaim':
      return {...head, kind: command.kind, reservation: reservationIdFromBigint(command.reservationId)};
    default:
      return unreachable(command, 'command');
  }
}

function subjectOf(command: {reservationId: bigint; holderId: bigint}): {reservation: ReservationId; holder: HolderId} {
  return {
    reservation: reservationIdFromBigint(command.reservationId),
    holder: holderIdFromBigint(command.holderId),
  };
}
