/**
 * What a server owes a connection for the bytes that it was sent: how many answers, of what kind each, and how it ends. It
 * is told from the bytes by the rules of the protocol alone, with a splitter and a reading of its own, so that an answer
 * too many, one that is missing, one in another's place and an end without a word are all found.
 */
import {
  type ApiRequest,
  CONNECTION_ERROR,
  CONNECTION_FRAME,
  CodecError,
  decodeChange,
  decodeConnectionError,
  decodeFeedEnd,
  decodeHello,
  decodeRequest,
  decodeResponse,
  decodeSubscribe,
  decodeWelcome,
  type Hello,
  PROTOCOL_VERSION,
  REQUEST,
} from '@allocdb/api';
import {rankOf, refusedIn} from '../src/access/frame_access.ts';
import type {Role} from '../src/index.ts';

const PREFIX = 4;
const HELLO_BYTES_MAX = 9 + 0xffff;
const ALLOWED = -1;
const E = CONNECTION_ERROR;

/** What may be said to a request, by its type. */
const ANSWERS: Readonly<Record<ApiRequest['type'], readonly string[]>> = {
  submit: ['submit_committed', 'submit_rejected'],
  submit_batch: ['batch_result'],
  get_resource: ['resource_found', 'resource_not_found', 'resource_fence_not_applied'],
  get_reservation: [
    'reservation_found',
    'reservation_not_found',
    'reservation_retired',
    'reservation_fence_not_applied',
  ],
  get_lease: ['lease_found', 'reservation_not_found', 'reservation_retired', 'reservation_fence_not_applied'],
  get_metrics: ['metrics'],
  scan_resources: ['resources_page', 'resource_fence_not_applied'],
  scan_reservations: ['reservations_page', 'reservation_fence_not_applied'],
  tick_expirations: [],
};

/** Bounds and role by which a server judges. */
export interface Rules {
  readonly maxFrameBytes: number;
  readonly maxBatch: number;
  /** Who has this token; null for nobody. */
  readonly roleOf: (token: string) => Role | null;
}

/** What is owed. */
export interface Expected {
  readonly isWelcomed: boolean;
  readonly requests: readonly ApiRequest[];
  /** Whether changes come behind the answers. */
  readonly feeds: boolean;
  /** Codes of the error with which the server ends it, each as good as the others; none where only the peer does. */
  readonly errors: readonly number[];
  /** How many whole frames were read. */
  readonly frames: number;
}

/** Reads what was sent as a server must. */
export function expectedOf(stream: Uint8Array, rules: Rules): Expected {
  const requests: ApiRequest[] = [];
  let role: Role | null = null;
  let feeds = false;
  let frames = 0;
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const endWith = (...errors: number[]): Expected => ({isWelcomed: role !== null, requests, feeds, errors, frames});
  for (let at = 0; stream.length - at >= PREFIX; ) {
    // How much of it a server sees before it can tell depends on how it arrives.
    if (at === 0 && stream[0] === 0x16 && stream[1] === 3 && (stream[2] ?? 0) >= 1)
      return endWith(E.BAD_MAGIC, E.FRAME_TOO_LARGE);
    const length = view.getUint32(at, true);
    if (length === 0) return endWith(E.EMPTY_FRAME);
    if (length > rules.maxFrameBytes) return endWith(E.FRAME_TOO_LARGE);
    const end = at + PREFIX + length;
    if (end > stream.length) {
      const isTooMuch = role === null && stream.length - at > HELLO_BYTES_MAX;
      return isTooMuch ? endWith(E.BAD_MAGIC) : endWith();
    }
    const frame = stream.subarray(at + PREFIX, end);
    at = end;
    frames++;
    if (feeds) return endWith(E.MALFORMED_REQUEST);
    if (role === null) {
      const hello = read(frame, decodeHello);
      const error = hello === null ? E.BAD_MAGIC : helloError(hello, rules);
      if (hello === null || error !== null) return endWith(error ?? E.BAD_MAGIC);
      role = rules.roleOf(new TextDecoder().decode(hello.token));
      continue;
    }
    const error = takeFrame(frame, role, rules, requests);
    if (error !== null) return endWith(error);
    feeds = frame[0] === CONNECTION_FRAME.SUBSCRIBE;
  }
  return endWith();
}

function helloError({version, token}: Hello, {roleOf}: Rules): number | null {
  if (version !== PROTOCOL_VERSION) return E.UNSUPPORTED_VERSION;
  return roleOf(new TextDecoder().decode(token)) === null ? E.UNAUTHORIZED : null;
}

/** The error that a frame behind the hello is; null where it is taken. */
function takeFrame(frame: Uint8Array, role: Role, rules: Rules, requests: ApiRequest[]): number | null {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  // Whoever may do everything has no gate: what is no request is malformed then, not forbidden.
  if (role !== 'operate' && refusedIn(rankOf(role), view, 0, frame.length) !== ALLOWED) return E.FORBIDDEN;
  if (frame[0] === REQUEST.TICK_EXPIRATIONS) return E.FORBIDDEN;
  if (frame[0] === CONNECTION_FRAME.SUBSCRIBE)
    return read(frame, decodeSubscribe) === null ? E.MALFORMED_REQUEST : null;
  const request = read(frame, decodeRequest);
  if (request === null) return E.MALFORMED_REQUEST;
  if (request.type === 'submit_batch' && request.payloads.length > rules.maxBatch) return E.BATCH_TOO_LARGE;
  requests.push(request);
  return null;
}

function read<Value>(frame: Uint8Array, decode: (frame: Uint8Array) => Value): Value | null {
  try {
    return decode(frame);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

/** What came back on a connection. */
export interface Received {
  readonly frames: readonly Uint8Array[];
  /** Bytes behind the last whole frame. */
  readonly restBytes: number;
}

/** Why what came back is not what was owed; null where it is. */
export function faultOf(expected: Expected, {frames, restBytes}: Received): string | null {
  if (restBytes > 0) return `${restBytes} bytes of a frame that never ended`;
  let at = 0;
  if (expected.isWelcomed) {
    const welcome = frames[at++];
    if (welcome === undefined) return 'no welcome';
    if (welcome[0] === CONNECTION_FRAME.ERROR) return `instead of a welcome ${errorText(welcome)}`;
    if (decodeWelcome(welcome).version !== PROTOCOL_VERSION) return 'a welcome of another version';
  }
  for (const [i, request] of expected.requests.entries()) {
    const frame = frames[at++];
    if (frame === undefined) return `${i} answers to ${expected.requests.length} requests`;
    const fault = answerFault(request, frame);
    if (fault !== null) return `request ${i}, ${request.type}: ${fault}`;
  }
  let hasFeedEnded = false;
  while (expected.feeds && !hasFeedEnded && at < frames.length && frames[at]?.[0] !== CONNECTION_FRAME.ERROR) {
    const frame = frames[at++] ?? new Uint8Array(0);
    hasFeedEnded = frame[0] === CONNECTION_FRAME.FEED_END;
    if (hasFeedEnded) decodeFeedEnd(frame);
    else decodeChange(frame);
  }
  return endFault(expected, frames.slice(at), hasFeedEnded);
}

function answerFault(request: ApiRequest, frame: Uint8Array): string | null {
  if (frame[0] === CONNECTION_FRAME.ERROR) return `instead of an answer ${errorText(frame)}`;
  const response = decodeResponse(frame);
  if (!ANSWERS[request.type].includes(response.type)) return `answered with ${response.type}`;
  if (request.type === 'submit_batch' && response.type === 'batch_result') {
    const [asked, told] = [request.payloads.length, response.results.length];
    if (asked !== told) return `${told} results of ${asked} commands`;
  }
  return null;
}

function errorText(frame: Uint8Array): string {
  const {code, text} = decodeConnectionError(frame);
  return `the error ${code}: ${text}`;
}

function endFault({errors}: Expected, last: readonly Uint8Array[], hasFeedEnded: boolean): string | null {
  const [frame, ...more] = last;
  if (more.length > 0) return `${last.length} frames where one ends it`;
  // A feed that has ended takes nothing in any more, also nothing that is wrong.
  if (frame === undefined)
    return errors.length === 0 || hasFeedEnded ? null : `no error, but ${errors.join(' or ')} is due`;
  if (hasFeedEnded) return 'something behind the end of the feed';
  if (frame[0] !== CONNECTION_FRAME.ERROR) return `a frame ${frame[0]} that nobody asked for`;
  const {code, text} = decodeConnectionError(frame);
  if (!errors.includes(code)) return `the error ${code} (${text}), not ${errors.join(' or ') || 'none'}`;
  return text === '' ? 'an error that says nothing' : null;
}
