/**
 * The lock on real directories: one holder, named by pid, freed by the end of its process and by nothing else.
 */

import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {lockDirectory, Wal} from '../src/index.ts';
import {errorOf, SMALL} from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'wal-lock-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

test('a second lock in one process is refused and names this process', () => {
  const lock = lockDirectory(root);
  expect(errorOf(() => lockDirectory(root))).toMatchObject({code: 'locked', holderPid: process.pid});
  lock.release();
  lockDirectory(root).release();
});

test("a living process's lock is refused with its pid, and gone when it is killed", async () => {
  const dir = mkdtempSync(join(root, 'other-'));
  const script = 'flock -x 3; echo $$ >&3; echo locked; read line';
  const holder = spawn('sh', ['-c', `exec 3>>'${dir}/LOCK'; ${script}`], {stdio: ['pipe', 'pipe', 'inherit']});
  await new Promise(resolve => holder.stdout.once('data', resolve));
  const error = errorOf(() => Wal.open({dir, ...SMALL}));
  expect(error).toMatchObject({code: 'locked', holderPid: holder.pid});
  expect(error.message).toContain(String(holder.pid));
  const ended = new Promise(resolve => holder.once('exit', resolve));
  holder.kill('SIGKILL');
  await ended;
  Wal.open({dir, ...SMALL}).closeSync();
});

test('a log under a locked parent takes no lock of its own', () => {
  const dir = mkdtempSync(join(root, 'parent-'));
  const lock = lockDirectory(dir);
  const wal = Wal.open({dir: join(dir, 'wal'), lock: false, ...SMALL});
  lockDirectory(join(dir, 'wal')).release();
  wal.closeSync();
  lock.release();
});
