/**
 * The bare durable echo: what any server would cost that takes these frames over TCP, makes them durable by one write and
 * one fdatasync for all that arrived in a turn, and answers with as many bytes. Frames, copy, checksum, file, answers:
 * the shapes of the real server, with no database between. Run as a process of its own, `echo_server.js DIR`.
 *
 * It says its port on stderr as the real server does. File and answers are those of every bare loop of this package.
 */
import {createServer, type Socket} from 'node:net';
import {join} from 'node:path';
import {CONNECTION_FRAME, encodeWelcome, FrameSplitter, PROTOCOL_VERSION} from '@allocdb/node';
import {BareAnswers} from './bare_answers.ts';
import {BareFile} from './bare_file.ts';
import {endWithStandardInput} from './ends_with_parent.ts';

const REQUEST_BYTES_MAX: number = 1 << 20;
const BATCH_MAX = 8192;

class EchoConnection {
  readonly #socket: Socket;
  readonly #server: EchoServer;
  readonly #splitter: FrameSplitter;
  readonly #answers: BareAnswers;

  constructor(socket: Socket, server: EchoServer) {
    this.#socket = socket;
    this.#server = server;
    this.#answers = new BareAnswers(server.file);
    this.#splitter = new FrameSplitter(REQUEST_BYTES_MAX, (view, _bytes, offset, length) => {
      if (view.getUint8(offset) === CONNECTION_FRAME.HELLO) this.#welcome();
      else this.#onRequest(view, offset, length);
    });
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#splitter.push(chunk));
    socket.on('error', () => socket.destroy());
  }

  /** Sends the answers of the turn that has just become durable, in one write. */
  send(): void {
    const taken = this.#answers.take();
    if (!this.#socket.destroyed) this.#socket.write(taken);
  }

  #onRequest(view: DataView, offset: number, length: number): void {
    this.#answers.add(view, offset, length);
    this.#server.touched(this);
  }

  #welcome(): void {
    const welcome = encodeWelcome({
      version: PROTOCOL_VERSION,
      currentSlot: 0n,
      slotDurationMs: 100,
      lastDurableLsn: null,
      maxFrameBytes: REQUEST_BYTES_MAX,
      maxBatch: BATCH_MAX,
    });
    const frame = new Uint8Array(4 + welcome.length);
    new DataView(frame.buffer).setInt32(0, welcome.length, true);
    frame.set(welcome, 4);
    this.#socket.write(frame);
  }
}

class EchoServer {
  readonly file: BareFile;
  readonly #touched: Set<EchoConnection> = new Set();
  #turnScheduled: boolean = false;

  constructor(dir: string) {
    this.file = new BareFile(join(dir, 'echo'));
  }

  /** Answers on this connection wait for the end of the turn. */
  touched(connection: EchoConnection): void {
    if (!this.#turnScheduled) {
      this.#turnScheduled = true;
      setImmediate(() => this.#endTurn());
    }
    this.#touched.add(connection);
  }

  #endTurn(): void {
    this.#turnScheduled = false;
    this.file.commit();
    for (const connection of this.#touched) connection.send();
    this.#touched.clear();
  }
}

function main(dir: string): void {
  endWithStandardInput();
  const echo = new EchoServer(dir);
  const server = createServer({noDelay: true}, socket => new EchoConnection(socket, echo));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.stderr.write(`${JSON.stringify({event: 'listening', port})}\n`);
  });
  process.once('SIGTERM', () => {
    echo.file.close();
    process.exit(0);
  });
}

const [, , dir] = process.argv;
if (dir === undefined) throw new RangeError('usage: echo_server DIR');
main(dir);
