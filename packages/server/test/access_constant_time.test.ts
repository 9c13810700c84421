/**
 * How secrets are compared: by digests of one length, in constant time, with every entry, whatever is presented and
 * whichever entry it is, over TCP's way in and HTTP's, which are one.
 */
import {createHash, timingSafeEqual} from 'node:crypto';
import {pino} from 'pino';
import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {AccessList, type Credentials} from '../src/access/index.ts';
import {generateToken} from '../src/access/token.ts';
import {cleanUp, tempFile} from './command.ts';

vi.mock('node:crypto', async original => {
  const crypto = await original<typeof import('node:crypto')>();
  return {...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual)};
});

const compared = vi.mocked(timingSafeEqual);

beforeEach(() => {
  compared.mockClear();
});
afterEach(cleanUp);

const [first, second, past] = [generateToken(), generateToken(), generateToken()];
const LINES = [
  first.hashLine('first', 'read'),
  'gate operate cert:gate.example',
  `${past.hashLine('past', 'write')} expires=2001-01-01T00:00:00Z`,
  second.hashLine('second', 'write'),
];
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const SHOWN: readonly (readonly [string, Credentials, string | null])[] = [
  ['the first token', {token: first.token, commonName: null}, 'first'],
  ['the last token', {token: second.token, commonName: null}, 'second'],
  ['a token that has expired', {token: past.token, commonName: null}, null],
  ['one that differs in its last letter', {token: `${first.token.slice(0, -1)}!`, commonName: null}, null],
  ['one that is short', {token: 'x', commonName: null}, null],
  ['one that is long', {token: 'x'.repeat(65_535), commonName: null}, null],
  ['the hash itself', {token: sha256(first.token), commonName: null}, null],
  ['a certificate', {token: '', commonName: 'gate.example'}, 'gate'],
  ['a certificate that is nobody', {token: '', commonName: 'gate.example.org'}, null],
  ['a common name as a token', {token: 'gate.example', commonName: null}, null],
  ['a token as a common name', {token: '', commonName: first.token}, null],
];

test.each(SHOWN)('%s is compared with every entry', (_, shown, name) => {
  const log = pino({enabled: false});
  const tokenFile = tempFile('tokens', LINES.join('\n'));
  const access = AccessList.open({tokenFile, anonymousRole: null, sessionsMax: 1, log});
  expect(access.authenticate(shown)?.name ?? null).toBe(name);
  const secret = shown.token.length > 0 ? String(shown.token) : (shown.commonName ?? '');
  expect(compared).toHaveBeenCalledTimes(LINES.length);
  for (const [presented, known] of compared.mock.calls as [Buffer, Buffer][]) {
    expect([presented.toString('hex'), known.length]).toEqual([sha256(secret), 32]);
  }
});
