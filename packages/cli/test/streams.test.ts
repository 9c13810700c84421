/**
 * Where the output goes: to a reader that goes away, to a disk that is full, to a terminal, and for as long as changes
 * come.
 */
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, MAIN, PATIENTLY, Server, shell, start} from './command.ts';

let server: Server;
beforeAll(async () => {
  server = await Server.start();
  expect((await server.run(['create', '--count', '6000', '--prefix', 'seat '])).code).toBe(0);
});
afterAll(cleanUp);

const env = (): Record<string, string> => ({ALLOCDB_URL: server.url});

describe('a reader that has enough', () => {
  test.each([
    ['list --timeout 60s', 0],
    ['list --timeout 60s --json', 0],
    ['watch --from 1', 0],
    ['--help', 0],
    // What was answered stands, whoever listens.
    ['get name:none --json', 2],
  ])('%s | head', async (line, code) => {
    const piped = await shell(`allocdb ${line} | head -n 1 > /dev/null; echo "\${PIPESTATUS[0]}"`, {env: env()});
    expect(piped).toEqual({code: 0, stdout: `${code}\n`, stderr: ''});
  });

  test('nobody from the start', async () => {
    const piped = await shell(`allocdb get 'name:seat 1' --json | true; echo "\${PIPESTATUS[0]}"`, {env: env()});
    expect(piped).toEqual({code: 0, stdout: '0\n', stderr: ''});
  });
});

test('an answer that cannot be written is said on stderr, and is a failure', async () => {
  const full = await shell('allocdb create name:new --timeout 60s > /dev/full', {env: env()});
  expect(full.code).toBe(1);
  expect(full.stderr).toMatch(/\nallocdb: stdout cannot be written: .*ENOSPC.*; the answer was: created {2}resource=/);
});

describe('watch', () => {
  test('shows what happens from now on, and an interrupt is its ordinary end', async () => {
    const before = await server.run(['list', '--limit', '1', '--json']);
    const lsn = BigInt(String((JSON.parse(before.stdout) as {lsn: string}).lsn));
    const watching = start(['watch', '--json', '--from', String(lsn + 1n)], {env: env()});
    const later = start(['watch', '--json'], {env: env()});
    // The first change may come before the second watcher does; that goes on until it has seen one.
    for (let n = 0; !later.stdout.includes('\n'); n++) await server.run(['create', `name:watched ${n}`]);
    await expect.poll(() => watching.stdout.includes('\n'), PATIENTLY).toBe(true);
    for (const running of [watching, later]) running.child.kill('SIGINT');
    const [all, some] = await Promise.all([watching.ended, later.ended]);
    for (const {code, stdout, stderr} of [all, some]) {
      const lsns = stdout
        .trimEnd()
        .split('\n')
        .map(line => BigInt((JSON.parse(line) as {lsn: string}).lsn));
      expect(lsns).toEqual(lsns.map((_, i) => (lsns[0] ?? 0n) + BigInt(i)));
      expect([code, stderr]).toEqual([0, `{"next":"${(lsns.at(-1) ?? 0n) + 1n}"}\n`]);
    }
    expect(all.stdout).toContain(`"lsn":"${lsn + 1n}"`);
  });

  test('of a resource: also changes of leases that were made before', async () => {
    const {stdout} = await server.run([
      'reserve',
      'name:seat 1',
      'name:seat 2',
      '--holder',
      'name:a',
      '--hold',
      '1h',
      '--json',
    ]);
    const {lease, lsn} = JSON.parse(stdout) as {lease: string; lsn: string};
    await server.run(['create', 'name:aside']);
    await server.run(['confirm', lease, '--holder', 'name:a']);
    await server.run(['revoke', lease]);
    const from = String(BigInt(lsn) + 1n);
    const seen = await server.run(['watch', '--from', from, '--resource', 'name:seat 2', '--limit', '2']);
    expect(seen.code).toBe(0);
    expect(seen.stdout.replace(/ lsn.*/g, '')).toBe('confirm \nrevoke \n');
  });

  test('an lsn that is of another database', async () => {
    const ahead = await server.run(['watch', '--from', '1000000']);
    expect([ahead.code, ahead.stdout]).toEqual([1, '']);
    expect(ahead.stderr).toMatch(/^allocdb: lsn_ahead: /);
  });
});

test('on a terminal a bar shows how far it is, and is gone at the end', async () => {
  const line = `'${process.execPath}' '${MAIN}' create --count 5000 --prefix bar/ --timeout 60s`;
  const shown = await shell(`script -qec "${line}" /dev/null`, {env: env()});
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(/create [#.]{30} 0% 0\/5,000 /);
  expect(shown.stdout).toMatch(/create #{30} 100% 5,000\/5,000 /);
  expect(shown.stdout).toMatch(/created {2}created=5000 refused=0 lsn=\d+ operation=[0-9a-f]{32}\r\n$/);
});
