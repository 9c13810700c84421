/**
 * A change feed as raw frames: a connection that says hello, subscribes, and looks at nothing of a change but its lsn, which
 * must be the next one. What a reader costs who keeps its own copy of the log, and the least that reading over TCP can cost.
 *
 * Not here: connecting again, and what a change says. Lsns are numbers, which a measurement does not outgrow.
 */
import {connect, type Socket} from 'node:net';
import {
  CONNECTION_FRAME,
  decodeConnectionError,
  decodeFeedEnd,
  decodeWelcome,
  encodeHello,
  encodeSubscribe,
  FrameSplitter,
  PROTOCOL_VERSION,
  SPLIT,
} from '@allocdb/node';

const READ_BUFFER_BYTES: number = 256 << 10;
const FRAME_BYTES_MAX: number = 1 << 20;
const HIGH_WORD = 0x1_0000_0000;
/** Where the lsn stands in a change frame. */
const LSN_AT = 1;

export class FeedSocket {
  /** Resolves with the first lsn that was asked for, once it was. */
  readonly subscribed: Promise<number>;
  /** The last lsn that has arrived; before the first, the one below it. */
  lastLsn: number = 0;
  changes: number = 0;
  /** Of their frames, with their lengths. */
  bytes: number = 0;
  readonly #socket: Socket;
  readonly #from: number | null;
  readonly #stalls: boolean;
  readonly #splitter: FrameSplitter;
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #onSubscribed: (first: number) => void = () => undefined;
  #wanted: number = Number.POSITIVE_INFINITY;
  #reached: () => void = () => undefined;

  /** Connects and subscribes to the changes from an lsn on, or from now on; with `stalls` it then never reads again. */
  constructor(port: number, from: number | null, stalls: boolean = false) {
    this.#from = from;
    this.#stalls = stalls;
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    this.subscribed = new Promise(resolve => {
      this.#onSubscribed = resolve;
    });
    this.#splitter = new FrameSplitter(FRAME_BYTES_MAX, (view, bytes, offset, length) =>
      this.#onFrame(view, bytes, offset, length),
    );
    const buffer = new Uint8Array(READ_BUFFER_BYTES);
    const callback = (count: number): boolean => this.#onChunk(buffer.subarray(0, count));
    this.#socket = connect({host: '127.0.0.1', port, noDelay: true, onread: {buffer, callback}});
    this.#socket.on('error', error => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the feed')));
    this.#socket.on('connect', () => this.#send(encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)})));
  }

  /** Resolves when the change with this lsn, or a later one, has arrived. Rejects when the feed ends before, or has a gap. */
  reach(lsn: number): Promise<void> {
    const reached = new Promise<void>(resolve => {
      this.#wanted = lsn;
      this.#reached = resolve;
      if (this.lastLsn >= lsn) resolve();
    });
    return this.orFailure(reached);
  }

  /** The promise's value, or what ended the feed. */
  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  /** False when nothing more is to be read. */
  #onChunk(chunk: Uint8Array): boolean {
    try {
      const status = this.#splitter.push(chunk);
      if (status !== SPLIT.OK) throw new Error(`the server sent what is no frame (${status})`);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.lastLsn >= this.#wanted) this.#reached();
    return !this.#stalls;
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const tag = view.getUint8(offset);
    if (tag === CONNECTION_FRAME.CHANGE) {
      const lsn = view.getUint32(offset + LSN_AT, true) + view.getUint32(offset + LSN_AT + 4, true) * HIGH_WORD;
      if (lsn !== this.lastLsn + 1) throw new Error(`lsn ${lsn} came behind ${this.lastLsn}`);
      this.lastLsn = lsn;
      this.changes++;
      this.bytes += 4 + length;
      return;
    }
    const frame = bytes.slice(offset, offset + length);
    if (tag === CONNECTION_FRAME.WELCOME) this.#onWelcome(Number(decodeWelcome(frame).lastDurableLsn ?? 0n));
    else if (tag === CONNECTION_FRAME.ERROR) throw new Error(decodeConnectionError(frame).text);
    else if (tag === CONNECTION_FRAME.FEED_END) throw new Error(`the feed ended with ${decodeFeedEnd(frame).code}`);
    else throw new Error(`the server sent a frame of tag ${tag}`);
  }

  #onWelcome(durable: number): void {
    const first = this.#from ?? durable + 1;
    this.lastLsn = first - 1;
    this.#send(encodeSubscribe(BigInt(first)));
    this.#onSubscribed(first);
  }

  #send(body: Uint8Array): void {
    const frame = new Uint8Array(4 + body.length);
    new DataView(frame.buffer).setUint32(0, body.length, true);
    frame.set(body, 4);
    this.#socket.write(frame);
  }
}
