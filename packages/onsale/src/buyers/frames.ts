/**
 * Requests of buyers as frames. Commands are written as documented; the slot in them is 0, because the server replaces
 * whatever slot a client states by its own.
 */
import {REQUEST} from '@allocdb/api';
import {bytesOfId} from '../id_bytes.ts';
import type {CommandFacts} from '../ledger.ts';

const TAGS: Readonly<Record<string, number>> = {
  create_resource: 1,
  reserve: 2,
  confirm: 3,
  release: 4,
  reserve_bundle: 16,
  confirm_fenced: 17,
  release_fenced: 18,
};
const SUBMIT_HEADER_BYTES = 13;
const CLIENT_HEADER_BYTES = 33;

/** The frame of a submit, without length prefix. */
export function submitFrame(operation: string, client: string, command: CommandFacts): Uint8Array {
  const body = bodyOf(command);
  const frame = new Uint8Array(SUBMIT_HEADER_BYTES + CLIENT_HEADER_BYTES + body.length);
  frame[0] = REQUEST.SUBMIT;
  new DataView(frame.buffer).setUint32(9, CLIENT_HEADER_BYTES + body.length, true);
  frame.set(bytesOfId(operation), SUBMIT_HEADER_BYTES);
  frame.set(bytesOfId(client), SUBMIT_HEADER_BYTES + 16);
  frame[SUBMIT_HEADER_BYTES + 32] = TAGS[command.kind] ?? 0;
  frame.set(body, SUBMIT_HEADER_BYTES + CLIENT_HEADER_BYTES);
  return frame;
}

/** The frame of a look at a seat, without length prefix and without a fence. */
export function lookFrame(seat: string): Uint8Array {
  const frame = new Uint8Array(18);
  frame[0] = REQUEST.GET_RESOURCE;
  frame.set(bytesOfId(seat), 2);
  return frame;
}

function bodyOf(command: CommandFacts): Uint8Array {
  const {kind, seats, holder, lease, ttl, epoch} = command;
  const holderBytes = holder === null ? [] : [bytesOfId(holder)];
  const seatBytes = seats.map(bytesOfId);
  if (kind === 'reserve_bundle') {
    const count = new Uint8Array(2);
    new DataView(count.buffer).setUint16(0, seats.length, true);
    return Buffer.concat([...holderBytes, u64(ttl ?? 0), count, ...seatBytes]);
  }
  const leaseBytes = lease === null ? [] : [bytesOfId(lease)];
  const amounts = [ttl, epoch].flatMap(amount => (amount === null ? [] : [u64(amount)]));
  return Buffer.concat([...leaseBytes, ...seatBytes, ...holderBytes, ...amounts]);
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}
