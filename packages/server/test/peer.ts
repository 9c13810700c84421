/**
 * A TCP peer, with TLS or without, that says whatever it is told to, also what no client would: bytes out, frames in, in
 * order. Nothing here knows what a frame means, but for the hello and error of a connection.
 */
import {once} from 'node:events';
import {connect, type Socket} from 'node:net';
import {type ConnectionOptions, connect as connectTls} from 'node:tls';
import {
  type ApiRequest,
  type ApiResponse,
  type ConnectionError,
  decodeConnectionError,
  decodeResponse,
  decodeWelcome,
  encodeHello,
  encodeRequest,
  PROTOCOL_VERSION,
  type Welcome,
} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {withDeadline} from './command.ts';

const PREFIX = 4;

/** Frames that arrived and were not taken yet, and how the connection stands. */
export class Peer {
  readonly socket: Socket;
  /** True when the other side has said that nothing more comes. */
  isEnded: boolean = false;
  /** True when both directions are closed, or the connection was reset. */
  isClosed: boolean = false;
  received: number = 0;
  #frames: Uint8Array[] = [];
  #rest: Buffer[] = [];
  #restBytes: number = 0;
  #need: number = PREFIX;
  #waiting: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#onData(chunk));
    socket.on('end', () => {
      this.isEnded = true;
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Connects and says nothing; with TLS, rejects when the server cannot be verified. */
  static async connect(port: number, tls: ConnectionOptions | null = null): Promise<Peer> {
    const target = {port, host: '127.0.0.1', allowHalfOpen: true};
    const socket = tls === null ? connect(target) : connectTls({...tls, ...target});
    await once(socket, tls === null ? 'connect' : 'secureConnect');
    return new Peer(socket);
  }

  /** Connects and completes the handshake. */
  static async open(port: number, token: string = '', tls: ConnectionOptions | null = null): Promise<Peer> {
    const peer = await Peer.connect(port, tls);
    await peer.hello(token);
    return peer;
  }

  /** Says hello and returns the welcome. */
  async hello(token: string = ''): Promise<Welcome> {
    this.send(encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)}));
    const [frame] = await this.take(1);
    return decodeWelcome(frame ?? new Uint8Array(0));
  }

  /** Sends frames, each behind its length. */
  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(joinFrames(frames));
  }

  /** Sends requests and returns their responses. */
  async ask(...requests: readonly ApiRequest[]): Promise<ApiResponse[]> {
    this.send(...requests.map(encodeRequest));
    const frames = await this.take(requests.length);
    return frames.map(decodeResponse);
  }

  /** Waits for so many frames and takes them. */
  async take(count: number): Promise<Uint8Array[]> {
    await this.#until(() => this.#frames.length >= count || this.isEnded || this.isClosed, `${count} frames`);
    if (this.#frames.length < count)
      throw new Error(`the connection ended ${count - this.#frames.length} frames early`);
    return this.#frames.splice(0, count);
  }

  /** Takes the frames that are there. */
  takeAll(): Uint8Array[] {
    return this.#frames.splice(0);
  }

  /** Waits for the end of the connection; returns its error, and what came before it is left to be taken. */
  async error(): Promise<ConnectionError> {
    await this.#until(() => this.isEnded || this.isClosed, 'the end of the connection');
    const last = this.#frames.pop();
    if (last === undefined) throw new Error('the connection ended without a word');
    return decodeConnectionError(last);
  }

  /** Half-closes: nothing more will be said. */
  end(): void {
    this.socket.end();
  }

  /** Ends at once; resolves when it is closed. */
  async close(): Promise<void> {
    this.socket.destroy();
    await this.#until(() => this.isClosed, 'the socket to close');
  }

  /** Waits until a condition holds; it is looked at whenever something has happened here. */
  async #until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      const woken = new Promise<void>(resolve => this.#waiting.push(resolve));
      await withDeadline(woken, `${what}; there are ${this.#frames.length}, ${this.received} bytes have come`);
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #onData(chunk: Buffer): void {
    this.received += chunk.length;
    this.#rest.push(chunk);
    this.#restBytes += chunk.length;
    if (this.#restBytes < this.#need) return;
    let input = Buffer.concat(this.#rest);
    while (input.length >= PREFIX) {
      const end = PREFIX + input.readUInt32LE(0);
      if (input.length < end) break;
      this.#frames.push(Uint8Array.from(input.subarray(PREFIX, end)));
      input = input.subarray(end);
    }
    this.#need = input.length < PREFIX ? PREFIX : PREFIX + input.readUInt32LE(0);
    this.#rest = [input];
    this.#restBytes = input.length;
    this.#wake();
  }
}
