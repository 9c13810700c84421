/**
 * The only file that touches sockets: a stream of chunks over TCP, with TLS or without. It knows no frames.
 *
 * Chunks are read into one buffer that is reused for every read, so whoever is handed a chunk copies what it keeps. The
 * end is told exactly once, whatever ended it, and nothing is told after it.
 */
import {connect, type Socket} from 'node:net';
import {connect as connectTls} from 'node:tls';
import type {Address} from './address.ts';
import type {TlsSettings} from './tcp_tls.ts';

const READ_BUFFER_BYTES = 64 * 1024;
/** How soon the system begins to ask whether a silent peer is still there. */
const KEEP_ALIVE_MS = 15_000;

/** What a stream tells its owner. */
export interface StreamEvents {
  onOpen(): void;
  /** Valid until it returns. */
  onChunk(chunk: Uint8Array): void;
  /** `error` is null when the peer closed in order, or `destroy` was called. */
  onEnd(error: Error | null): void;
}

/** One TCP connection. It begins to connect when constructed; with TLS it is open when the server was verified. */
export class TcpStream {
  readonly #socket: Socket;
  #error: Error | null = null;

  constructor(address: Address, tls: TlsSettings, events: StreamEvents) {
    const buffer = new Uint8Array(READ_BUFFER_BYTES);
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        if (!this.#socket.destroyed) events.onChunk(buffer.subarray(0, bytes));
        return true;
      },
    };
    const target = {host: address.host, port: address.port, onread};
    this.#socket = tls === null ? connect(target) : connectTls({...tls, ...target});
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#socket.once(tls === null ? 'connect' : 'secureConnect', () => events.onOpen());
    this.#socket.on('error', error => {
      this.#error = error;
    });
    this.#socket.once('close', () => events.onEnd(this.#error));
  }

  /** Bytes accepted by `write` that the system has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Hands bytes to the system; they belong to the stream until `done`, which is called once, also on failure. */
  write(bytes: Uint8Array, done: () => void): void {
    if (this.#socket.destroyed) done();
    else this.#socket.write(bytes, done);
  }

  /** Nothing more is read until `resume`, but for a chunk that was on its way. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it now; what was not sent is dropped. */
  destroy(): void {
    this.#socket.destroy();
  }
}
