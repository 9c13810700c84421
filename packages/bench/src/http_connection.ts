/**
 * One keep-alive connection of a load generator over HTTP/1.1: a request leaves in one write, its answer is cut out of what
 * arrives by the length that its head states, and handed to the owner as status and text. One request is outstanding at a time.
 *
 * Not for applications: it knows only answers in ASCII that state their length, and ends at the first surprise. What is
 * asked, and whether the answer is right, is the owner's business.
 */
import {connect, type Socket} from 'node:net';

const READ_BUFFER_BYTES: number = 64 << 10;
const HEAD_END = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.1 (\d{3}) /;
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** Whose connection it is. */
export interface HttpOwner {
  /** The outstanding request was answered; nothing is outstanding now. May throw, which fails the connection. */
  onAnswer(connection: HttpConnection, status: number, body: string): void;
  fail(error: Error): void;
}

export class HttpConnection {
  /** Resolves when it is connected. */
  readonly ready: Promise<void>;
  /** Place among the owner's connections. */
  readonly index: number;
  readonly #owner: HttpOwner;
  readonly #socket: Socket;
  #isOutstanding: boolean = false;
  /** What has arrived of the answer, and how long it is as soon as that is known. */
  #text: string = '';
  #length: number = 0;
  #bodyAt: number = 0;
  #status: number = 0;

  constructor(owner: HttpOwner, port: number, index: number) {
    this.#owner = owner;
    this.index = index;
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    const callback = (count: number): boolean => {
      this.#onText(buffer.toString('latin1', 0, count));
      return true;
    };
    this.#socket = connect({host: '127.0.0.1', port, noDelay: true, onread: {buffer, callback}});
    this.#socket.on('error', error => owner.fail(error));
    this.#socket.on('close', () => owner.fail(new Error('the server closed a connection')));
    this.ready = new Promise(resolve => this.#socket.once('connect', resolve));
  }

  get isOutstanding(): boolean {
    return this.#isOutstanding;
  }

  /** Sends a whole request, in ASCII. Nothing may be outstanding. */
  send(request: string): void {
    this.#isOutstanding = true;
    this.#socket.write(request, 'latin1');
  }

  destroy(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #onText(text: string): void {
    try {
      this.#text += text;
      if (this.#length === 0) this.#readHead();
      if (this.#length === 0 || this.#text.length < this.#length) return;
      if (this.#text.length > this.#length || !this.#isOutstanding)
        throw new Error('the server sent more than an answer');
      const body = this.#text.slice(this.#bodyAt);
      this.#text = '';
      this.#length = 0;
      this.#isOutstanding = false;
      this.#owner.onAnswer(this, this.#status, body);
    } catch (error) {
      this.#owner.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #readHead(): void {
    const end = this.#text.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#text.slice(0, end + HEAD_END.length);
    const [status, length] = [STATUS_LINE.exec(head)?.[1], CONTENT_LENGTH.exec(head)?.[1]];
    if (status === undefined || length === undefined) throw new Error(`no answer with a length: ${head.slice(0, 400)}`);
    this.#status = Number(status);
    this.#bodyAt = head.length;
    this.#length = head.length + Number(length);
  }
}
