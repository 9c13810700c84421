/**
 * Cases of abuse for the HTTP port: requests made from the OpenAPI document, several on a connection, each of them right,
 * wrong in one place of what it says, or wrong as HTTP. A seed decides everything. And the ways to smuggle a request in that
 * a proxy before the port would not see, one by one, with how the port has to take them.
 *
 * Not here: the sending, and what is owed (`abuse_http_session.ts`).
 */
import {Random} from '@allocdb/sim';
import fc from 'fast-check';
import type {AbuseCase, Piece} from './abuse_cases.ts';
import {randomBytes} from './abuse_frames.ts';
import {CHANGES, valuesOf} from './http_arbitraries.ts';
import type {OpenApiDocument, Operation, Part} from './openapi_document.ts';

const IDS = Array.from({length: 20}, (_, i) => (0xabba_0000 + i).toString(16).padStart(32, '0'));
const PIECES_MAX = 4;
// Made once: to make one costs more than all that is drawn from it.
const ANY_TEXT = fc.string({unit: 'binary'}).filter(isText);
const SOME_TEXT = fc.string({unit: 'binary', minLength: 1}).filter(isText);
const PRINTABLE = fc.stringMatching(/^[!-~]{1,30}$/);
const PRINTABLE_QUERY = fc.stringMatching(/^\?[!-~]{0,40}$/);

/** Requests from the document, as text without what HTTP puts around a body. */
export interface Drawn {
  readonly what: string;
  readonly line: string;
  readonly body: string | null;
  /** Who asks; nobody without one. */
  readonly token?: string;
}

/** Draws so many requests for each operation of a document. */
export function requestsOf(document: OpenApiDocument, seed: number, each: number): Drawn[] {
  return document.operations.flatMap(operation => {
    const {method, path} = operation;
    const drawn = fc.sample(fc.tuple(pathsOf(path), queriesOf(operation), bodiesOf(document, operation)), {
      seed,
      numRuns: each,
    });
    return drawn.map(([at, query, body]) => ({
      what: `${method} ${path}`,
      // What an lsn brings that the log has come to has no end.
      line: `${method.toUpperCase()} ${at}${path === '/v1/changes' ? '?from=1000000000000' : query}`,
      body,
    }));
  });
}

function pathsOf(path: string): fc.Arbitrary<string> {
  const part = fc.oneof(
    {weight: 6, arbitrary: fc.constantFrom(...IDS)},
    {weight: 2, arbitrary: SOME_TEXT.map(encodeURIComponent)},
    {weight: 1, arbitrary: PRINTABLE},
    {weight: 1, arbitrary: fc.constantFrom('%', '%zz', '..', '%2e%2e%2f', '%00', 'a'.repeat(5000))},
  );
  return part.map(value => path.replace(/\{\w+\}/g, () => value));
}

function queriesOf({operation}: Operation): fc.Arbitrary<string> {
  const parameters = ((operation['parameters'] ?? []) as Part[]).filter(each => each['in'] === 'query');
  const text = fc.oneof(ANY_TEXT, fc.nat().map(String), fc.constantFrom(...IDS));
  const field = fc.tuple(fc.constantFrom('x', '', ...parameters.map(({name}) => String(name))), text);
  return fc.oneof(
    fc.constant(''),
    fc.array(field, {maxLength: 4}).map(fields => `?${new URLSearchParams(fields).toString()}`),
    PRINTABLE_QUERY,
  );
}

function bodiesOf(document: OpenApiDocument, {operation}: Operation): fc.Arbitrary<string | null> {
  const body = operation['requestBody'] as {content: Record<string, {schema: unknown}>} | undefined;
  if (body === undefined) return fc.oneof({weight: 4, arbitrary: fc.constant(null)}, fc.json());
  const right = valuesOf(document.expanded(body.content['application/json']?.schema), IDS);
  const wrong = fc.tuple(right, CHANGES).map(([value, change]) => change(value));
  return fc.oneof(
    {weight: 6, arbitrary: fc.oneof(right, wrong).map(value => JSON.stringify(value) ?? 'null')},
    {weight: 1, arbitrary: ANY_TEXT},
    {weight: 1, arbitrary: fc.constantFrom('', '{', '[', '{"a":'.repeat(2000), `"${'x'.repeat(3000)}"`, '\0')},
  );
}

/** False for halves of characters, which no UTF-8 has. */
function isText(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Makes a case out of drawn requests. */
export function httpCaseOf(seed: bigint, drawn: readonly Drawn[]): AbuseCase {
  const random = new Random(seed);
  const pieces = Array.from({length: random.between(1, PIECES_MAX)}, () => {
    const request = random.pickFrom(drawn) ?? {what: 'livez', line: 'GET /livez', body: null};
    const piece = {what: request.what, bytes: bytesOf(request, [])};
    return random.chance(60) ? piece : {...brokenHttp(random, request), isBroken: true};
  });
  const cuts = Array.from({length: random.below(3)}, () => random.below(101)).sort((a, b) => a - b);
  return {seed, pieces, cuts, halfCloses: true};
}

function bytesOf({line, body, token}: Drawn, headers: readonly string[]): Buffer {
  const who = token === undefined ? [] : [`authorization: Bearer ${token}`];
  const about = body === null ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`];
  return Buffer.from(
    `${line} HTTP/1.1\r\n${['host: test', ...who, ...about, ...headers].join('\r\n')}\r\n\r\n${body ?? ''}`,
  );
}

/** Lines of headers that are odd, forbidden or too much. */
const ODD_HEADERS: readonly string[] = [
  'no colon',
  ': no name',
  'name : blank before the colon',
  'nul: a\0b',
  'bare: a\rb',
  ' folded: line',
  'content-length: 5, 5',
  'content-length: -1',
  'content-length: +5',
  'content-length: 0x5',
  'content-length: 99999999999999999999',
  'content-length: 7',
  'transfer-encoding: chunked',
  'transfer-encoding: identity',
  'transfer-encoding: chunked, chunked',
  'transfer-encoding: xchunked',
  'transfer-encoding : chunked',
  'host: another',
  'connection: close',
  'connection: upgrade\r\nupgrade: websocket',
  'upgrade: h2c\r\nhttp2-settings: AAAA\r\nconnection: upgrade, http2-settings',
  'expect: 100-continue',
  'expect: the unexpected',
  'accept: text/plain',
  'accept: */*;q=nonsense',
  'content-encoding: gzip',
  'content-type: text/plain',
  'content-type: application/json; charset=utf-7',
  'content-type: ;;;',
  'idempotency-key: \t',
  `idempotency-key: ${'k'.repeat(5000)}`,
  'authorization: Bearer',
  `x-long: ${'x'.repeat(20_000)}`,
  `x-giant: ${'x'.repeat(80_000)}`,
  ...['last-event-id: 18446744073709551616', 'range: bytes=0-0', 'origin: null', 'sec-fetch-site: cross-site'],
];

/** Lines that are none of a request. */
const ODD_LINES: readonly string[] = [
  'GET / HTTP/0.9',
  'GET / HTTP/2.0',
  'GET / HTTP/1.1 more',
  'GET  /livez HTTP/1.1',
  'get /livez HTTP/1.1',
  'BREW /livez HTTP/1.1',
  'CONNECT example.test:443 HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'TRACE /v1/resources HTTP/1.1',
  'GET http://example.test/livez HTTP/1.1',
  'GET //livez HTTP/1.1',
  'GET /livez#part HTTP/1.1',
  'GET /\0 HTTP/1.1',
  'PRI * HTTP/2.0',
  `GET /${'a'.repeat(50_000)} HTTP/1.1`,
  `GET /${'a'.repeat(90_000)} HTTP/1.1`,
  '',
];

/** Bodies in chunks that are none. */
const ODD_CHUNKS: readonly string[] = [
  'zz\r\n{}\r\n0\r\n\r\n',
  '-2\r\n{}\r\n0\r\n\r\n',
  '0x2\r\n{}\r\n0\r\n\r\n',
  'ffffffffffffffff1\r\n{}\r\n0\r\n\r\n',
  '2 \r\n{}\r\n0\r\n\r\n',
  '2\n{}\n0\n\n',
  '2\r\n{}xx\r\n0\r\n\r\n',
  '2;a="\0"\r\n{}\r\n0\r\n\r\n',
  '0\r\ncontent-length: 5\r\n\r\n',
  '2\r\n{}\r\n',
];

function brokenHttp(random: Random, request: Drawn): Piece {
  const how = random.pick(['header', 'line', 'cut', 'flipped', 'noise', 'chunks', 'bare lines', 'two lengths']);
  const what = `${request.what}, ${how}`;
  const whole = bytesOf(request, []);
  switch (how) {
    case 'header':
      return {what, bytes: bytesOf(request, [random.pickFrom(ODD_HEADERS) ?? ''])};
    case 'line':
      return {what, bytes: Buffer.from(`${random.pickFrom(ODD_LINES)}\r\nhost: test\r\n\r\n`, 'latin1')};
    case 'cut':
      return {what, bytes: whole.subarray(0, random.below(whole.length))};
    case 'flipped': {
      const bytes = Buffer.from(whole);
      const at = random.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return {what, bytes};
    }
    case 'noise':
      return {what, bytes: randomBytes(random, random.between(1, 200))};
    case 'chunks': {
      const headers = ['content-type: application/json', 'transfer-encoding: chunked'];
      const head = bytesOf({...request, body: null}, headers);
      return {what, bytes: Buffer.concat([head, Buffer.from(random.pickFrom(ODD_CHUNKS) ?? '', 'latin1')])};
    }
    case 'bare lines':
      return {what, bytes: Buffer.from(whole.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')};
    default:
      return {what, bytes: bytesOf(request, ['content-length: 3'])};
  }
}

/** A way to smuggle: what is sent, with the request that nobody is to see behind it. */
export function smugglings(hidden: string): readonly (readonly [string, string])[] {
  const head = 'POST /v1/batch HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n';
  const both = (length: number): string => `content-length: ${length}\r\ntransfer-encoding: chunked\r\n`;
  return [
    ['a length and chunks', `${head}${both(5)}\r\n0\r\n\r\n${hidden}`],
    ['chunks and a length', `${head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n${hidden}`],
    ['two lengths', `${head}content-length: 0\r\ncontent-length: ${hidden.length}\r\n\r\n${hidden}`],
    ['a list of lengths', `${head}content-length: 0, ${hidden.length}\r\n\r\n${hidden}`],
    ['a blank before the colon', `${head}content-length: 5\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks that are something else', `${head}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks twice', `${head}transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks not last', `${head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`],
    ['a folded header', `${head}transfer-encoding:\r\n chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n${hidden}`],
    ['a NUL in a length', `${head}content-length: 0\0\r\n\r\n${hidden}`],
    ['a bare carriage return', `${head}x: a\rcontent-length: 0\r\n\r\n${hidden}`],
    ['a length with a sign', `${head}content-length: +0\r\n\r\n${hidden}`],
    ['a chunk size too large', `${head}transfer-encoding: chunked\r\n\r\n10000000000000000\r\n${hidden}`],
    ['a chunk size that is none', `${head}transfer-encoding: chunked\r\n\r\n0x0\r\n\r\n${hidden}`],
    ['a chunk longer than it says', `${head}transfer-encoding: chunked\r\n\r\n1\r\n{}${hidden}`],
    ['two hosts and a length', `${head}host: other\r\n${both(5)}\r\n0\r\n\r\n${hidden}`],
  ];
}
