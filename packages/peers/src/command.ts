/**
 * A command as the peers take it, and how it is read off the bytes that the workload writes for AllocDB: so that all run
 * the same loop, made by the same code.
 *
 * Slots become milliseconds. Operation ids keep their bytes in another order, the counter first, because that is what
 * databases with sorted indexes like best; it makes no difference to the others.
 */
import {CLIENT_HEADER_BYTES, COMMAND} from '@allocdb/core';

/** What the peers can be asked; the numbers are AllocDB's. */
export const KIND: Pick<typeof COMMAND, 'RESERVE' | 'CONFIRM' | 'RELEASE'> = COMMAND;
/** One of {@link KIND}. */
export type Kind = (typeof KIND)[keyof typeof KIND];

export const ID_BYTES = 16;

const SUBJECT_AT: number = CLIENT_HEADER_BYTES + 1;
const TTL_AT: number = SUBJECT_AT + 2 * ID_BYTES;

/** A command; whoever sends it copies what it needs, so that one object serves for many. */
export interface PeerCommand {
  kind: Kind;
  operation: Buffer;
  holder: Buffer;
  /** Of a reserve. */
  resource: Buffer;
  /** Of a confirm or a release. */
  reservation: number;
  /** Of a reserve, in milliseconds. */
  ttlMs: number;
}

/** A command to be filled by {@link readCommand}. */
export function emptyCommand(): PeerCommand {
  return {
    kind: KIND.RESERVE,
    operation: Buffer.alloc(ID_BYTES),
    holder: Buffer.alloc(ID_BYTES),
    resource: Buffer.alloc(ID_BYTES),
    reservation: 0,
    ttlMs: 0,
  };
}

/** Reads the payload at the start of `bytes` into `command`. Throws RangeError for what the workload never asks. */
export function readCommand(bytes: Buffer, slotMs: number, command: PeerCommand): void {
  const tag = bytes.readUInt8(CLIENT_HEADER_BYTES);
  const {operation} = command;
  operation.writeUInt32BE(bytes.readUInt32LE(8), 0);
  operation.writeUInt32BE(bytes.readUInt32LE(4), 4);
  bytes.copy(operation, 8, 0, 4);
  bytes.copy(operation, 12, 12, 16);
  bytes.copy(command.holder, 0, ID_BYTES, 2 * ID_BYTES);
  if (tag === KIND.RESERVE) {
    command.kind = tag;
    bytes.copy(command.resource, 0, SUBJECT_AT, SUBJECT_AT + ID_BYTES);
    command.ttlMs = bytes.readUInt32LE(TTL_AT) * slotMs;
    return;
  }
  if (tag !== KIND.CONFIRM && tag !== KIND.RELEASE) throw new RangeError(`the workload has no command ${tag}`);
  command.kind = tag;
  command.reservation = bytes.readUInt32LE(SUBJECT_AT) + bytes.readUInt32LE(SUBJECT_AT + 4) * 0x1_0000_0000;
}
