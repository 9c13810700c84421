// API requests as plain objects, and their bytes.
//
// Payloads of submits stay bytes: a payload that does not decode is an answer of the engine, a frame that does not
// decode is the caller's error, and the two must not be confused.
import {ByteReader, ByteWriter, CodecError} from './bytes.ts';
import {RESERVATION_STATES, RESOURCE_STATES, type ReservationState, type ResourceState, wireNumber} from './codes.ts';

/** Which page of a scan. */
interface ScanRange {
  requiredLsn: bigint | null;
  position: bigint;
  limit: number;
}

export type ApiRequest =
  | {kind: 'submit'; requestSlot: bigint; payload: Uint8Array}
  | {kind: 'get_resource'; requiredLsn: bigint | null; resourceId: bigint}
  | {kind: 'get_reservation'; requiredLsn: bigint | null; currentSlot: bigint; reservationId: bigint}
  | {kind: 'get_metrics'; currentSlot: bigint}
  | {kind: 'tick_expirations'; currentSlot: bigint}
  | {kind: 'submit_batch'; requestSlot: bigint; payloads: Uint8Array[]}
  | {kind: 'get_lease'; requiredLsn: bigint | null; currentSlot: bigint; reservationId: bigint}
  | ({kind: 'scan_resources'; state: ResourceState | null} & ScanRange)
  | ({
      kind: 'scan_reservations';
      currentSlot: bigint;
      holderId: bigint | null;
      state: ReservationState | null;
    } & ScanRange);

const REQUEST_TAG: Readonly<Record<ApiRequest['kind'], number>> = {
  submit: 1,
  get_resource: 2,
  get_reservation: 3,
  get_metrics: 4,
  tick_expirations: 5,
  submit_batch: 16,
  get_lease: 17,
  scan_resources: 18,
  scan_reservations: 19,
};

function readPayload(reader: ByteReader): Uint8Array {
  return reader.take(reader.u32());
}

function readBatch(reader: ByteReader): ApiRequest {
  const requestSlot = reader.u64();
  const count = reader.u16();
  if (4 * count > reader.left()) throw new CodecError({kind: 'invalid_layout'});
  return {kind: 'submit_batch', requestSlot, payloads: Array.from({length: count}, () => readPayload(reader))};
}

/** The state with this number, null for 0. */
function stateOf<State extends string>(number: number, states: readonly State[], enumKind: string): State | null {
  const state = number === 0 ? null : states[number - 1];
  if (state === undefined) throw new CodecError({kind: 'invalid_enum_value', value: number, enumKind});
  return state;
}

/** A frame that has not the layout of a scan is no request at all, as it was before there were scans. */
function wholeScan<Fields>(tag: number, reader: ByteReader, read: () => Fields): Fields {
  try {
    const fields = read();
    reader.end();
    return fields;
  } catch (error) {
    throw error instanceof CodecError ? new CodecError({kind: 'invalid_request_tag', tag}) : error;
  }
}

function readResourceScan(reader: ByteReader): ApiRequest {
  const {stateNumber, ...range} = wholeScan(18, reader, () => ({
    requiredLsn: reader.opt64(),
    stateNumber: reader.u8(),
    position: reader.u64(),
    limit: reader.u16(),
  }));
  return {kind: 'scan_resources', state: stateOf(stateNumber, RESOURCE_STATES, 'resource_state'), ...range};
}

function readReservationScan(reader: ByteReader): ApiRequest {
  const {stateNumber, ...range} = wholeScan(19, reader, () => ({
    requiredLsn: reader.opt64(),
    currentSlot: reader.u64(),
    holderId: reader.opt128(),
    stateNumber: reader.u8(),
    position: reader.u64(),
    limit: reader.u16(),
  }));
  return {kind: 'scan_reservations', state: stateOf(stateNumber, RESERVATION_STATES, 'reservation_state'), ...range};
}

function readRequest(reader: ByteReader): ApiRequest {
  const tag = reader.u8();
  switch (tag) {
    case 1:
      return {kind: 'submit', requestSlot: reader.u64(), payload: readPayload(reader)};
    case 2:
      return {kind: 'get_resource', requiredLsn: reader.opt64(), resourceId: reader.u128()};
    case 3:
    case 17:
      return {
        kind: tag === 3 ? 'get_reservation' : 'get_lease',
        requiredLsn: reader.opt64(),
        currentSlot: reader.u64(),
        reservationId: reader.u128(),
      };
    case 4:
      return {kind: 'get_metrics', currentSlot: reader.u64()};
    case 5:
      return {kind: 'tick_expirations', currentSlot: reader.u64()};
    case 16:
      return readBatch(reader);
    case 18:
      return readResourceScan(reader);
    case 19:
      return readReservationScan(reader);
    default:
      throw new CodecError({kind: 'invalid_request_tag', tag});
  }
}

/** Throws CodecError for a frame that is not exactly one request. */
export function decodeApiRequest(frame: Uint8Array): ApiRequest {
  const reader = new ByteReader(frame);
  const request = readRequest(reader);
  reader.end();
  return request;
}

export function encodeApiRequest(request: ApiRequest): Uint8Array {
  const writer = new ByteWriter().u8(REQUEST_TAG[request.kind]);
  switch (request.kind) {
    case 'submit':
      return writer.u64(request.requestSlot).u32(request.payload.length).raw(request.payload).finish();
    case 'get_resource':
      return writer.opt64(request.requiredLsn).u128(request.resourceId).finish();
    case 'get_reservation':
    case 'get_lease':
      return writer.opt64(request.requiredLsn).u64(request.currentSlot).u128(request.reservationId).finish();
    case 'get_metrics':
    case 'tick_expirations':
      return writer.u64(request.currentSlot).finish();
    case 'submit_batch':
      writer.u64(request.requestSlot).u16(request.payloads.length);
      for (const payload of request.payloads) writer.u32(payload.length).raw(payload);
      return writer.finish();
    case 'scan_resources': {
      const state = request.state === null ? 0 : wireNumber(RESOURCE_STATES, request.state);
      return writer.opt64(request.requiredLsn).u8(state).u64(request.position).u16(request.limit).finish();
    }
    case 'scan_reservations': {
      const state = request.state === null ? 0 : wireNumber(RESERVATION_STATES, request.state);
      writer.opt64(request.requiredLsn).u64(request.currentSlot).opt128(request.holderId);
      return writer.u8(state).u64(request.position).u16(request.limit).finish();
    }
  }
}
