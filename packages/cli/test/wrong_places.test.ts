/**
 * Commands on a directory or a file that is not there, or is none of ours: each says so with a code that docs/operations.md
 * has, in words that name the place, and leaves nothing behind.
 */
import {existsSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {cleanUp, objectOf, tempDir, tempFile} from './command.ts';
import {runHere} from './in_process.ts';

afterAll(cleanUp);

/** The commands that read a data directory. */
const READERS: readonly ((dir: string, other: string) => readonly string[])[] = [
  dir => ['verify', dir],
  dir => ['replay', dir],
  dir => ['why', 'name:a', '--dir', dir],
  dir => ['reconfigure', dir, '--max-resources', '7'],
  (dir, other) => ['backup', dir, other],
  (dir, other) => ['restore', dir, other],
];

test.each(READERS.map(reader => [reader('DIR', 'OTHER').join(' '), reader] as const))('%s', async (_, wordsFor) => {
  const place = tempDir();
  const [gone, foreign, other] = ['gone', 'foreign', 'other'].map(name => join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const [dir, said] of [
    [gone, 'no such file or directory'],
    [tempDir(), 'holds no database'],
  ] as const) {
    const {code, stdout, stderr} = await runHere([...wordsFor(dir, other), '--json']);
    expect([code, stdout, objectOf(stderr)]).toMatchObject([
      1,
      '',
      {error: {code: 'missing_config', certainty: 'definite', message: expect.stringContaining(dir), operation: null}},
    ]);
    expect(stderr).toContain(said);
  }
  writeFileSync(foreign, 'a file');
  const file = await runHere(wordsFor(foreign, other));
  expect([file.code, file.stdout]).toEqual([1, '']);
  expect(file.stderr).toMatch(/^allocdb: .*foreign/m);
  expect(file.stderr).not.toMatch(/\n {4}at /);
  expect(readdirSync(place)).toEqual(['foreign']);
});

test('a history that is not there, and one that is a directory', async () => {
  for (const [file, said] of [
    [join(tempDir(), 'gone'), 'ENOENT'],
    [tempDir(), 'EISDIR'],
  ] as const) {
    const {code, stderr} = await runHere(['verify', '--history', file]);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`allocdb: --history ${file} cannot be read: ${said}`)]);
  }
});

test('api: a place in the log that there is not leaves no directory', async () => {
  const dir = join(tempDir(), 'data');
  const sizes = {max_resources: 10, max_reservations: 3_000_000, max_bundle_size: 4, max_operations: 10};
  const windows = {max_ttl_slots: '9', max_client_retry_window_slots: '5', reservation_history_window_slots: '5'};
  const core = {shard_id: '0', ...sizes, ...windows, max_expiration_bucket_len: 10};
  const engine = {max_submission_queue: 10, max_command_bytes: 4096, max_expirations_per_tick: 3_000_000};
  const config = tempFile('config.json', JSON.stringify({core, engine}));
  const last = await runHere(['api', dir, '--config', config, '--start-lsn', '18446744073709551615']);
  expect([last.code, existsSync(dir)]).toEqual([64, false]);
  expect(last.stderr).toContain("'--start-lsn <n>' argument '18446744073709551615' is invalid");
  // A tick of so many expirations fits no frame of the log.
  const much = await runHere(['api', dir, '--config', config, '--start-lsn', '18446744073709551614']);
  expect([much.code, existsSync(dir)]).toEqual([1, false]);
  expect(much.stderr).toContain('engine.max_expirations_per_tick: too_large');
});
