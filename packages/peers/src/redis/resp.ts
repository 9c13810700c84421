/**
 * The protocol of Redis as far as it is needed: commands as arrays of byte strings, replies read off the front of a buffer.
 *
 * Our own because of the comparison: with a general client the same server answered a third of the commands at 64
 * outstanding, and the figure would have been the client's.
 */
import type {OutBuffer} from '../out_buffer.ts';

/** An error that the server answered. */
export class RedisError extends Error {}

/** What a server answers. */
export type Reply = number | string | null | RedisError | readonly Reply[];

/** Takes a reply and answers where it ends; `undefined` while bytes are missing. */
interface Found {
  readonly reply: Reply;
  readonly end: number;
}

const CR = 13;

/** Writes a command of byte strings. */
export function writeCommand(out: OutBuffer, parts: readonly (string | Uint8Array)[]): void {
  out.latin1(`*${parts.length}\r\n`);
  for (const part of parts) {
    out.latin1(`$${part.length}\r\n`);
    if (typeof part === 'string') out.latin1(part);
    else out.raw(part);
    out.latin1('\r\n');
  }
}

/** Reads the whole replies at the front of `bytes`, and answers how many bytes those were. */
export function readReplies(bytes: Buffer, onReply: (reply: Reply) => void): number {
  let at = 0;
  for (;;) {
    const found = readReply(bytes, at);
    if (found === undefined) return at;
    at = found.end;
    onReply(found.reply);
  }
}

function readReply(bytes: Buffer, at: number): Found | undefined {
  const lineEnd = bytes.indexOf(CR, at);
  if (lineEnd < 0 || lineEnd + 2 > bytes.length) return undefined;
  const [kind, end] = [String.fromCharCode(bytes[at] ?? 0), lineEnd + 2];
  if (kind === ':') return {reply: wholeAt(bytes, at + 1, lineEnd), end};
  if (kind === '+') return {reply: bytes.toString('latin1', at + 1, lineEnd), end};
  if (kind === '-') return {reply: new RedisError(bytes.toString('latin1', at + 1, lineEnd)), end};
  const count = wholeAt(bytes, at + 1, lineEnd);
  if (count < 0) return {reply: null, end};
  if (kind === '$') {
    if (end + count + 2 > bytes.length) return undefined;
    return {reply: bytes.toString('latin1', end, end + count), end: end + count + 2};
  }
  if (kind !== '*') throw new Error(`Redis sent what is no reply: ${JSON.stringify(kind)}`);
  return readArray(bytes, end, count);
}

function readArray(bytes: Buffer, from: number, count: number): Found | undefined {
  const reply: Reply[] = [];
  let end = from;
  while (reply.length < count) {
    const found = readReply(bytes, end);
    if (found === undefined) return undefined;
    reply.push(found.reply);
    end = found.end;
  }
  return {reply, end};
}

function wholeAt(bytes: Buffer, from: number, end: number): number {
  const isNegative = bytes[from] === 45;
  let value = 0;
  for (let at = isNegative ? from + 1 : from; at < end; at++) value = 10 * value + (bytes[at] ?? 0) - 48;
  return isNegative ? -value : value;
}
