/**
 * Every credential against every request and every command, over TCP: what is allowed is answered, what is not ends the
 * connection behind the answers before it, and nothing of it is executed. The table of what needs which role is spelled out
 * here once more, so that it does not change by accident.
 */
import {
  type ApiRequest,
  COMMAND,
  CONNECTION_ERROR,
  CONNECTION_FRAME,
  decodeConnectionError,
  decodeResponse,
  encodeHello,
  encodeRequest,
  encodeSubscribe,
  PROTOCOL_VERSION,
  type REQUEST,
} from '@allocdb/api';
import type {Command} from '@allocdb/sim';
import {afterEach, describe, expect, test} from 'vitest';
import {ROLES, type Role} from '../src/index.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, until} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS, getResource, payload} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

type Needs = Role | 'nobody';

const REQUESTS: Record<keyof typeof REQUEST, readonly [Needs, ApiRequest]> = {
  SUBMIT: ['write', create(1n)],
  SUBMIT_BATCH: ['write', {type: 'submit_batch', requestSlot: 0n, payloads: []}],
  GET_RESOURCE: ['read', getResource(1n)],
  GET_RESERVATION: ['read', {type: 'get_reservation', requiredLsn: null, currentSlot: 0n, reservationId: 1n}],
  GET_LEASE: ['read', {type: 'get_lease', requiredLsn: null, currentSlot: 0n, reservationId: 1n}],
  GET_METRICS: ['read', GET_METRICS],
  SCAN_RESOURCES: ['read', {type: 'scan_resources', requiredLsn: null, state: null, position: 0n, limit: 0}],
  SCAN_RESERVATIONS: [
    'read',
    {
      type: 'scan_reservations',
      requiredLsn: null,
      currentSlot: 0n,
      holderId: null,
      state: null,
      position: 0n,
      limit: 0,
    },
  ],
  // Nobody's: the server ticks by itself.
  TICK_EXPIRATIONS: ['nobody', {type: 'tick_expirations', currentWallClockSlot: 0n}],
};

const reservation = {reservationId: 5n} as const;
const held = {...reservation, holderId: 1n} as const;
const COMMANDS: Record<Exclude<keyof typeof COMMAND, 'EXPIRE'>, readonly [Role, Command]> = {
  CREATE_RESOURCE: ['write', {kind: 'create_resource', resourceId: 9n}],
  RESERVE: ['write', {kind: 'reserve', resourceId: 9n, holderId: 1n, ttlSlots: 5n}],
  RESERVE_BUNDLE: ['write', {kind: 'reserve_bundle', resourceIds: [9n, 10n], holderId: 1n, ttlSlots: 5n}],
  CONFIRM: ['write', {kind: 'confirm', ...held}],
  CONFIRM_FENCED: ['write', {kind: 'confirm_fenced', ...held, leaseEpoch: 1n}],
  RELEASE: ['write', {kind: 'release', ...held}],
  RELEASE_FENCED: ['write', {kind: 'release_fenced', ...held, leaseEpoch: 1n}],
  REVOKE: ['operate', {kind: 'revoke', ...reservation}],
  RECLAIM: ['operate', {kind: 'reclaim', ...reservation}],
};

/** A payload with a tag that no client's command has. */
function unknownCommand(operationId: bigint, tag: number): Uint8Array {
  const bytes = payload(operationId, {kind: 'create_resource', resourceId: 9n});
  bytes[32] = tag;
  return bytes;
}

const HOLDERS = [
  {name: 'reader', role: 'read'},
  {name: 'writer', role: 'write'},
  {name: 'operator', role: 'operate'},
  {name: 'gone', role: 'operate', options: 'expires=2020-01-01T00:00:00Z'},
] as const;
const NAMES: Readonly<Record<Role, string>> = {read: 'reader', write: 'writer', operate: 'operator'};

interface Guarded extends TestServer {
  readonly file: TokenFile;
}

async function startGuarded(trustClientSlots: boolean = false): Promise<Guarded> {
  const file = new TokenFile(...HOLDERS);
  return {...(await startServer({tokenFile: file.path, trustClientSlots})), file};
}

const includes = (role: Role, needs: Needs): boolean =>
  needs !== 'nobody' && ROLES.indexOf(role) >= ROLES.indexOf(needs);

/**
 * Sends a read, the frame and a read behind it, in one piece. Answers the frame's answer, or null where it ended the
 * connection as forbidden: then the read before it was answered, and nothing came behind.
 */
async function answerTo({port, file}: Guarded, role: Role, frame: Uint8Array): Promise<Uint8Array | null> {
  const peer = await Peer.open(port, file.tokenOf(NAMES[role]));
  peer.send(encodeRequest(GET_METRICS), frame, encodeRequest(GET_METRICS));
  const [before, answer] = await peer.take(2);
  expect(decodeResponse(before ?? new Uint8Array(0)).type).toBe('metrics');
  if (answer?.[0] !== CONNECTION_FRAME.ERROR) {
    await peer.take(1);
    await peer.close();
    return answer ?? null;
  }
  const {code, text} = decodeConnectionError(answer);
  expect(code).toBe(CONNECTION_ERROR.FORBIDDEN);
  expect(text).not.toContain(file.tokenOf(NAMES[role]));
  peer.end();
  await until(() => peer.isClosed, 'the connection to close');
  expect(peer.takeAll()).toEqual([]);
  return null;
}

describe.each(ROLES)('with the role %s', role => {
  test('every request is answered or forbidden', async () => {
    const guarded = await startGuarded();
    for (const [name, [needs, request]] of Object.entries(REQUESTS)) {
      const answer = await answerTo(guarded, role, encodeRequest(request));
      expect(answer !== null, name).toBe(includes(role, needs));
    }
    expect(guarded.server.engine.durableLsn).toBe(includes(role, 'write') ? 1n : null);
  });

  test('every command is answered or forbidden, by itself and in a batch that then executes nothing', async () => {
    const guarded = await startGuarded();
    const {engine} = guarded.server;
    let operationId = 100n;
    let lsn: bigint | null = null;
    for (const [name, [needs, command]] of Object.entries(COMMANDS)) {
      const isAllowed = includes(role, needs);
      const single = encodeRequest({type: 'submit', requestSlot: 0n, payload: payload(++operationId, command)});
      const answer = await answerTo(guarded, role, single);
      expect(answer !== null, name).toBe(isAllowed);
      if (answer !== null) expect(decodeResponse(answer).type, name).toBe('submit_committed');
      const payloads = [
        payload(++operationId, {kind: 'create_resource', resourceId: operationId}),
        payload(++operationId, command),
      ];
      const batch = await answerTo(guarded, role, encodeRequest({type: 'submit_batch', requestSlot: 0n, payloads}));
      expect(batch !== null, `${name} in a batch`).toBe(isAllowed);
      if (isAllowed) lsn = (lsn ?? 0n) + 3n;
      expect(engine.durableLsn, name).toBe(lsn);
    }
  });

  test('what has no rule is not executed', async () => {
    const guarded = await startGuarded();
    for (const tag of [COMMAND.EXPIRE, 0, 77, 255]) {
      const frame = encodeRequest({type: 'submit', requestSlot: 0n, payload: unknownCommand(1n, tag)});
      const answer = await answerTo(guarded, role, frame);
      // Who may do everything is told by the engine that there is no such command.
      if (role === 'operate') {
        const failure = {code: 'invalid_request', reason: 'invalid_command_tag', commandTag: tag};
        expect(decodeResponse(answer ?? new Uint8Array(0))).toEqual({type: 'submit_rejected', failure});
      } else expect(answer).toBe(null);
    }
    expect(guarded.server.engine.durableLsn).toBe(null);
  });

  test('a change feed begins', async () => {
    const {port, file} = await startGuarded();
    const peer = await Peer.open(port, file.tokenOf(NAMES[role]));
    const operator = await Peer.open(port, file.tokenOf('operator'));
    peer.send(encodeSubscribe(1n));
    await operator.ask(create(1n));
    const [change] = await peer.take(1);
    expect(change?.[0]).toBe(CONNECTION_FRAME.CHANGE);
    await Promise.all([peer.close(), operator.close()]);
  });

  test('a tick is for operators, and only where slots are trusted', async () => {
    const trusting = await startGuarded(true);
    const tick = encodeRequest({type: 'tick_expirations', currentWallClockSlot: 5n});
    const answer = await answerTo(trusting, role, tick);
    expect(answer !== null).toBe(role === 'operate');
  });
});

describe.each([
  ['no token', () => ''],
  ['a wrong token', () => 'allocdb_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ['an expired token', (file: TokenFile) => file.tokenOf('gone')],
  ['the hash of a token', (file: TokenFile) => file.secrets()[1] ?? ''],
  ['a name', () => 'operator'],
])('with %s', (_what, tokenOf) => {
  test('nothing is answered but that nobody is let in', async () => {
    const {server, port, file, events} = await startGuarded();
    const token = tokenOf(file);
    const hello = encodeHello({version: PROTOCOL_VERSION, token: new TextEncoder().encode(token)});
    const frames = [
      ...Object.values(REQUESTS).map(([, request]) => encodeRequest(request)),
      ...Object.values(COMMANDS).map(([, command]) =>
        encodeRequest({type: 'submit', requestSlot: 0n, payload: payload(1n, command)}),
      ),
      encodeSubscribe(1n),
    ];
    for (const frame of frames) {
      const peer = await Peer.connect(port);
      peer.send(hello, frame);
      const error = await peer.error();
      expect(error.code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
      expect(peer.takeAll()).toEqual([]);
      if (token !== '') expect(error.text).not.toContain(token);
      await peer.close();
    }
    expect(server.engine.durableLsn).toBe(null);
    for (const secret of file.secrets()) expect(JSON.stringify(events)).not.toContain(secret);
  });
});

test('where nobody is let in without a token, and there is no token file, nobody is let in', async () => {
  const {port, events} = await startServer({anonymousRole: null});
  const peer = await Peer.connect(port);
  peer.send(encodeHello({version: PROTOCOL_VERSION, token: new Uint8Array(0)}), encodeRequest(GET_METRICS));
  expect((await peer.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  expect(events.some(event => event.event === 'access' && event['level'] === 40)).toBe(true);
  await peer.close();
});

test('where everybody may read without a token, nobody may do more', async () => {
  const {server, port} = await startServer({anonymousRole: 'read'});
  const peer = await Peer.open(port);
  peer.send(encodeRequest(GET_METRICS), encodeRequest(create(1n)));
  await peer.take(1);
  const {code, text} = await peer.error();
  expect(code).toBe(CONNECTION_ERROR.FORBIDDEN);
  expect(text).toBe('anonymous has the role read, which does not allow submit');
  expect(server.engine.durableLsn).toBe(null);
  await peer.close();
});
