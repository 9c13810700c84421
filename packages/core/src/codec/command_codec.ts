/**
 * Client commands as objects with bigints: for people, tests and clients, never on the apply path. Decoding checks the
 * bytes with the machine's own decoder, so that both sides accept exactly the same payloads.
 */
import {assert, unreachable} from '../assert.ts';
import {
  BUNDLE_HEADER_BYTES,
  CLIENT_HEADER_BYTES,
  type ClientRequest,
  COMMAND,
  type Command,
  CommandRegisters,
  DECODE,
  type DecodeStatus,
  WIRE_BUNDLE_MEMBERS_MAX,
} from '../command.ts';
import {U64_MAX, U128_MAX} from '../words.ts';
import {bodyBytes, decodeClientCommand} from './command_decoder.ts';

/** Bytes before the body: operation, client and tag. */
const HEADER_BYTES: number = CLIENT_HEADER_BYTES + 1;

/** Little-endian fields one after the other; range errors are the caller's and name the field. */
class FieldWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at: number = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  u8(value: number): void {
    this.view.setUint8(this.at++, value);
  }

  u16(value: number): void {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
  }

  u64(value: bigint, field: string): void {
    checkRange(value, U64_MAX, field);
    this.view.setBigUint64(this.at, value, true);
    this.at += 8;
  }

  u128(value: bigint, field: string): void {
    checkRange(value, U128_MAX, field);
    this.view.setBigUint64(this.at, value & U64_MAX, true);
    this.view.setBigUint64(this.at + 8, value >> 64n, true);
    this.at += 16;
  }
}

function checkRange(value: bigint, max: bigint, field: string): void {
  if (value < 0n || value > max) throw new RangeError(`${field} must be between 0 and ${max}, got ${value}`);
}

const TAG_OF_KIND: Record<Command['kind'], number> = {
  create_resource: COMMAND.CREATE_RESOURCE,
  reserve: COMMAND.RESERVE,
  confirm: COMMAND.CONFIRM,
  release: COMMAND.RELEASE,
  reserve_bundle: COMMAND.RESERVE_BUNDLE,
  confirm_fenced: COMMAND.CONFIRM_FENCED,
  release_fenced: COMMAND.RELEASE_FENCED,
  revoke: COMMAND.REVOKE,
  reclaim: COMMAND.RECLAIM,
};

/**
 * Encodes a client payload (the body of a submit). Throws RangeError, naming the field, when an id, slot or epoch does
 * not fit its width or a bundle has more than 65,535 members.
 */
export function encodeClientRequest(request: ClientRequest): Uint8Array {
  const command = request.command;
  const members = command.kind === 'reserve_bundle' ? command.resourceIds.length : 0;
  if (members > WIRE_BUNDLE_MEMBERS_MAX) {
    throw new RangeError(`resourceIds.length must be between 0 and ${WIRE_BUNDLE_MEMBERS_MAX}, got ${members}`);
  }
  const tag = TAG_OF_KIND[command.kind];
  const body = tag === COMMAND.RESERVE_BUNDLE ? BUNDLE_HEADER_BYTES - HEADER_BYTES + 16 * members : bodyBytes(tag);
  const out = new FieldWriter(HEADER_BYTES + body);
  out.u128(request.operationId, 'operationId');
  out.u128(request.clientId, 'clientId');
  out.u8(tag);
  switch (command.kind) {
    case 'create_resource':
      out.u128(command.resourceId, 'resourceId');
      break;
    case 'reserve':
      out.u128(command.resourceId, 'resourceId');
      out.u128(command.holderId, 'holderId');
      out.u64(command.ttlSlots, 'ttlSlots');
      break;
    case 'reserve_bundle':
      out.u128(command.holderId, 'holderId');
      out.u64(command.ttlSlots, 'ttlSlots');
      out.u16(members);
      for (const id of command.resourceIds) out.u128(id, 'resourceIds');
      break;
    case 'confirm':
    case 'release':
      out.u128(command.reservationId, 'reservationId');
      out.u128(command.holderId, 'holderId');
      break;
    case 'confirm_fenced':
    case 'release_fenced':
      out.u128(command.reservationId, 'reservationId');
      out.u128(command.holderId, 'holderId');
      out.u64(command.leaseEpoch, 'leaseEpoch');
      break;
    case 'revoke':
    case 'reclaim':
      out.u128(command.reservationId, 'reservationId');
      break;
    default:
      unreachable(command);
  }
  return out.bytes;
}

/** A u128 at `offset` of a payload, as a bigint. */
function bigU128(view: DataView, offset: number): bigint {
  return (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true);
}

/** What {@link decodeClientRequest} answers for bytes that are no client command; `tag` is the one found. */
export interface PayloadError {
  status: Exclude<DecodeStatus, typeof DECODE.NONE>;
  tag: number;
}

/** Decodes a client payload; the inverse of {@link encodeClientRequest}. Bytes that are no command are an answer. */
export function decodeClientRequest(payload: Uint8Array): ClientRequest | PayloadError {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const registers = new CommandRegisters();
  const status = decodeClientCommand(view, 0, payload.byteLength, registers);
  if (status !== DECODE.NONE) return {status, tag: registers.tag};
  return {
    operationId: bigU128(view, 0),
    clientId: bigU128(view, 16),
    command: commandOf(view, HEADER_BYTES, registers),
  };
}

function commandOf(view: DataView, body: number, registers: CommandRegisters): Command {
  switch (registers.tag) {
    case COMMAND.CREATE_RESOURCE:
      return {kind: 'create_resource', resourceId: bigU128(view, body)};
    case COMMAND.RESERVE: {
      const [resourceId, holderId] = [bigU128(view, body), bigU128(view, body + 16)];
      return {kind: 'reserve', resourceId, holderId, ttlSlots: view.getBigUint64(body + 32, true)};
    }
    case COMMAND.RESERVE_BUNDLE: {
      const resourceIds = Array.from({length: registers.memberCount}, (_, i) =>
        bigU128(view, registers.membersOffset + 16 * i),
      );
      const ttlSlots = view.getBigUint64(body + 16, true);
      return {kind: 'reserve_bundle', resourceIds, holderId: bigU128(view, body), ttlSlots};
    }
    case COMMAND.CONFIRM:
    case COMMAND.RELEASE: {
      const kind = registers.tag === COMMAND.CONFIRM ? 'confirm' : 'release';
      return {kind, reservationId: bigU128(view, body), holderId: bigU128(view, body + 16)};
    }
    case COMMAND.CONFIRM_FENCED:
    case COMMAND.RELEASE_FENCED: {
      const kind = registers.tag === COMMAND.CONFIRM_FENCED ? 'confirm_fenced' : 'release_fenced';
      const leaseEpoch = view.getBigUint64(body + 32, true);
      return {kind, reservationId: bigU128(view, body), holderId: bigU128(view, body + 16), leaseEpoch};
    }
    default: {
      assert(registers.tag === COMMAND.REVOKE || registers.tag === COMMAND.RECLAIM, 'tag was checked by the decoder');
      return {kind: registers.tag === COMMAND.REVOKE ? 'revoke' : 'reclaim', reservationId: bigU128(view, body)};
    }
  }
}
