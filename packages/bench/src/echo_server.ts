/**
 * The bare durable echo: what any server would cost that takes these frames over TCP, makes them durable by one write and
 * one fdatasync for all that arrived in a turn, and answers with as many bytes. Frames, copy, checksum, file, answers:
 * the shapes of the real server, with no database between. Run as a process of its own, `echo_server.js DIR`.
 *
 * It says its port on stderr as the real server does. The file is filled with zeros before and written round and round.
 * Size and result of the answer stand in the request, where a database would see a slot.
 */
import {closeSync, openSync} from 'node:fs';
import {createServer, type Socket} from 'node:net';
import {join} from 'node:path';
import {CONNECTION_FRAME, encodeWelcome, FrameSplitter, PROTOCOL_VERSION, RESPONSE} from '@allocdb/node';
import {crc32c, nodeFileIo, writeFully} from '@allocdb/wal';
import {zeroFill} from './disk_probe.ts';
import {ECHO_RESULT_AT} from './workload.ts';

const FILE_BYTES: number = 64 << 20;
const FRAME_BYTES_MAX: number = 8 << 20;
const REQUEST_BYTES_MAX: number = 1 << 20;
/** As in the log: header of a frame, header of a record, and the block that frames are padded to. */
const FRAME_HEADER_BYTES = 48;
const RECORD_HEADER_BYTES = 16;
const BLOCK_BYTES = 512;
/** Offsets in a request without its length: the answer's size, its result, the payload's length, the payload. */
const ANSWER_BYTES_AT = 1;
const PAYLOAD_LENGTH_AT = 9;
const PAYLOAD_AT = 13;

/** The open frame, and the file it goes to. */
class EchoLog {
  readonly #handle: number;
  readonly #bytes: Uint8Array = new Uint8Array(FRAME_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  #end: number = FRAME_HEADER_BYTES;
  #position: number = 0;

  constructor(path: string) {
    this.#handle = openSync(path, 'w');
    zeroFill(this.#handle, FILE_BYTES);
  }

  /** Copies a payload behind a record header, word by word as the log does. */
  append(source: DataView, from: number, length: number): void {
    const view = this.#view;
    let at = this.#end;
    if (at + RECORD_HEADER_BYTES + length > FRAME_BYTES_MAX) throw new RangeError('a turn fits one frame');
    view.setInt32(at, 1, true);
    view.setInt32(at + 4, length, true);
    view.setInt32(at + 8, 0, true);
    view.setInt32(at + 12, 0, true);
    at += RECORD_HEADER_BYTES;
    const whole = length & -4;
    let i = 0;
    for (; i < whole; i += 4) view.setInt32(at + i, source.getInt32(from + i, true), true);
    for (; i < length; i++) view.setUint8(at + i, source.getUint8(from + i));
    this.#end = at + length;
  }

  /** Everything appended is durable on return. */
  commit(): void {
    const frameBytes = (this.#end + BLOCK_BYTES - 1) & -BLOCK_BYTES;
    this.#bytes.fill(0, this.#end, frameBytes);
    const checksum = crc32c(this.#bytes, FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0);
    this.#view.setInt32(0, checksum, true);
    if (this.#position + frameBytes > FILE_BYTES) this.#position = 0;
    writeFully(nodeFileIo, this.#handle, this.#bytes, frameBytes, this.#position);
    nodeFileIo.datasync(this.#handle);
    this.#position += frameBytes;
    this.#end = FRAME_HEADER_BYTES;
  }

  close(): void {
    closeSync(this.#handle);
  }
}

class EchoConnection {
  readonly #socket: Socket;
  readonly #server: EchoServer;
  readonly #splitter: FrameSplitter;
  #answers: Uint8Array = new Uint8Array(4096);
  #view: DataView = new DataView(this.#answers.buffer);
  #end: number = 0;

  constructor(socket: Socket, server: EchoServer) {
    this.#socket = socket;
    this.#server = server;
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
    const taken = this.#answers.slice(0, this.#end);
    this.#end = 0;
    if (!this.#socket.destroyed) this.#socket.write(taken);
  }

  #onRequest(view: DataView, offset: number, length: number): void {
    const payload = view.getInt32(offset + PAYLOAD_LENGTH_AT, true);
    if (PAYLOAD_AT + payload !== length) throw new RangeError('the request is one of the workload');
    this.#server.log.append(view, offset + PAYLOAD_AT, payload);
    const answerBytes = view.getUint8(offset + ANSWER_BYTES_AT);
    const at = this.#reserve(4 + answerBytes) + 4;
    const out = this.#view;
    out.setInt32(at - 4, answerBytes, true);
    for (let i = 0; i + 4 <= answerBytes; i += 4) out.setInt32(at + i, 1, true);
    out.setUint8(at, RESPONSE.SUBMIT_COMMITTED);
    out.setUint8(at + 9, view.getUint8(offset + ECHO_RESULT_AT));
    out.setUint8(at + 10, answerBytes > 13 ? 1 : 0);
    this.#end = at + answerBytes;
    this.#server.touched(this);
  }

  #welcome(): void {
    const welcome = encodeWelcome({
      version: PROTOCOL_VERSION,
      currentSlot: 0n,
      slotDurationMs: 100,
      lastDurableLsn: null,
      maxFrameBytes: REQUEST_BYTES_MAX,
      maxBatch: 1,
    });
    const at = this.#reserve(4 + welcome.length);
    this.#view.setInt32(at, welcome.length, true);
    this.#answers.set(welcome, at + 4);
    this.#end = at + 4 + welcome.length;
    this.send();
  }

  #reserve(bytes: number): number {
    if (this.#end + bytes > this.#answers.length) {
      const grown = new Uint8Array(2 * this.#answers.length + bytes);
      grown.set(this.#answers);
      this.#answers = grown;
      this.#view = new DataView(grown.buffer);
    }
    return this.#end;
  }
}

class EchoServer {
  readonly log: EchoLog;
  readonly #touched: Set<EchoConnection> = new Set();
  #turnScheduled: boolean = false;

  constructor(dir: string) {
    this.log = new EchoLog(join(dir, 'echo'));
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
    this.log.commit();
    for (const connection of this.#touched) connection.send();
    this.#touched.clear();
  }
}

function main(dir: string): void {
  const echo = new EchoServer(dir);
  const server = createServer({noDelay: true}, socket => new EchoConnection(socket, echo));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    process.stderr.write(`${JSON.stringify({event: 'listening', port})}\n`);
  });
  process.once('SIGTERM', () => {
    echo.log.close();
    process.exit(0);
  });
}

const [, , dir] = process.argv;
if (dir === undefined) throw new RangeError('usage: echo_server DIR');
main(dir);
