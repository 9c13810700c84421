/**
 * One case of abuse against the HTTP port: bytes go out, responses are taken apart as HTTP says, and everything that came
 * must be an answer: a success, or a problem with its media type and code that is no fault of the server, and then the end
 * of the connection. No test tool in it: tests and the campaign use it.
 */
import {connect} from 'node:net';
import {type AbuseCase, streamOf} from './abuse_cases.ts';

const LATE_MS = 60_000;
const PROBLEM = 'application/problem+json; charset=utf-8';
const SERVER_ERROR = 500;

/** A response as it came. Names of headers in lower case. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What came back on a connection. */
export interface HttpOutcome {
  /** Which promise broke; null where none did. */
  readonly fault: string | null;
  readonly responses: readonly HttpResponse[];
}

/** Sends a case, half-closes, and reads until the server ends the connection. */
export async function runHttpCase(port: number, abuse: AbuseCase): Promise<HttpOutcome> {
  const {bytes, how} = await exchange(port, streamOf(abuse), abuse.cuts);
  const {responses, rest, isStream, isHead} = responsesIn(bytes);
  const faults = responses.map(faultOf).filter(fault => fault !== null);
  if (how !== 'ended') faults.unshift(how);
  // An answer that has begun has no other: where bytes behind it are no HTTP, it ends with its connection.
  const mayBeCut = isStream || abuse.pieces.some(({isBroken}) => isBroken === true);
  if (rest > 0 && !(mayBeCut && isHead))
    faults.push(
      `${rest} bytes of a response that never ended: ${JSON.stringify(bytes.toString('latin1', bytes.length - rest).slice(0, 300))}`,
    );
  return {fault: faults[0] ?? null, responses};
}

function exchange(port: number, stream: Uint8Array, cuts: readonly number[]): Promise<{bytes: Buffer; how: string}> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    let isConnected = false;
    const socket = connect({port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true});
    const done = (how: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({bytes: Buffer.concat(chunks), how});
    };
    const timer = setTimeout(() => done(`the server has not ended it within ${LATE_MS} ms`), LATE_MS);
    socket.once('connect', async () => {
      isConnected = true;
      let at = 0;
      for (const cut of [...cuts, 100]) {
        const end = Math.floor((stream.length * cut) / 100);
        if (end > at) socket.write(stream.subarray(at, end));
        at = end;
        await new Promise(next => setImmediate(next));
      }
      if (!socket.destroyed) socket.end();
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('end', () => done('ended'));
    // What was said before a reset has arrived; a reset is how a server ends what would not be drained.
    socket.once('error', () => done(isConnected ? 'ended' : 'the server is not there'));
  });
}

/** What a connection has brought. */
interface Parsed {
  readonly responses: HttpResponse[];
  /** How many bytes are no whole response. */
  readonly rest: number;
  /** Whether they are a success that was being told in chunks: who closes their side, or sends rubbish, ends it. */
  readonly isStream: boolean;
  /** Whether they begin as a response does. */
  readonly isHead: boolean;
}

/** Takes responses apart; none of them may be to HEAD. */
function responsesIn(bytes: Buffer): Parsed {
  const responses: HttpResponse[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) break;
    const [first = '', ...lines] = bytes.subarray(at, end).toString('latin1').split('\r\n');
    const headers = new Map(
      lines.map(line => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? 0);
    const body = bodyIn(bytes, end + 4, status, headers);
    if (body === null) break;
    at = body.end;
    // Continue is no answer.
    if (status !== 100) responses.push({status, headers, body: body.text});
  }
  const isStream = /^HTTP\/1\.1 200 [\s\S]*?\r\ntransfer-encoding: chunked\r\n/i.test(
    bytes.toString('latin1', at, at + 2000),
  );
  const isHead = bytes.toString('latin1', at, at + 9) === 'HTTP/1.1 ';
  return {responses, rest: bytes.length - at, isStream, isHead};
}

function bodyIn(
  bytes: Buffer,
  begin: number,
  status: number,
  headers: ReadonlyMap<string, string>,
): {end: number; text: string} | null {
  if (headers.get('transfer-encoding') !== 'chunked') {
    const isEmpty = status < 200 || status === 204 || status === 304;
    const end = begin + (isEmpty ? 0 : Number(headers.get('content-length') ?? 0));
    return end > bytes.length ? null : {end, text: bytes.toString('utf8', begin, end)};
  }
  const parts: string[] = [];
  for (let at = begin; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || end > bytes.length) return null;
    parts.push(bytes.toString('utf8', lineEnd + 2, lineEnd + 2 + size));
    at = end;
    if (size === 0) return {end, text: parts.join('')};
  }
}

/** What is wrong with a response, whatever it answers. */
export function faultOf({status, headers, body}: HttpResponse): string | null {
  if (status < 100 || status > 599) return `the status ${status}`;
  if (status < 400) return null;
  if (headers.get('content-type') !== PROBLEM) return `${status} is ${headers.get('content-type') ?? 'nothing'}`;
  let problem: {readonly code?: unknown; readonly status?: unknown};
  try {
    problem = JSON.parse(body) as typeof problem;
  } catch {
    return `${status} with a problem that is no JSON`;
  }
  if (problem.status !== status || typeof problem.code !== 'string') return `${status} is told as ${body}`;
  return status === SERVER_ERROR ? `a client's fault is told as ${body}` : null;
}
