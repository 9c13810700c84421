/**
 * A connection between client and server that can lose answers, which is how an outcome becomes unknown in earnest: the
 * server executes a request and the client does not hear of it. Requests can also be held back, so that a server can be
 * killed before it has seen one.
 */
import {type AddressInfo, createServer, connect as open, type Server, type Socket} from 'node:net';

/** What becomes of what arrives once the handshake is over, and `passing` answers have passed. */
type Mode = 'pass' | 'swallow answers' | 'hold requests';

const LENGTH_BYTES = 4;

export class SwallowingProxy {
  readonly #server: Server;
  readonly #sockets: Set<Socket> = new Set();
  #target: number;
  mode: Mode = 'pass';
  /** Answers that still pass before one is swallowed. */
  passing: number = 0;
  #onLost: (() => void) | null = null;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.#target = target;
  }

  /** A proxy before a server on a port of this machine. */
  static async start(target: number): Promise<SwallowingProxy> {
    const server = createServer();
    const proxy = new SwallowingProxy(server, target);
    server.on('connection', socket => proxy.#connect(socket));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `allocdb://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when the next answer was swallowed, or the next request held back. */
  async lost(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#onLost = resolve;
    });
  }

  /** Ends every connection; later ones go to another port, and nothing is lost any more. */
  heal(target: number): void {
    this.mode = 'pass';
    this.#target = target;
    this.cut();
  }

  /** Ends every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise(resolve => this.#server.close(resolve));
  }

  #connect(client: Socket): void {
    const server = open(this.#target, '127.0.0.1');
    let welcomed = false;
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', chunk => {
      if (welcomed && this.mode === 'hold requests') this.#lose();
      else server.write(chunk);
    });
    let rest: Buffer = Buffer.alloc(0);
    server.on('data', chunk => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const length = rest.length < LENGTH_BYTES ? Number.POSITIVE_INFINITY : LENGTH_BYTES + rest.readUInt32LE();
        if (rest.length < length) return;
        if (!welcomed || this.mode !== 'swallow answers' || this.passing-- > 0) client.write(rest.subarray(0, length));
        else this.#lose();
        welcomed = true;
        rest = rest.subarray(length);
      }
    });
  }

  #lose(): void {
    this.#onLost?.();
    this.#onLost = null;
  }
}
