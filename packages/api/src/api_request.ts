/**
 * Requests as objects: what clients write, tests compare and tools print. Ids are u128, lsns and slots u64, all bigint;
 * an absent value is null. Decoding goes through `readRequest`, so that both levels accept exactly the same bytes.
 *
 * A submit carries its command as bytes (`encodeClientRequest` of the core codec makes them): whether they are a command
 * is for the engine to say.
 */
import {RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES} from '@allocdb/core';
import type {ReservationStateName, ResourceStateName} from './api_response.ts';
import {checkNumber, checkU64, codeOf, setU64, setU128} from './bigint_lanes.ts';
import {CodecError, requestCodecError} from './codec_error.ts';
import {CODEC, COUNT_MAX, REQUEST} from './constants.ts';
import {FieldReader, viewOf} from './field_reader.ts';
import {RequestRegisters, readRequest} from './request_registers.ts';
import {unreachable} from './unreachable.ts';

const U32_MAX = 0xffff_ffff;

/** A request to the database. `requiredLsn` of a read: answered only when that lsn is applied and durable. */
export type ApiRequest =
  | {type: 'submit'; requestSlot: bigint; payload: Uint8Array}
  | {type: 'submit_batch'; requestSlot: bigint; payloads: readonly Uint8Array[]}
  | {type: 'get_resource'; requiredLsn: bigint | null; resourceId: bigint}
  | {type: 'get_reservation' | 'get_lease'; requiredLsn: bigint | null; currentSlot: bigint; reservationId: bigint}
  | {type: 'get_metrics' | 'tick_expirations'; currentWallClockSlot: bigint}
  | ({type: 'scan_resources'; state: ResourceStateName | null} & ScanRange)
  | ({
      type: 'scan_reservations';
      currentSlot: bigint;
      /** Null for everybody's. */
      holderId: bigint | null;
      state: ReservationStateName | null;
    } & ScanRange);

/** Which page of a scan. Its `state` is null for any. */
interface ScanRange {
  requiredLsn: bigint | null;
  /** 0n for the first page, then what the page before names as `next`. */
  position: bigint;
  /** Most to show, u16; 0 for as many as a page takes. */
  limit: number;
}

function setPayload(bytes: Uint8Array, view: DataView, offset: number, payload: Uint8Array): number {
  view.setUint32(offset, payload.byteLength, true);
  bytes.set(payload, offset + 4);
  return offset + 4 + payload.byteLength;
}

function setFence(view: DataView, offset: number, requiredLsn: bigint | null): number {
  view.setUint8(offset, requiredLsn === null ? 0 : 1);
  return requiredLsn === null ? offset + 1 : setU64(view, offset + 1, requiredLsn, 'requiredLsn');
}

function setScanEnd(view: DataView, offset: number, state: number, {position, limit}: ScanRange): void {
  view.setUint8(offset, state);
  view.setUint16(setU64(view, offset + 1, position, 'position'), checkNumber(limit, COUNT_MAX, 'limit'), true);
}

/** 0 stands for any state. */
function stateCode(names: readonly string[], state: string | null): number {
  return state === null ? 0 : codeOf(names, state, 'state');
}

function requestBytes(request: ApiRequest): number {
  switch (request.type) {
    case 'submit':
      if (request.payload.byteLength > U32_MAX) {
        throw new CodecError('length_too_large', null, request.payload.byteLength);
      }
      return 13 + request.payload.byteLength;
    case 'submit_batch': {
      const count = request.payloads.length;
      if (count > COUNT_MAX) throw new CodecError('length_too_large', null, count);
      let bytes = 11;
      for (const payload of request.payloads) {
        if (payload.byteLength > U32_MAX) throw new CodecError('length_too_large', null, payload.byteLength);
        bytes += 4 + payload.byteLength;
      }
      return bytes;
    }
    case 'get_resource':
      return request.requiredLsn === null ? 18 : 26;
    case 'get_reservation':
    case 'get_lease':
      return request.requiredLsn === null ? 26 : 34;
    case 'get_metrics':
    case 'tick_expirations':
      return 9;
    case 'scan_resources':
      return request.requiredLsn === null ? 13 : 21;
    case 'scan_reservations':
      return (request.requiredLsn === null ? 22 : 30) + (request.holderId === null ? 0 : 16);
    default:
      return unreachable(request, 'request');
  }
}

/**
 * Encodes a request, without length prefix. Throws CodecError `length_too_large` when a payload or a batch does not fit
 * its prefix, RangeError when an id, lsn or slot does not fit its width or a state is none.
 */
export function encodeRequest(request: ApiRequest): Uint8Array {
  const bytes = new Uint8Array(requestBytes(request));
  const view = viewOf(bytes);
  switch (request.type) {
    case 'submit':
      bytes[0] = REQUEST.SUBMIT;
      setPayload(bytes, view, setU64(view, 1, request.requestSlot, 'requestSlot'), request.payload);
      return bytes;
    case 'submit_batch': {
      bytes[0] = REQUEST.SUBMIT_BATCH;
      let at = setU64(view, 1, request.requestSlot, 'requestSlot');
      view.setUint16(at, request.payloads.length, true);
      at += 2;
      for (const payload of request.payloads) at = setPayload(bytes, view, at, payload);
      return bytes;
    }
    case 'get_resource':
      bytes[0] = REQUEST.GET_RESOURCE;
      setU128(view, setFence(view, 1, request.requiredLsn), request.resourceId, 'resourceId');
      return bytes;
    case 'get_reservation':
    case 'get_lease': {
      bytes[0] = request.type === 'get_lease' ? REQUEST.GET_LEASE : REQUEST.GET_RESERVATION;
      const at = setU64(view, setFence(view, 1, request.requiredLsn), request.currentSlot, 'currentSlot');
      setU128(view, at, request.reservationId, 'reservationId');
      return bytes;
    }
    case 'get_metrics':
    case 'tick_expirations':
      bytes[0] = request.type === 'get_metrics' ? REQUEST.GET_METRICS : REQUEST.TICK_EXPIRATIONS;
      view.setBigUint64(1, checkU64(request.currentWallClockSlot, 'currentWallClockSlot'), true);
      return bytes;
    case 'scan_resources': {
      bytes[0] = REQUEST.SCAN_RESOURCES;
      const at = setFence(view, 1, request.requiredLsn);
      setScanEnd(view, at, stateCode(RESOURCE_STATE_NAMES, request.state), request);
      return bytes;
    }
    case 'scan_reservations': {
      bytes[0] = REQUEST.SCAN_RESERVATIONS;
      const {holderId} = request;
      const at = setU64(view, setFence(view, 1, request.requiredLsn), request.currentSlot, 'currentSlot');
      view.setUint8(at, holderId === null ? 0 : 1);
      const stateAt = holderId === null ? at + 1 : setU128(view, at + 1, holderId, 'holderId');
      setScanEnd(view, stateAt, stateCode(RESERVATION_STATE_NAMES, request.state), request);
      return bytes;
    }
    default:
      return unreachable(request, 'request');
  }
}

/** Decodes a request frame, without length prefix; payloads are copied. Throws CodecError and nothing else. */
export function decodeRequest(frame: Uint8Array): ApiRequest {
  const view = viewOf(frame);
  const registers = new RequestRegisters();
  const error = readRequest(view, 0, frame.byteLength, registers);
  if (error !== CODEC.NONE) throw requestCodecError(error, registers);
  const fields = new FieldReader(view, 1, frame.byteLength - 1);
  switch (registers.tag) {
    case REQUEST.SUBMIT:
      return {type: 'submit', requestSlot: fields.u64(), payload: fields.bytes(fields.u32())};
    case REQUEST.SUBMIT_BATCH: {
      const requestSlot = fields.u64();
      const payloads = Array.from({length: fields.u16()}, () => fields.bytes(fields.u32()));
      return {type: 'submit_batch', requestSlot, payloads};
    }
    case REQUEST.GET_RESOURCE:
      return {type: 'get_resource', requiredLsn: fields.opt64(), resourceId: fields.u128()};
    case REQUEST.GET_RESERVATION:
    case REQUEST.GET_LEASE: {
      const type = registers.tag === REQUEST.GET_LEASE ? 'get_lease' : 'get_reservation';
      return {type, requiredLsn: fields.opt64(), currentSlot: fields.u64(), reservationId: fields.u128()};
    }
    case REQUEST.SCAN_RESOURCES: {
      const requiredLsn = fields.opt64();
      const state = fields.nameOrNull(RESOURCE_STATE_NAMES, 'resource_state');
      return {type: 'scan_resources', requiredLsn, state, position: fields.u64(), limit: fields.u16()};
    }
    case REQUEST.SCAN_RESERVATIONS: {
      const read = {requiredLsn: fields.opt64(), currentSlot: fields.u64(), holderId: fields.opt128()};
      const state = fields.nameOrNull(RESERVATION_STATE_NAMES, 'reservation_state');
      return {type: 'scan_reservations', ...read, state, position: fields.u64(), limit: fields.u16()};
    }
    default: {
      const type = registers.tag === REQUEST.GET_METRICS ? 'get_metrics' : 'tick_expirations';
      return {type, currentWallClockSlot: fields.u64()};
    }
  }
}
