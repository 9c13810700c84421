// Client commands: what a submit carries, as plain objects, and their bytes.
//
// The fingerprint that tells one command from another under the same operation id is simply the command's own bytes
// (tag and body, without operation and client id) in hexadecimal: no hash, so no collision to reason about. Internal
// records have no codec here; the model expires by calling a method.
import {ByteReader, ByteWriter, CodecError} from './bytes.ts';

export type Command =
  | {kind: 'create_resource'; resourceId: bigint}
  | {kind: 'reserve'; resourceId: bigint; holderId: bigint; ttlSlots: bigint}
  | {kind: 'confirm'; reservationId: bigint; holderId: bigint}
  | {kind: 'release'; reservationId: bigint; holderId: bigint}
  | {kind: 'reserve_bundle'; holderId: bigint; ttlSlots: bigint; resourceIds: bigint[]}
  | {kind: 'confirm_fenced'; reservationId: bigint; holderId: bigint; leaseEpoch: bigint}
  | {kind: 'release_fenced'; reservationId: bigint; holderId: bigint; leaseEpoch: bigint}
  | {kind: 'revoke'; reservationId: bigint}
  | {kind: 'reclaim'; reservationId: bigint};

export interface ClientRequest {
  operationId: bigint;
  clientId: bigint;
  command: Command;
  fingerprint: string;
}

export const COMMAND_TAG: Readonly<Record<Command['kind'], number>> = {
  create_resource: 1,
  reserve: 2,
  confirm: 3,
  release: 4,
  reserve_bundle: 16,
  confirm_fenced: 17,
  release_fenced: 18,
  revoke: 19,
  reclaim: 20,
};

const COMMAND_OFFSET = 32;

function readBundle(reader: ByteReader): Command {
  const holderId = reader.u128();
  const ttlSlots = reader.u64();
  const count = reader.u16();
  if (16 * count !== reader.left()) throw new CodecError({kind: 'invalid_layout'});
  const resourceIds = Array.from({length: count}, () => reader.u128());
  return {kind: 'reserve_bundle', holderId, ttlSlots, resourceIds};
}

function readCommand(reader: ByteReader): Command {
  const tag = reader.u8();
  switch (tag) {
    case 1:
      return {kind: 'create_resource', resourceId: reader.u128()};
    case 2:
      return {kind: 'reserve', resourceId: reader.u128(), holderId: reader.u128(), ttlSlots: reader.u64()};
    case 3:
      return {kind: 'confirm', reservationId: reader.u128(), holderId: reader.u128()};
    case 4:
      return {kind: 'release', reservationId: reader.u128(), holderId: reader.u128()};
    case 16:
      return readBundle(reader);
    case 17:
      return {
        kind: 'confirm_fenced',
        reservationId: reader.u128(),
        holderId: reader.u128(),
        leaseEpoch: reader.u64(),
      };
    case 18:
      return {
        kind: 'release_fenced',
        reservationId: reader.u128(),
        holderId: reader.u128(),
        leaseEpoch: reader.u64(),
      };
    case 19:
      return {kind: 'revoke', reservationId: reader.u128()};
    case 20:
      return {kind: 'reclaim', reservationId: reader.u128()};
    default:
      throw new CodecError({kind: 'invalid_command_tag', tag});
  }
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
  return text;
}

export function decodeClientRequest(payload: Uint8Array): ClientRequest {
  const reader = new ByteReader(payload);
  const operationId = reader.u128();
  const clientId = reader.u128();
  const command = readCommand(reader);
  reader.end();
  return {operationId, clientId, command, fingerprint: hex(payload.subarray(COMMAND_OFFSET))};
}

function writeCommand(writer: ByteWriter, command: Command): void {
  writer.u8(COMMAND_TAG[command.kind]);
  switch (command.kind) {
    case 'create_resource':
      writer.u128(command.resourceId);
      return;
    case 'reserve':
      writer.u128(command.resourceId).u128(command.holderId).u64(command.ttlSlots);
      return;
    case 'reserve_bundle':
      writer.u128(command.holderId).u64(command.ttlSlots).u16(command.resourceIds.length);
      for (const resourceId of command.resourceIds) writer.u128(resourceId);
      return;
    case 'confirm':
    case 'release':
      writer.u128(command.reservationId).u128(command.holderId);
      return;
    case 'confirm_fenced':
    case 'release_fenced':
      writer.u128(command.reservationId).u128(command.holderId).u64(command.leaseEpoch);
      return;
    case 'revoke':
    case 'reclaim':
      writer.u128(command.reservationId);
      return;
  }
}

export function encodeClientRequest(operationId: bigint, clientId: bigint, command: Command): Uint8Array {
  const writer = new ByteWriter().u128(operationId).u128(clientId);
  writeCommand(writer, command);
  return writer.finish();
}
