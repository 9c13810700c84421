/**
 * A client that writes the bytes of requests itself, as slowly, as many at once and as wrongly as a test wants, and takes
 * responses apart as they come.
 */
import {connect, type Socket} from 'node:net';
import {until} from './command.ts';

/** A response as it came. Names of headers in lower case. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class RawHttp {
  readonly responses: RawResponse[] = [];
  isClosed: boolean = false;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      this.#parse();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async open(port: number): Promise<RawHttp> {
    const socket = connect({port, host: '127.0.0.1', noDelay: true});
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawHttp(socket);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** Stops reading, as a client that does not look. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Waits for so many responses in all and returns them. */
  async take(count: number): Promise<RawResponse[]> {
    await until(() => this.responses.length >= count, `${count} responses`);
    return this.responses;
  }

  async closed(): Promise<void> {
    await until(() => this.isClosed, 'the connection to close');
  }

  #parse(): void {
    for (;;) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      const [first = '', ...lines] = this.#rest.subarray(0, end).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(
        lines.map(line => {
          const at = line.indexOf(':');
          return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
        }),
      );
      const status = Number(first.split(' ')[1]);
      const begin = end + 4;
      const length = Number(headers['content-length'] ?? 0);
      if (this.#rest.length < begin + length) return;
      const body = this.#rest.subarray(begin, begin + length).toString('utf8');
      this.#rest = this.#rest.subarray(begin + length);
      if (status >= 200) this.responses.push({status, headers, body});
    }
  }
}

/** A request with a body of JSON, or without one. */
export function requestText(
  what: string,
  body: unknown = null,
  headers: Readonly<Record<string, string>> = {},
): string {
  const text = body === null ? '' : JSON.stringify(body);
  const all = {
    host: 'test',
    ...(body === null ? {} : {'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text))}),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${what} HTTP/1.1\r\n${lines.join('')}\r\n${text}`;
}
