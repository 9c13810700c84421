/**
 * `backup` and `why` against the HTTP port of a real server: what they answer in both forms, how they are refused, and what
 * they exit with. `why` says the same of a server and of its directory once it has stopped.
 */
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {resourceIdFrom} from '@allocdb/client';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {objectOf, run, tempDir, tempFile} from './command.ts';
import {type HttpServer, startServer, stopPorts} from './http_ports.ts';
import {runHere} from './in_process.ts';

afterAll(stopPorts);

const SEAT = resourceIdFrom('seat-1');
const LOST = '00000000000000000000000000000b0b';

let backupDir: string;
let served: HttpServer;

beforeAll(async () => {
  backupDir = tempDir();
  served = await startServer({backupDir});
  for (const line of [
    'create name:seat-1',
    'reserve name:seat-1 --holder name:ann --ttl-slots 9',
    `reserve name:seat-1 --holder name:bob --ttl-slots 9 --operation ${LOST}`,
  ]) {
    expect((await runHere([...line.split(' '), ...served.tcp])).code).toBe(line.includes('bob') ? 2 : 0);
  }
});

describe('backup', () => {
  test('the server makes it; it is whole, and where the server keeps backups', async () => {
    const {code, stdout, stderr} = await runHere(['backup', 'monday', ...served.http]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^backed_up {2}name=monday lsn=3 bytes=\d+ durationMs=\d+\n$/);
    const verified = await runHere(['verify', join(backupDir, 'monday'), '--json']);
    expect([verified.code, objectOf(verified.stdout)]).toMatchObject([0, {ok: true, lsn: '3'}]);

    const json = await runHere(['backup', 'tuesday', '--json', ...served.http]);
    expect([json.code, json.stderr]).toEqual([0, '']);
    expect(objectOf(json.stdout)).toEqual({
      ...{result: 'backed_up', name: 'tuesday', lsn: '3', snapshotLsn: null},
      ...{bytes: expect.any(Number), durationMs: expect.any(Number)},
    });
  });

  test('one that is there stays, and the other is refused', async () => {
    await runHere(['backup', 'twice', ...served.http]);
    const {code, stdout, stderr} = await runHere(['backup', 'twice', '--json', ...served.http]);
    expect([code, stdout]).toEqual([2, '']);
    expect(objectOf(stderr)).toMatchObject({
      error: {code: 'backup_exists', certainty: 'definite', message: expect.stringContaining('is not empty')},
    });
  });

  test('a server without a place for backups refuses, and says what it lacks', async () => {
    const bare = await startServer();
    const {code, stdout, stderr} = await runHere(['backup', 'monday', ...bare.http]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^allocdb: no_backups: .*--backup-dir/);
  });

  test('a place that is not there is said', async () => {
    const missing = join(tempDir(), 'unmounted');
    const {http} = await startServer({backupDir: missing});
    const {code, stderr} = await runHere(['backup', 'monday', ...http]);
    expect([code, stderr.includes(`${missing} is not there`), existsSync(missing)]).toEqual([1, true, false]);
  });
});

describe('why', () => {
  test('tells who has it and who lost, in words', async () => {
    const {code, stdout, stderr} = await runHere(['why', 'name:seat-1', '--operation', LOST, ...served.http]);
    expect([code, stderr]).toEqual([0, `name:seat-1 is ${SEAT}\n`]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(
      new RegExp(`^resource ${SEAT}: held by holder \\w{32} under reservation 0{31}2 since lsn 2,`),
    );
    expect(lines[3]).toMatch(
      new RegExp(`^lsn 3, .*operation ${LOST}\\): resource_busy: at lsn 3 it was held by holder`),
    );
    expect(lines[4]).toBe(`operation ${LOST}:`);
  });

  test("--from and --limit are the server's; what is not there is no", async () => {
    const flags = ['--from', '2', '--limit', '1', '--json', ...served.http];
    const {code, stdout} = await runHere(['why', SEAT, ...flags]);
    expect([code, objectOf(stdout)]).toMatchObject([
      0,
      {log: {first_lsn: '2', last_lsn: '3'}, events: [{lsn: '3'}], events_dropped: 1, standing: 'held'},
    ]);
    const absent = await runHere(['why', 'name:seat-2', '--json', ...served.http]);
    expect([absent.code, objectOf(absent.stdout)]).toMatchObject([2, {standing: 'absent', events: []}]);
    const never = await runHere(['why', SEAT, '--operation', 'name:never', ...served.http]);
    expect([never.code, never.stdout.includes('it is not in the log from lsn 1 to 3')]).toEqual([2, true]);
  });

  test('a stopped directory tells the same', async () => {
    const {server, dir, http, tcp} = await startServer();
    await runHere(['create', SEAT, ...tcp]);
    await runHere(['reserve', SEAT, '--holder', 'name:ann', '--ttl-slots', '9', ...tcp]);
    await runHere(['reserve', SEAT, '--holder', 'name:bob', '--ttl-slots', '2000', '--operation', LOST, ...tcp]);
    const asked = await runHere(['why', SEAT, '--operation', LOST, ...http]);
    const beside = await runHere(['why', SEAT, '--dir', dir]);
    expect([beside.code, beside.stderr.includes('locked')]).toEqual([1, true]);
    await server.stop();
    const read = await runHere(['why', SEAT, '--operation', LOST, '--dir', dir]);
    expect(asked.stdout).toContain(
      'ttl_out_of_range: it asks for 2000 slots; from 1 to max_ttl_slots can be had, 1,000',
    );
    expect([read.code, read.stdout]).toEqual([asked.code, asked.stdout]);
    const gone = await runHere(['why', SEAT, ...http]);
    expect([gone.code, gone.stderr]).toEqual([
      1,
      expect.stringMatching(/^allocdb: disconnected: .*is a server running/),
    ]);
  });

  test('ALLOCDB_HTTP says where, in the form that serve takes too', async () => {
    const address = String(served.http[1]).replace('http://', '');
    for (const value of [address, `http://${address}`]) {
      const {code, stdout} = await run(['why', SEAT, '--timeout', '60s'], {env: {ALLOCDB_HTTP: value}});
      expect([code, stdout.startsWith(`resource ${SEAT}: held`)]).toEqual([0, true]);
    }
    const off = await run(['why', SEAT], {env: {ALLOCDB_HTTP: 'off'}});
    expect([off.code, off.stderr]).toEqual([64, expect.stringContaining("'ALLOCDB_HTTP' is invalid. off is a server")]);
  });
});

test('tokens: none, one that may not, and one that may, from a file or the environment', async () => {
  const [reader, operator] = [await token('reader', 'read'), await token('operator', 'operate')];
  const tokenFile = tempFile('tokens', `${reader.line}\n${operator.line}\n`);
  const {http} = await startServer({backupDir: tempDir(), tokenFile, anonymousRole: null});
  const none = await runHere(['backup', 'monday', ...http]);
  expect([none.code, none.stderr]).toEqual([1, expect.stringMatching(/^allocdb: unauthorized: .*\n.*--token-file/)]);
  const may = await runHere(['backup', 'monday', ...http, '--token-file', reader.file]);
  expect([may.code, may.stderr]).toEqual([1, expect.stringMatching(/^allocdb: forbidden: /)]);
  expect((await runHere(['why', SEAT, ...http, '--token-file', reader.file])).code).toBe(2);
  expect((await runHere(['backup', 'monday', ...http, '--token-file', operator.file])).code).toBe(0);
  const env = {ALLOCDB_TOKEN: readFileSync(reader.file, 'utf8').trim()};
  expect((await run(['why', SEAT, ...http], {env})).code).toBe(2);
});

/** A token, its line for a token file, and a file that holds it. */
async function token(name: string, role: string): Promise<{line: string; file: string}> {
  const made = objectOf((await runHere(['token', name, '--role', role, '--json'])).stdout);
  return {line: String(made['line']), file: tempFile('token', `${made['token']}\n`)};
}
