/**
 * Sockets of the peers' clients: connected to this machine without delay, with what is left of a chunk kept for the next,
 * so that a protocol sees whole messages only.
 */
import {connect, type Socket} from 'node:net';

const NOTHING: Buffer = Buffer.alloc(0);

/** Resolves when connected; rejects when nobody listens. */
export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({host: '127.0.0.1', port, noDelay: true});
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Resolves when the socket is closed in both directions. */
export function endSocket(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve()).end();
  });
}

/** Puts chunks together: `parse` takes whole messages off the front and answers how many bytes those were. */
export class Reassembly {
  #rest: Buffer = NOTHING;

  push(chunk: Buffer, parse: (bytes: Buffer) => number): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const used = parse(bytes);
    this.#rest = used === bytes.length ? NOTHING : bytes.subarray(used);
  }
}
