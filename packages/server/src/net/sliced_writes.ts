/**
 * Large writes to a TLS socket, in slices that leave one after the other.
 *
 * Left to itself, TLS encrypts all that waits at once and hands it to the system in one piece: that doubles the memory of
 * a peer that does not read, and from the socket nobody can tell any more whether the piece is getting shorter, so that a
 * peer who reads slowly would be ended as one who does not read at all. A slice that has left is progress.
 */
import type {Socket} from 'node:net';
import {TLSSocket} from 'node:tls';

const SLICE_BYTES = 64 * 1024;

/** Has what waits in the socket written slice by slice and not gathered; to be called once, before anything is written. */
export function writeSliced(socket: TLSSocket): void {
  // Streams gather what waits only for sockets that offer to take it gathered.
  Object.defineProperty(socket, '_writev', {value: null});
}

/** Writes; `done` is called when all of it has left, or never will. */
export function writeTo(socket: Socket, bytes: Uint8Array, done: () => void): void {
  let at = 0;
  if (socket instanceof TLSSocket) {
    for (; bytes.length - at > SLICE_BYTES; at += SLICE_BYTES) socket.write(bytes.subarray(at, at + SLICE_BYTES));
  }
  socket.write(at === 0 ? bytes : bytes.subarray(at), done);
}
