/**
 * Frames of abuse on the TCP port: random and changed ones, cut at every byte, with every length at its worst. Whatever
 * comes, each connection has the answers that it is owed and ends with the error that is due, and honest clients on other
 * connections notice nothing. `pnpm campaign abuse` runs the same cases by the million.
 */
import {connect} from 'node:net';
import {encodeHello, encodeRequest, PROTOCOL_VERSION} from '@allocdb/api';
import {configOfLimits} from '@allocdb/node';
import {Random} from '@allocdb/sim';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import type {Role} from '../src/index.ts';
import {type AbuseCase, caseOf, type Piece} from './abuse_cases.ts';
import {expectedOf, type Rules} from './abuse_expected.ts';
import {EXTREMES, FRAME_KINDS, framed, frameOf, lengthFieldsOf, withLength} from './abuse_frames.ts';
import {HonestClient} from './abuse_honest.ts';
import {connectionsAt, ROOMY} from './abuse_server_process.ts';
import {type AbuseTarget, describeCase, runCase, shrunk} from './abuse_session.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {create} from './requests.ts';

const MAX_FRAME_BYTES = 64 * 1024;
const MAX_BATCH = 3;
const LIMITS = {maxFrameBytes: MAX_FRAME_BYTES, maxBatch: MAX_BATCH, drainMs: 10_000};
const LANES = 8;
const CASES = 400;
/** So many that commits are shared, and nobody waits for a disk alone. */
const AT_ONCE = 32;
const ROOMY_CONFIG = configOfLimits({...ROOMY, maxReservations: 50_000, maxOperations: 200_000}, 100);
let honestClients = 0;

interface Abused extends TestServer {
  readonly tokens: Readonly<Record<Role, string>>;
  readonly target: AbuseTarget;
}

async function startAbused(): Promise<Abused> {
  const file = new TokenFile(
    {name: 'read', role: 'read'},
    {name: 'write', role: 'write'},
    {name: 'operate', role: 'operate'},
  );
  const started = await startServer({
    config: ROOMY_CONFIG,
    tokenFile: file.path,
    limits: LIMITS,
    http: {listen: {host: '127.0.0.1', port: 0}},
  });
  const tokens = {read: file.tokenOf('read'), write: file.tokenOf('write'), operate: file.tokenOf('operate')};
  const roleOf = (token: string): Role | null =>
    (Object.keys(tokens) as Role[]).find(role => tokens[role] === token) ?? null;
  const rules: Rules = {maxFrameBytes: MAX_FRAME_BYTES, maxBatch: MAX_BATCH, roleOf};
  return {...started, tokens, target: {port: started.port, rules}};
}

/** One for all tests: whatever was done to it by those before, it goes on as if nothing had been. */
let server: Abused;

beforeAll(async () => {
  server = await startAbused();
});
afterAll(async () => {
  await stopServers();
  await cleanUp();
});

/** Runs cases, several at a time, while an honest client works; everything is as it must be, and the server still there. */
async function expectJudged(cases: readonly AbuseCase[]): Promise<Map<string, number>> {
  const honest = await HonestClient.open({
    port: server.port,
    token: server.tokens.write,
    number: ++honestClients,
    lanes: LANES,
  });
  const faults: string[] = [];
  const ends = new Map<string, number>();
  let next = 0;
  const abuse = async (): Promise<void> => {
    while (next < cases.length && faults.length === 0) {
      const each = cases[next++] as AbuseCase;
      const {fault, end} = await runCase(server.target, each);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (fault !== null) faults.push(`${fault}\n${describeCase(each)}`);
    }
  };
  let isOver = false;
  const working = honest.workUntil(() => isOver);
  await Promise.all(Array.from({length: AT_ONCE}, abuse));
  isOver = true;
  await working;
  await honest.close();
  expect(faults).toEqual([]);
  expect(honest.wrong).toEqual([]);
  expect(honest.answers).toBeGreaterThan(0);
  expect(server.server.engine.state).toBe('running');
  return ends;
}

function helloOf(token: string): Piece {
  return {
    what: 'hello',
    bytes: framed(encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)})),
  };
}

const OTHERS: Piece = {
  what: 'get_metrics',
  bytes: framed(encodeRequest({type: 'get_metrics', currentWallClockSlot: 0n})),
};

/** One frame of every kind, each behind its prefix. */
function oneOfEach(seed: bigint): Piece[] {
  const random = new Random(seed);
  return FRAME_KINDS.map(kind => ({what: kind, bytes: framed(frameOf(random, kind, true))}));
}

test.each([
  ['may do everything, and names nobody else', 'operate', false],
  ['may write, and names the reservations of others', 'write', true],
  ['may only read', 'read', true],
] as const)('random and changed frames of somebody who %s', async (_what, role, knowsReal) => {
  const first = {read: 1n, write: 1_000_000n, operate: 2_000_000n}[role];
  const cases = Array.from({length: CASES}, (_, i) => caseOf(first + BigInt(i), server.tokens[role], knowsReal));
  const ends = await expectJudged(cases);
  const found = [...ends.keys()];
  expect(found).toEqual(expect.arrayContaining(['half_close', 'bad_magic', 'frame_too_large']));
  expect(found).toContain(role === 'operate' ? 'malformed_request' : 'forbidden');
});

describe('one frame of every kind', () => {
  test('cut at every byte, and then half-closed or closed: the answers before it, and the end', async () => {
    const hello = helloOf(server.tokens.operate);
    const cases: AbuseCase[] = [];
    const streams: Buffer[] = [];
    for (const [i, piece] of [hello, ...oneOfEach(7n)].entries()) {
      const before = i === 0 ? [] : [hello, OTHERS];
      for (let end = 1; end < piece.bytes.length; end++) {
        const cut = {what: `${piece.what} cut at ${end}`, bytes: piece.bytes.subarray(0, end)};
        const pieces = [...before, cut];
        cases.push({seed: BigInt(end), pieces, cuts: [], halfCloses: true});
        streams.push(Buffer.concat(pieces.map(({bytes}) => bytes)));
      }
    }
    expect(cases.length).toBeGreaterThan(1000);
    expect([...(await expectJudged(cases)).keys()]).toEqual(['half_close']);
    const after: AbuseCase = {seed: 0n, pieces: [hello, OTHERS], cuts: [], halfCloses: true};
    for (let at = 0; at < streams.length; at += 64) {
      await Promise.all(streams.slice(at, at + 64).map(stream => sendAndVanish(server.port, stream)));
      // It is accepted behind all of them: however fast they come, they do not fill the queue of the port.
      expect((await runCase(server.target, after)).fault).toBeNull();
    }
    const httpPort = server.server.httpAddress?.port ?? 0;
    const count = async (): Promise<number> => (await connectionsAt(httpPort, server.tokens.read)).count;
    await expect.poll(count, {timeout: 60_000}).toBe(0);
    await expectJudged([after]);
  });

  test('with every length and count in it at its worst', async () => {
    const hello = helloOf(server.tokens.operate);
    const cases: AbuseCase[] = [];
    for (const piece of [hello, ...oneOfEach(8n)]) {
      for (const field of lengthFieldsOf(piece.bytes)) {
        for (const value of EXTREMES) {
          const what = `${piece.what}, ${value} at ${field.at}`;
          const worst = {what, bytes: withLength(piece.bytes, field, value)};
          const pieces = piece === hello ? [worst, OTHERS] : [hello, OTHERS, worst, OTHERS];
          cases.push({seed: 0n, pieces, cuts: [], halfCloses: true});
        }
      }
    }
    const ends = await expectJudged(cases);
    expect([...ends.keys()]).toEqual(
      expect.arrayContaining(['bad_magic', 'frame_too_large', 'empty_frame', 'malformed_request']),
    );
  });

  test('too long, behind a page that is being made: its error is told also to a peer that half-closes', async () => {
    const scan = oneOfEach(12n).find(({what}) => what === 'scan_reservations') as Piece;
    const long = {what: 'a length', bytes: Uint8Array.of(0, 0, 0, 0x80)};
    const pieces = [helloOf(server.tokens.read), scan, OTHERS, scan, long];
    const ends = await expectJudged(
      Array.from({length: 50}, (_, i) => ({seed: BigInt(i), pieces, cuts: [], halfCloses: true})),
    );
    expect([...ends]).toEqual([['frame_too_large', 50]]);
  });

  test('before a hello: nothing is done, and that is said', async () => {
    const pieces = oneOfEach(9n).filter(({what}) => what !== 'hello');
    const cases = pieces.map(piece => ({seed: 0n, pieces: [piece, OTHERS], cuts: [], halfCloses: false}));
    expect([...(await expectJudged(cases)).keys()]).toEqual(['bad_magic']);
  });

  test('behind a subscription: the feed ends with an error, and nothing of it is done', async () => {
    const hello = helloOf(server.tokens.read);
    const subscribe = (from: number): Piece => {
      const bytes = new Uint8Array(9);
      bytes[0] = 0xf2;
      new DataView(bytes.buffer).setBigUint64(1, BigInt(from), true);
      return {what: `subscribe ${from}`, bytes: framed(bytes)};
    };
    const cases = oneOfEach(10n).flatMap(piece =>
      [0, 1, 2 ** 40].map(from => ({seed: 0n, pieces: [hello, subscribe(from), piece], cuts: [], halfCloses: false})),
    );
    await expectJudged(cases);
  });
});

/** Sends bytes and is gone, without looking at what comes. */
function sendAndVanish(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({port, host: '127.0.0.1'}, () => socket.write(bytes, () => socket.destroy()));
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
}

describe('the judge of all this', () => {
  const tampered: readonly (readonly [string, (frames: readonly Uint8Array[]) => readonly Uint8Array[]])[] = [
    ['loses the last frame', frames => frames.slice(0, -1)],
    ['doubles the last frame', frames => [...frames, ...frames.slice(-1)]],
    [
      'swaps two answers',
      frames => [...frames.slice(0, 1), ...frames.slice(2, 3), ...frames.slice(1, 2), ...frames.slice(3)],
    ],
    ['cuts an answer', frames => frames.map((frame, i) => (i === 1 ? frame.subarray(0, -1) : frame))],
  ];

  test.each(tampered)('finds a server that %s, and makes the case small', async (_what, tamper) => {
    const target = {...server.target, tamper};
    const read: Piece = {
      what: 'get_resource',
      bytes: framed(encodeRequest({type: 'get_resource', requiredLsn: null, resourceId: 1n})),
    };
    const made: Piece = {what: 'create', bytes: framed(encodeRequest(create(1n)))};
    const pieces = [
      helloOf(server.tokens.write),
      made,
      read,
      ...Array.from({length: 20}, () => OTHERS),
      ...oneOfEach(11n),
    ];
    const found: AbuseCase = {seed: 1n, pieces, cuts: [20, 60], halfCloses: true};
    expect(expectedOf(Buffer.concat(pieces.map(({bytes}) => bytes)), target.rules).requests.length).toBeGreaterThan(20);
    expect((await runCase(target, found)).fault).not.toBeNull();
    const small = await shrunk(found, async each => (await runCase(target, each)).fault !== null);
    expect(small.pieces.length).toBeLessThanOrEqual(3);
    expect((await runCase(target, small)).fault).not.toBeNull();
    expect((await runCase(server.target, small)).fault).toBeNull();
  });
});
