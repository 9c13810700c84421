/** The text of a token file: what is an entry, and what is wrong with a line, said without repeating it. */
import {createHash} from 'node:crypto';
import {expect, test} from 'vitest';
import {parseTokenFile} from '../src/access/token_file.ts';
import {generateToken} from '../src/index.ts';

const HASH = 'a1'.repeat(32);
const OTHER = 'b2'.repeat(32);
const never = {rate: null, expiresAtMs: null};
const token = {kind: 'token', sha256: Buffer.from(HASH, 'hex')};

test.each([
  [`web write sha256:${HASH}`, {name: 'web', role: 'write', proof: token, ...never}],
  [`  web\tread   sha256:${HASH.toUpperCase()}  # the shop`, {name: 'web', role: 'read', proof: token, ...never}],
  [`a.b-c_9 operate sha256:${HASH} rate=5000`, {name: 'a.b-c_9', role: 'operate', proof: token, ...never, rate: 5000}],
  [
    `web write sha256:${HASH} expires=2031-02-28T23:59:59Z rate=1`,
    {name: 'web', role: 'write', proof: token, rate: 1, expiresAtMs: Date.UTC(2031, 1, 28, 23, 59, 59)},
  ],
  [
    `web write sha256:${HASH} expires=2032-02-29T00:00:00.250Z`,
    {name: 'web', role: 'write', proof: token, rate: null, expiresAtMs: Date.UTC(2032, 1, 29, 0, 0, 0, 250)},
  ],
  [
    'door write cert:door-7',
    {name: 'door', role: 'write', proof: {kind: 'certificate', commonName: 'door-7'}, ...never},
  ],
  [
    'door write cert:Door of hall #7 rate=10',
    {name: 'door', role: 'write', proof: {kind: 'certificate', commonName: 'Door of hall'}, ...never},
  ],
  [
    'door write cert:Door of hall rate=10',
    {name: 'door', role: 'write', proof: {kind: 'certificate', commonName: 'Door of hall'}, ...never, rate: 10},
  ],
])('an entry: %s', (line, entry) => {
  expect(parseTokenFile(`# head\r\n\n${line}\n`)).toEqual({entries: [entry], problems: []});
});

test('a file without entries', () => {
  expect(parseTokenFile('')).toEqual({entries: [], problems: []});
  expect(parseTokenFile('# web write sha256:later\n  \n')).toEqual({entries: [], problems: []});
});

const SECRET = 'S3cretS3cret';

test.each([
  [SECRET, /expected <name> <role>/],
  [`web ${SECRET}`, /expected <name> <role>/],
  [`web write ${SECRET}`, /expected <name> <role>/],
  [`${SECRET}! write sha256:${HASH}`, /a name has/],
  [`${'n'.repeat(65)} write sha256:${HASH}`, /a name has/],
  [`web ${SECRET} sha256:${HASH}`, /the role is read, write or operate/],
  [`web Write sha256:${HASH}`, /the role is read, write or operate/],
  [`web write sha256:${SECRET}`, /64 hex digits/],
  [`web write sha256:${HASH.slice(1)}`, /64 hex digits/],
  [`web write sha256:${HASH}0`, /64 hex digits/],
  [`web write sha256:${HASH} ${SECRET}`, /64 hex digits/],
  ['web write cert:', /common name/],
  [`web write sha256:${HASH} rate=0`, /rate= is a whole number/],
  [`web write sha256:${HASH} rate=-5`, /rate= is a whole number/],
  [`web write sha256:${HASH} rate=1.5`, /rate= is a whole number/],
  [`web write sha256:${HASH} rate=1000000001`, /rate= is a whole number/],
  [`web write sha256:${HASH} rate=`, /rate= is a whole number/],
  [`web write sha256:${HASH} rate=5 rate=6`, /each at most once/],
  [`web write sha256:${HASH} expires=2031-01-01`, /a moment in UTC/],
  [`web write sha256:${HASH} expires=2031-01-01T00:00:00`, /a moment in UTC/],
  [`web write sha256:${HASH} expires=2031-01-01T00:00:00+01:00`, /a moment in UTC/],
  [`web write sha256:${HASH} expires=2031-02-30T00:00:00Z`, /a moment in UTC/],
  [`web write sha256:${HASH} expires=2031-13-01T00:00:00Z`, /a moment in UTC/],
  [`web write sha256:${HASH} token=${SECRET}`, /rate= and expires=/],
])('no entry: %s', (line, problem) => {
  const {entries, problems} = parseTokenFile(`# head\n\nok read sha256:${OTHER}\n${line}\n`);
  expect(entries).toEqual([]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^line 4: /);
  expect(problems[0]).toMatch(problem);
  expect(problems[0]).not.toContain(SECRET);
  expect(problems[0]).not.toContain(HASH.slice(0, 8));
});

test('every wrong line is told, and names, hashes and common names that stand there twice', () => {
  const {entries, problems} = parseTokenFile(
    [
      `web write sha256:${HASH}`,
      `web read sha256:${OTHER}`,
      'what is this',
      `shop read sha256:${HASH.toUpperCase()}`,
      'door read cert:gate',
      'gate read cert:gate rate=4',
      `shop read sha256:${OTHER}`,
    ].join('\n'),
  );
  expect(entries).toEqual([]);
  expect(problems).toEqual([
    'line 2: the name stands in line 1 already',
    'line 3: the role is read, write or operate',
    'line 4: the hash stands in line 1 already',
    'line 6: the common name stands in line 5 already',
    'line 7: the name stands in line 4 already',
    'line 7: the hash stands in line 2 already',
  ]);
});

test('a token that was made is found by the line that was made for it, and is never the same', () => {
  const [one, two] = [generateToken(), generateToken()];
  expect(one.token).toMatch(/^allocdb_[\w-]{43}$/);
  expect(two.token).not.toBe(one.token);
  const line = one.hashLine('web', 'write');
  expect(line).not.toContain(one.token);
  const {entries} = parseTokenFile(line);
  const sha256 = createHash('sha256').update(one.token).digest();
  expect(entries).toEqual([{name: 'web', role: 'write', proof: {kind: 'token', sha256}, ...never}]);
  expect(() => one.hashLine('two words', 'write')).toThrow(RangeError);
  expect(() => one.hashLine('', 'write')).toThrow(RangeError);
});
