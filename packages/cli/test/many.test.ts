/**
 * Many at a time: resources that are created in batches, and lists that are longer than a page. On a server of their own, so
 * that every lsn is known.
 */
import {resourceIdFrom} from '@allocdb/client';
import {afterAll, beforeAll, expect, test} from 'vitest';
import {cleanUp, Server, tempFile} from './command.ts';
import {runHere} from './in_process.ts';

const op = (n: number): string => n.toString(16).padStart(32, '0');

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(cleanUp);

test('many resources are created in batches, with one operation from which each has its own', async () => {
  const many = ['create', '--count', '2500', '--prefix', 'row/', '--operation', op(100)];
  const first = await runHere([...many, ...server.flags]);
  expect(first).toMatchObject({code: 0, stdout: `created  created=2500 refused=0 lsn=2500 operation=${op(100)}\n`});
  expect(await runHere([...many, ...server.flags, '--json'])).toMatchObject({
    code: 0,
    stdout: `{"result":"created","created":2500,"refused":0,"refusals":[],"lsn":"2500","operation":"${op(100)}"}\n`,
  });
  const ids = [2500, 2501].map(n => resourceIdFrom(`row/${n}`));
  const file = tempFile('ids', `# the last of them, and a new one\nname:row/2500\n\n  ${ids[1]}\nname:row/2500\n`);
  const partly = await runHere(['create', '--from-file', file, '--operation', op(101), ...server.flags]);
  expect(partly).toEqual({
    code: 2,
    stdout: `already_exists  resource=${ids[0]} lsn=2501\npartly_created  created=1 refused=1 lsn=2502 operation=${op(101)}\n`,
    stderr: '',
  });
  const refused = await server.run(['create', '--from-file', '-', '--operation', op(102), '--json'], {
    input: ids.join('\r\n'),
  });
  expect([refused.code, JSON.parse(refused.stdout)]).toEqual([
    2,
    {
      result: 'refused',
      created: 0,
      refused: 2,
      refusals: ids.map((resource, i) => ({result: 'already_exists', resource, lsn: String(2503 + i)})),
      lsn: '2504',
      operation: op(102),
    },
  ]);
});

test('a list goes through all pages, and a limit holds across them', async () => {
  const all = await runHere(['list', '--json', ...server.flags]);
  const resources = all.stdout
    .trimEnd()
    .split('\n')
    .map(line => (JSON.parse(line) as {resource: string}).resource);
  expect([resources.length, new Set(resources).size]).toEqual([2501, 2501]);
  const some = await runHere(['list', '--limit', '2001', ...server.flags]);
  expect(some.stdout.trimEnd().split('\n').length).toBe(2001);
  expect(some.stderr).toBe('2001 listed, the last at lsn 2504\n');
});
