/**
 * One connection of a load generator: hello, welcome, then requests of a feed out and answers in. Requests are put into
 * a buffer and leave in one write when the owner, or the end of a chunk of answers, flushes it. It runs the same code
 * against a server with and without a database, so that their figures differ only by the server.
 *
 * Not for applications: it knows the bytes of two requests and their answers, and ends at the first surprise. When to
 * send is the owner's business.
 */
import {connect, type Socket} from 'node:net';
import {
  CONNECTION_FRAME,
  decodeConnectionError,
  encodeHello,
  FrameSplitter,
  PROTOCOL_VERSION,
  SPLIT,
} from '@allocdb/node';
import {answerBytesMax, type LaneFeed, requestBytesMax} from './lane_feed.ts';

const READ_BUFFER_BYTES: number = 256 << 10;
const FRAME_BYTES_MIN = 4096;

/** Whose connection it is. */
export interface ConnectionOwner {
  /** A chunk of answers has arrived; before any of them is taken. */
  onChunk(): void;
  /** An answer was taken, and was as expected. */
  onAnswer(connection: LoadConnection): void;
  fail(error: Error): void;
}

export class LoadConnection {
  /** Resolves when the server has said welcome. */
  readonly ready: Promise<void>;
  /** Place among the owner's connections. */
  readonly index: number;
  readonly feed: LaneFeed;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #splitter: FrameSplitter;
  readonly #requestBytes: number;
  readonly #bufferBytes: number;
  readonly #spare: Buffer[] = [];
  #out: Buffer;
  #outView: DataView;
  #outBytes: number = 0;
  #welcomed: (() => void) | null = null;

  /** Connects; `lanes` is how many lanes the feed has, which bounds what can be outstanding. */
  constructor(owner: ConnectionOwner, port: number, index: number, feed: LaneFeed, lanes: number) {
    this.#owner = owner;
    this.index = index;
    this.feed = feed;
    this.#requestBytes = requestBytesMax(feed.batch);
    this.#bufferBytes = Math.max(FRAME_BYTES_MIN, (lanes / feed.batch) * this.#requestBytes);
    this.#out = Buffer.allocUnsafeSlow(this.#bufferBytes);
    this.#outView = viewOf(this.#out);
    const frameBytesMax = Math.max(FRAME_BYTES_MIN, answerBytesMax(feed.batch));
    this.#splitter = new FrameSplitter(frameBytesMax, (view, bytes, offset, length) =>
      this.#onFrame(view, bytes, offset, length),
    );
    this.ready = new Promise(resolve => {
      this.#welcomed = resolve;
    });
    const buffer = new Uint8Array(READ_BUFFER_BYTES);
    const callback = (count: number): boolean => {
      this.#onChunk(buffer.subarray(0, count));
      return true;
    };
    this.#socket = connect({host: '127.0.0.1', port, noDelay: true, onread: {buffer, callback}});
    this.#socket.on('error', error => owner.fail(error));
    this.#socket.on('close', () => owner.fail(new Error('the server closed a connection')));
    this.#socket.on('connect', () => this.#sendHello());
  }

  /** Puts the feed's next request into the buffer. */
  send(): void {
    if (this.#outBytes + this.#requestBytes > this.#out.length) this.flush();
    this.#outBytes += this.feed.write(this.#outView, this.#outBytes);
  }

  /** One write for all that has been put into the buffer; the socket gives it back when it has let go of it. */
  flush(): void {
    if (this.#outBytes === 0) return;
    const full = this.#out;
    this.#socket.write(full.subarray(0, this.#outBytes), () => this.#spare.push(full));
    this.#outBytes = 0;
    this.#out = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bufferBytes);
    this.#outView = viewOf(this.#out);
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #sendHello(): void {
    const hello = encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)});
    this.#outView.setUint32(0, hello.length, true);
    this.#out.set(hello, 4);
    this.#outBytes = 4 + hello.length;
    this.flush();
  }

  #onChunk(chunk: Uint8Array): void {
    this.#owner.onChunk();
    try {
      const status = this.#splitter.push(chunk);
      if (status !== SPLIT.OK) throw new Error(`the server sent what is no frame (${status})`);
    } catch (error) {
      this.#owner.fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.flush();
  }

  #onFrame(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const tag = view.getUint8(offset);
    if (tag === CONNECTION_FRAME.ERROR)
      throw new Error(decodeConnectionError(bytes.slice(offset, offset + length)).text);
    if (this.#welcomed !== null) {
      if (tag !== CONNECTION_FRAME.WELCOME) throw new Error(`a hello was answered by a frame of tag ${tag}`);
      this.#welcomed();
      this.#welcomed = null;
      return;
    }
    this.feed.take(view, offset, length);
    this.#owner.onAnswer(this);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
