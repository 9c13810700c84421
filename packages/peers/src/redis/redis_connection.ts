/**
 * A connection to Redis: commands of the loop as calls of the functions in schemas/redis.lua, pipelined, one write for all
 * that a chunk of answers brought about; and any other command with its reply, for setting up and looking.
 *
 * Redis answers in order, so a queue of those who wait is all that is needed to tell answers apart.
 */
import type {Socket} from 'node:net';
import {KIND, type PeerCommand} from '../command.ts';
import {type AnswerTarget, NOBODY, type PeerConnection} from '../connection.ts';
import {OutBuffer} from '../out_buffer.ts';
import {endSocket, openSocket, Reassembly} from '../socket.ts';
import {RedisError, type Reply, readReplies, writeCommand} from './resp.ts';

const CALLS: Readonly<Record<number, string>> = {
  [KIND.RESERVE]: '*7\r\n$5\r\nFCALL\r\n$7\r\nreserve\r\n$1\r\n0\r\n$16\r\n',
  [KIND.CONFIRM]: '*6\r\n$5\r\nFCALL\r\n$7\r\nconfirm\r\n$1\r\n0\r\n$16\r\n',
  [KIND.RELEASE]: '*6\r\n$5\r\nFCALL\r\n$7\r\nrelease\r\n$1\r\n0\r\n$16\r\n',
};
const ID_FOLLOWS = '\r\n$16\r\n';

export class RedisConnection implements PeerConnection {
  target: AnswerTarget = NOBODY;
  readonly #socket: Socket;
  readonly #out: OutBuffer = new OutBuffer();
  readonly #input: Reassembly = new Reassembly();
  /** Those who asked by `ask`; commands of the loop and these are never outstanding at the same time. */
  readonly #asking: ((reply: Reply) => void)[] = [];
  #onLost: (error: Error) => void = () => undefined;
  #isClosing: boolean = false;

  static async open(port: number): Promise<RedisConnection> {
    return new RedisConnection(await openSocket(port));
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', chunk => this.#onData(chunk));
    socket.on('error', error => this.#lost(error));
    socket.on('close', () => this.#lost(new Error('Redis closed a connection')));
  }

  send(command: PeerCommand): void {
    const out = this.#out;
    const {kind, operation, holder} = command;
    out.latin1(CALLS[kind] ?? '');
    out.raw(operation);
    if (kind === KIND.RESERVE) {
      out.latin1(ID_FOLLOWS);
      out.raw(command.resource);
    } else this.#text(String(command.reservation));
    out.latin1(ID_FOLLOWS);
    out.raw(holder);
    if (kind === KIND.RESERVE) this.#text(String(command.ttlMs));
    out.latin1('\r\n');
  }

  flush(): void {
    this.#out.sendTo(this.#socket);
  }

  /** Any command, and its reply. Rejects with what Redis answered when that is an error. */
  async ask(...parts: readonly (string | Uint8Array)[]): Promise<Reply> {
    const [reply] = await this.askAll([parts]);
    return reply ?? null;
  }

  /** Many commands in one write, and their replies. */
  async askAll(commands: readonly (readonly (string | Uint8Array)[])[]): Promise<Reply[]> {
    const replies = commands.map(
      () =>
        new Promise<Reply>((resolve, reject) => {
          this.#onLost = reject;
          this.#asking.push(reply => (reply instanceof RedisError ? reject(reply) : resolve(reply)));
        }),
    );
    for (const parts of commands) writeCommand(this.#out, parts);
    this.flush();
    return Promise.all(replies);
  }

  close(): Promise<void> {
    this.#isClosing = true;
    return endSocket(this.#socket);
  }

  #text(text: string): void {
    this.#out.latin1(`\r\n$${text.length}\r\n${text}`);
  }

  #onData(chunk: Buffer): void {
    try {
      this.target.onChunk();
      this.#input.push(chunk, bytes => readReplies(bytes, reply => this.#onReply(reply)));
    } catch (error) {
      this.target.onError(error instanceof Error ? error : new Error(String(error)));
    }
    this.flush();
  }

  #onReply(reply: Reply): void {
    const asking = this.#asking.shift();
    if (asking !== undefined) asking(reply);
    else if (reply instanceof RedisError) throw reply;
    else if (!Array.isArray(reply)) throw new Error(`a command was answered by ${JSON.stringify(reply)}`);
    else this.target.onAnswer(Number(reply[0]), Number(reply[1]));
  }

  #lost(error: Error): void {
    if (this.#isClosing) return;
    if (this.#asking.length > 0) this.#onLost(error);
    else if (this.target !== NOBODY) this.target.onError(error);
  }
}
