/**
 * One case of abuse against a server: the bytes go out on a connection of their own, what comes back is compared with what
 * is owed, and a case that breaks a promise is made as small as it can be. No test tool in it: tests and the campaign use it.
 */
import {connect, type Socket} from 'node:net';
import {connectionErrorName, decodeConnectionError} from '@allocdb/api';
import {type AbuseCase, streamOf} from './abuse_cases.ts';
import {type Expected, expectedOf, faultOf, type Received, type Rules} from './abuse_expected.ts';

const PREFIX = 4;
/** A server that has not ended a connection by then never will. */
const LATE_MS = 60_000;

/** Where cases go, and by which rules they are judged. */
export interface AbuseTarget {
  readonly port: number;
  readonly rules: Rules;
  /** A fault of the finder's own test: what came is changed before it is judged. */
  readonly tamper?: (frames: readonly Uint8Array[]) => readonly Uint8Array[];
}

/** How a case went. */
export interface Outcome {
  /** Which promise broke; null where none did. */
  readonly fault: string | null;
  /** Whole frames that the server read before the connection was over for it. */
  readonly frames: number;
  readonly answers: number;
  /** What ended it: the name of an error, or `half_close`. */
  readonly end: string;
}

/** How a connection ended for whoever made it. */
interface Exchange extends Received {
  readonly how: 'ended' | 'reset' | 'refused' | 'late';
}

/** Runs one case. Never rejects: a server that is gone is a fault too. */
export async function runCase(target: AbuseTarget, abuse: AbuseCase): Promise<Outcome> {
  const stream = streamOf(abuse);
  const expected = expectedOf(stream, target.rules);
  const {frames, restBytes, how} = await exchange(target.port, stream, abuse, expected);
  const judged = target.tamper === undefined ? frames : target.tamper(frames);
  return {
    fault: howFault(how) ?? caught(() => faultOf(expected, {frames: judged, restBytes})),
    frames: expected.frames,
    answers: expected.requests.length,
    end: endOf(frames),
  };
}

function howFault(how: Exchange['how']): string | null {
  if (how === 'refused') return 'the server is not there';
  return how === 'late' ? `the server has not ended it within ${LATE_MS} ms` : null;
}

/** What cannot be decoded is a fault of the server's. */
function caught(judge: () => string | null): string | null {
  try {
    return judge();
  } catch (error) {
    return String(error);
  }
}

function endOf(frames: readonly Uint8Array[]): string {
  const last = frames.at(-1);
  if (last?.[0] !== 0xff) return 'half_close';
  return connectionErrorName(decodeConnectionError(last).code) ?? 'unknown';
}

function exchange(
  port: number,
  stream: Uint8Array,
  {cuts, halfCloses}: AbuseCase,
  {errors}: Expected,
): Promise<Exchange> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    const socket = connect({port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true});
    let isConnected = false;
    const done = (how: Exchange['how']): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({...framesIn(Buffer.concat(chunks)), how});
    };
    const timer = setTimeout(() => done('late'), LATE_MS);
    socket.once('connect', () => {
      isConnected = true;
      // Where the server owes no end it is this side that has to.
      void speak(socket, stream, cuts, halfCloses || errors.length === 0);
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('end', () => done('ended'));
    socket.once('error', () => done(isConnected ? 'reset' : 'refused'));
  });
}

async function speak(socket: Socket, stream: Uint8Array, cuts: readonly number[], halfCloses: boolean): Promise<void> {
  let at = 0;
  for (const cut of [...cuts, 100]) {
    const end = Math.floor((stream.length * cut) / 100);
    if (end > at) socket.write(stream.subarray(at, end));
    at = end;
    await new Promise(resolve => setImmediate(resolve));
    if (socket.destroyed) return;
  }
  if (halfCloses) socket.end();
}

/** Takes what came apart. */
function framesIn(bytes: Buffer): Received {
  const frames: Uint8Array[] = [];
  let at = 0;
  while (bytes.length - at >= PREFIX) {
    const end = at + PREFIX + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    frames.push(bytes.subarray(at + PREFIX, end));
    at = end;
  }
  return {frames, restBytes: bytes.length - at};
}

/**
 * Leaves out of a case whatever can be left out while it still fails: halves, quarters, single pieces; then its cuts.
 * `fails` says whether a smaller one does.
 */
export async function shrunk(abuse: AbuseCase, fails: (smaller: AbuseCase) => Promise<boolean>): Promise<AbuseCase> {
  let least = abuse;
  for (let size = Math.ceil(least.pieces.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < least.pieces.length; ) {
      const pieces = [...least.pieces.slice(0, at), ...least.pieces.slice(at + size)];
      const smaller = {...least, pieces};
      if (pieces.length > 0 && (await fails(smaller))) least = smaller;
      else at += size;
    }
  }
  const whole = {...least, cuts: []};
  return (await fails(whole)) ? whole : least;
}

/** A case in words, and its bytes, from which it can be sent again. */
export function describeCase({seed, pieces, cuts, halfCloses}: AbuseCase): string {
  const lines = pieces.map(({what, bytes}) => `  ${what}: ${Buffer.from(bytes).toString('hex') || '(nothing)'}`);
  const how = `cut at ${cuts.map(cut => `${cut} %`).join(', ') || 'no place'}${halfCloses ? ', half-closed' : ''}`;
  return [`case ${seed}, ${pieces.length} pieces, ${how}:`, ...lines].join('\n');
}
