/**
 * The lock on real directories: one holder, named by pid, freed by the end of its process and by nothing else. Who reads
 * needs no permission to write and leaves the lock file as it is, and is kept apart from writers all the same.
 */

import {spawn, spawnSync} from 'node:child_process';
import {chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, onTestFinished, type TestContext, test} from 'vitest';
import {type DirectoryLock, lockDirectory, Wal} from '../src/index.ts';
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

test('a reader who may write takes the lock of a writer', () => {
  const dir = mkdtempSync(join(root, 'reader-'));
  const lock = lockDirectory(dir, 'read');
  expect(readFileSync(join(dir, 'LOCK'), 'utf8')).toBe(`${process.pid}\n`);
  for (const use of ['write', 'read'] as const) {
    expect(errorOf(() => lockDirectory(dir, use))).toMatchObject({code: 'locked', holderPid: process.pid});
  }
  lock.release();
  lockDirectory(dir).release();
});

/** A directory of two who use it at the same time: one may write there, the other may not. */
interface Place {
  readonly writersDir: string;
  readonly readersDir: string;
  /** Runs something as the one who may not write. */
  asReader<T>(run: () => T): T;
}

const NOBODY = 65_534;

/** The modes of the system keep a user out; of root only the user that it becomes. */
async function withoutPermission(): Promise<Place> {
  chmodSync(root, 0o755);
  const dir = mkdtempSync(join(root, 'modes-'));
  return {
    writersDir: dir,
    readersDir: dir,
    asReader(run) {
      const lock = join(dir, 'LOCK');
      chmodSync(dir, 0o555);
      if (existsSync(lock)) chmodSync(lock, 0o444);
      const isRoot = process.geteuid?.() === 0;
      if (isRoot) process.seteuid?.(NOBODY);
      try {
        return run();
      } finally {
        if (isRoot) process.seteuid?.(0);
        chmodSync(dir, 0o755);
        if (existsSync(lock)) chmodSync(lock, 0o644);
      }
    },
  };
}

/** A tmpfs in a mount namespace of a shell's own, gone with it, and the same files read-only beside it. */
async function onReadOnlyFileSystem(context: TestContext): Promise<Place> {
  const mountPoint = mkdtempSync(join(root, 'mount-'));
  const script = `cd ${mountPoint} && mount -t tmpfs tmpfs . && cd ${mountPoint} && mkdir rw ro &&
    mount --bind rw ro && mount -o remount,bind,ro ro && echo ready && read line`;
  // Root of a container may be no more than anybody else, and anybody may make one with a user namespace.
  let said = '';
  for (const rights of process.getuid?.() === 0 ? [[], ['--map-root-user']] : [['--map-root-user']]) {
    const shell = spawn('unshare', ['--mount', ...rights, 'sh', '-c', script], {stdio: ['pipe', 'pipe', 'pipe']});
    onTestFinished(() => void shell.kill('SIGKILL'));
    shell.stderr.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    const isReady = await new Promise<boolean>((resolve, reject) => {
      shell.stdout.once('data', () => resolve(true));
      shell.once('close', () => resolve(false));
      shell.once('error', reject);
    });
    if (!isReady) continue;
    const seen = `/proc/${shell.pid}/root${mountPoint}`;
    return {writersDir: `${seen}/rw`, readersDir: `${seen}/ro`, asReader: run => run()};
  }
  if (!/not permitted|permission denied/i.test(said)) throw new Error(`no mount namespace: ${said}`);
  process.stderr.write(`SKIPPED: ${context.task.name}: ${said}\n`);
  return context.skip(said);
}

describe.each([
  {where: 'without permission to write', make: withoutPermission, code: 'EACCES'},
  {where: 'on a read-only file system', make: onReadOnlyFileSystem, code: 'EROFS'},
])('$where', ({make, code}) => {
  test('readers hold the lock together, no writer beside them, and the file stays as it is', async context => {
    const {writersDir, readersDir, asReader} = await make(context);
    const file = join(writersDir, 'LOCK');
    // As a killed writer leaves it: its pid says nothing about the readers.
    const left = `${spawnSync('true').pid}\n`;
    writeFileSync(file, left);
    const locks: DirectoryLock[] = [1, 2].map(() => asReader(() => lockDirectory(readersDir, 'read')));
    for (const lock of locks) {
      const error = errorOf(() => lockDirectory(writersDir));
      expect(error).toMatchObject({
        code: 'locked',
        holderPid: null,
        message: expect.stringContaining('another process'),
      });
      lock.release();
      lock.release();
    }
    expect(readFileSync(file, 'utf8')).toBe(left);
    lockDirectory(writersDir).release();
  });

  test('a reader is refused beside a writer, who is named', async context => {
    const {writersDir, readersDir, asReader} = await make(context);
    const lock = lockDirectory(writersDir);
    const error = errorOf(() => asReader(() => lockDirectory(readersDir, 'read')));
    expect(error).toMatchObject({code: 'locked', holderPid: process.pid});
    lock.release();
    asReader(() => lockDirectory(readersDir, 'read')).release();
  });

  test('a writer is refused by the system, and makes no lock file', async context => {
    const {writersDir, readersDir, asReader} = await make(context);
    for (const isThere of [false, true]) {
      if (isThere) writeFileSync(join(writersDir, 'LOCK'), 'as it was');
      expect(() => asReader(() => lockDirectory(readersDir))).toThrow(code);
      expect(existsSync(join(writersDir, 'LOCK'))).toBe(isThere);
    }
    expect(readFileSync(join(writersDir, 'LOCK'), 'utf8')).toBe('as it was');
  });
});

test('a read-only file system without a lock file has no holder; elsewhere one may come at any moment', async context => {
  const modes = await withoutPermission();
  expect(() => modes.asReader(() => lockDirectory(modes.readersDir, 'read'))).toThrow('EACCES');
  const mount = await onReadOnlyFileSystem(context);
  const lock = lockDirectory(mount.readersDir, 'read');
  lock.release();
  lock.release();
  expect(existsSync(join(mount.writersDir, 'LOCK'))).toBe(false);
  expect(() => lockDirectory(join(mount.readersDir, 'nowhere'), 'read')).toThrow('ENOENT');
});
