/**
 * Who is let in: by token, by certificate, by nothing; until when; and what a new token file changes for whom. Time is the
 * test's own.
 */
import {createHash} from 'node:crypto';
import {rmSync, writeFileSync} from 'node:fs';
import {pino} from 'pino';
import {afterEach, describe, expect, test} from 'vitest';
import {AccessList, type AccessOptions} from '../src/access/access_list.ts';
import type {Principal} from '../src/access/principal.ts';
import {RateLimiter} from '../src/access/rate_limiter.ts';
import {defaultAnonymousRole} from '../src/access/roles.ts';
import {isSettingError} from '../src/index.ts';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, type LogEvent, tempFile} from './command.ts';

afterEach(cleanUp);

function open(tokenFile: string | null, options: Partial<AccessOptions> = {}): {list: AccessList; events: LogEvent[]} {
  const events: LogEvent[] = [];
  const log = pino({base: null}, {write: line => events.push(JSON.parse(line) as LogEvent)});
  return {list: AccessList.open({tokenFile, anonymousRole: 'operate', sessionsMax: 10, log, ...options}), events};
}

const byToken = (list: AccessList, token: string): Principal | null => list.authenticate({token, commonName: null});
const byName = (list: AccessList, commonName: string): Principal | null => list.authenticate({token: '', commonName});

describe('without a token file', () => {
  test('everybody has the anonymous role, or nobody is let in', () => {
    for (const anonymousRole of ['read', 'write', 'operate'] as const) {
      const {list} = open(null, {anonymousRole});
      const principal = byToken(list, '');
      expect(principal).toMatchObject({name: 'anonymous', role: anonymousRole});
      expect(byToken(list, 'anything')).toBe(principal);
      expect(principal?.limiter.take(1_000_000)).toBe(0);
      expect(list.reload()).toBe(true);
    }
    const {list, events} = open(null, {anonymousRole: null});
    expect(byToken(list, '')).toBe(null);
    expect(byToken(list, 'anything')).toBe(null);
    expect(byName(list, 'anybody')).toBe(null);
    expect(events).toMatchObject([
      {event: 'access', level: 40, advice: expect.stringContaining('token file') as string},
    ]);
  });

  test.each([
    ['127.0.0.1', 'operate'],
    ['127.3.2.1', 'operate'],
    ['::1', 'operate'],
    ['localhost', 'operate'],
    ['::ffff:127.0.0.1', 'operate'],
    ['0.0.0.0', null],
    ['::', null],
    ['192.168.0.7', null],
    ['1.127.0.0', null],
    ['127.0.0.1.example', null],
    ['localhost.example', null],
    ['db.example', null],
    ['', null],
  ])('the default on %s is %s', (host, role) => {
    expect(defaultAnonymousRole(host)).toBe(role);
  });
});

describe('with a token file', () => {
  test('who presents a token is who it belongs to, and nobody else is anybody', () => {
    const file = new TokenFile({name: 'web', role: 'write'}, {name: 'board', role: 'read', options: 'rate=7'});
    const {list} = open(file.path);
    expect(byToken(list, file.tokenOf('web'))).toMatchObject({name: 'web', role: 'write', limiter: {rate: null}});
    expect(byToken(list, file.tokenOf('board'))).toMatchObject({name: 'board', role: 'read', limiter: {rate: 7}});
    expect(byToken(list, file.tokenOf('web'))).toBe(byToken(list, file.tokenOf('web')));
    const bytes = new TextEncoder().encode(file.tokenOf('web'));
    expect(list.authenticate({token: bytes, commonName: null})?.name).toBe('web');
    const [hash = ''] = file.secrets().slice(1);
    for (const wrong of ['', 'web', hash, `${file.tokenOf('web')} `, file.tokenOf('web').slice(1)]) {
      expect(byToken(list, wrong)).toBe(null);
    }
  });

  test('a certificate counts by its common name, and only where no token is presented', () => {
    const {list} = open(tempFile('tokens', 'door write cert:Door 7\nweb read cert:web\n'));
    expect(byName(list, 'Door 7')).toMatchObject({name: 'door', role: 'write'});
    for (const wrong of ['', 'door', 'Door  7', 'door 7', 'Door 7 ']) expect(byName(list, wrong)).toBe(null);
    // Its hash is kept like that of a token, and must not work as one.
    expect(byToken(list, 'Door 7')).toBe(null);
    expect(list.authenticate({token: 'wrong', commonName: 'Door 7'})).toBe(null);
  });

  test('and the hash of a common name does not open as a certificate what a token opens', () => {
    const sha256 = createHash('sha256').update('Door 7').digest('hex');
    const {list} = open(tempFile('tokens', `web write sha256:${sha256}\n`));
    expect(byToken(list, 'Door 7')?.name).toBe('web');
    expect(byName(list, 'Door 7')).toBe(null);
  });

  test('an entry counts until the moment it expires, and its sessions end then', () => {
    const end = Date.UTC(2031, 0, 1);
    let nowMs = end - 1;
    const file = new TokenFile(
      {name: 'web', role: 'write', options: 'expires=2031-01-01T00:00:00Z'},
      {name: 'board', role: 'read'},
    );
    const {list} = open(file.path, {now: () => nowMs});
    const told: string[] = [];
    for (const name of ['web', 'board']) {
      byToken(list, file.tokenOf(name))?.enter({onAccessEnd: text => told.push(`${name}: ${text}`)});
    }
    list.endExpired();
    expect(told).toEqual([]);
    nowMs = end;
    expect(byToken(list, file.tokenOf('web'))).toBe(null);
    list.endExpired();
    list.endExpired();
    expect(told).toEqual(['web: the access has expired']);
    expect(byToken(list, file.tokenOf('board'))?.sessionCount).toBe(1);
  });

  test.each([
    ['that is not there', null, /cannot be read/],
    ['without an entry', '# nobody\n', /has no entry/],
    ['with wrong lines', 'web\nweb write sha256:0\n', /line 1: .*; line 2: /],
  ])('one %s is refused with its name', (_what, text, message) => {
    const path = tempFile('tokens', text ?? '');
    if (text === null) rmSync(path);
    let error: unknown = null;
    try {
      open(path);
    } catch (thrown) {
      error = thrown;
    }
    expect(isSettingError(error)).toBe(true);
    expect(String(error)).toContain(path);
    expect(String(error)).toMatch(message);
  });
});

describe('a token file that is read again', () => {
  test('ends the sessions of who is gone or changed, and keeps everybody else as they are', () => {
    const [web, board, door, gate] = [
      {name: 'web', role: 'write', options: 'rate=5'},
      {name: 'board', role: 'read'},
      {name: 'door', role: 'write'},
      {name: 'gate', role: 'write', options: 'expires=2090-01-01T00:00:00Z'},
    ] as const;
    const file = new TokenFile(web, board, door, gate);
    const {list, events} = open(file.path);
    const told: string[] = [];
    const before = new Map(
      [web, board, door, gate].map(({name}) => {
        const principal = byToken(list, file.tokenOf(name));
        principal?.enter({onAccessEnd: () => told.push(name)});
        return [name, principal];
      }),
    );
    const guest = {name: 'guest', role: 'read'} as const;
    file.write(guest, gate, {...board, role: 'operate'}, web);
    expect(list.reload()).toBe(true);
    expect(told.sort()).toEqual(['board', 'door']);
    expect(byToken(list, file.tokenOf('web'))).toBe(before.get('web'));
    expect(byToken(list, file.tokenOf('gate'))).toBe(before.get('gate'));
    expect(byToken(list, file.tokenOf('door'))).toBe(null);
    expect(byToken(list, file.tokenOf('guest'))?.name).toBe('guest');
    expect(byToken(list, file.tokenOf('board'))).toMatchObject({role: 'operate', sessionCount: 0});
    file.write({...web, options: 'rate=6'});
    expect(list.reload()).toBe(true);
    expect(told.sort()).toEqual(['board', 'door', 'gate', 'web']);
    expect(events.slice(1)).toMatchObject([
      {event: 'access_reloaded', entries: 4, ended: 2},
      {event: 'access_reloaded', entries: 1, ended: 2},
    ]);
  });

  test('and is wrong or gone changes nothing, and the log says why', () => {
    const file = new TokenFile({name: 'web', role: 'write'});
    const {list, events} = open(file.path);
    const web = byToken(list, file.tokenOf('web'));
    web?.enter({onAccessEnd: () => expect.unreachable('nobody was revoked')});
    writeFileSync(file.path, `web write ${file.tokenOf('web')}\n`);
    expect(list.reload()).toBe(false);
    rmSync(file.path);
    expect(list.reload()).toBe(false);
    expect(byToken(list, file.tokenOf('web'))).toBe(web);
    expect(web?.sessionCount).toBe(1);
    expect(events.slice(1)).toMatchObject([
      {event: 'access_reload_failed', reason: expect.stringContaining('line 1') as string},
      {event: 'access_reload_failed', reason: expect.stringContaining('cannot be read') as string},
    ]);
    for (const secret of file.secrets()) expect(JSON.stringify(events)).not.toContain(secret);
  });

  test('and has no entry any more lets nobody in', () => {
    const file = new TokenFile({name: 'web', role: 'write'});
    const {list} = open(file.path);
    writeFileSync(file.path, '');
    expect(list.reload()).toBe(true);
    expect(byToken(list, file.tokenOf('web'))).toBe(null);
  });
});

test('a principal has so many sessions and no more, until one is left', () => {
  const {list} = open(null, {sessionsMax: 2});
  const principal = byToken(list, '');
  const sessions = [1, 2, 3].map(() => ({onAccessEnd: () => undefined}));
  const [first, second, third] = sessions as [(typeof sessions)[0], (typeof sessions)[0], (typeof sessions)[0]];
  expect([first, second, third].map(session => principal?.enter(session))).toEqual([true, true, false]);
  principal?.leave(third);
  expect(principal?.enter(third)).toBe(false);
  principal?.leave(first);
  expect(principal?.enter(third)).toBe(true);
  expect(principal?.sessionCount).toBe(2);
});

describe('a rate', () => {
  test('passes what a second allows at once, and then as much as time allows', () => {
    let nowMs = 1000;
    const limiter = new RateLimiter(100, () => nowMs);
    for (let i = 0; i < 100; i++) expect(limiter.take(1)).toBe(0);
    expect(limiter.take(1)).toBe(1);
    nowMs += 10;
    expect(limiter.take(1)).toBe(0);
    expect(limiter.take(1)).toBe(1);
    nowMs += 60_000;
    for (let i = 0; i < 100; i++) expect(limiter.take(1)).toBe(0);
    expect(limiter.take(1)).toBeGreaterThan(0);
  });

  test('lets one batch overdraw, and is then paid back before anything passes', () => {
    let nowMs = 0;
    const limiter = new RateLimiter(10, () => nowMs);
    expect(limiter.take(1)).toBe(0);
    expect(limiter.take(1000)).toBe(0);
    const waitMs = limiter.take(1);
    expect(waitMs).toBe(99_100);
    expect(limiter.take(1)).toBe(waitMs);
    nowMs += waitMs - 1;
    expect(limiter.take(1)).toBeGreaterThan(0);
    nowMs += 2;
    expect(limiter.take(1)).toBe(0);
  });

  test('that is none bounds nothing', () => {
    const limiter = new RateLimiter(null, () => 0);
    for (let i = 0; i < 1000; i++) expect(limiter.take(1_000_000)).toBe(0);
  });
});
