/**
 * A real file system of a few megabytes, for tests that fill it or make it read-only: a tmpfs in a mount namespace of its
 * own, held by a shell. Nobody else sees it, and it is gone with the shell, however a test ends. Files in it are reached
 * through `/proc/<pid>/root`, so that the server under test is an ordinary process.
 *
 * Root makes the namespace as it is; another user makes one together with a user namespace. Where the system permits
 * neither, as in some containers, the test is skipped and says why; anything else that goes wrong fails it.
 */
import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {statfsSync} from 'node:fs';
import {createInterface, type Interface} from 'node:readline';
import type {TestContext} from 'vitest';
import {tempDir, withDeadline} from './command.ts';

const NOT_PERMITTED = /not permitted|permission denied|ENOENT/i;
const disks = new Set<SmallDisk>();

export class SmallDisk {
  /** Its root, as processes outside of the namespace see it. */
  readonly root: string;
  readonly #mountPoint: string;
  readonly #shell: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  #said: string = '';

  private constructor(shell: ChildProcessWithoutNullStreams) {
    this.#shell = shell;
    this.#mountPoint = tempDir();
    this.root = `/proc/${shell.pid}/root${this.#mountPoint}`;
    this.#lines = createInterface({input: shell.stdout});
    shell.stderr.on('data', (chunk: Buffer) => {
      this.#said += chunk;
    });
    shell.stdin.on('error', () => undefined);
  }

  /** Makes one of so many MiB for a test, or skips the test where this system does not let anybody. */
  static async openFor(context: TestContext, mebibytes: number): Promise<SmallDisk> {
    try {
      return await SmallDisk.open(mebibytes);
    } catch (error) {
      if (!NOT_PERMITTED.test(String(error))) throw error;
      process.stderr.write(`SKIPPED: ${context.task.name}: ${String(error)}\n`);
      return context.skip(String(error));
    }
  }

  /** Makes one of so many MiB; rejects with what the system said. */
  static async open(mebibytes: number): Promise<SmallDisk> {
    if (process.getuid?.() !== 0) return SmallDisk.#mount(mebibytes, ['--map-root-user']);
    try {
      return await SmallDisk.#mount(mebibytes, []);
    } catch (error) {
      // Root of a container may be no more than anybody else.
      if (!NOT_PERMITTED.test(String(error))) throw error;
      return SmallDisk.#mount(mebibytes, ['--map-root-user']);
    }
  }

  static async #mount(mebibytes: number, rights: readonly string[]): Promise<SmallDisk> {
    const shell = spawn('unshare', ['--mount', ...rights, 'sh'], {stdio: ['pipe', 'pipe', 'pipe']});
    const disk = new SmallDisk(shell);
    try {
      await disk.#run(`mount -t tmpfs -o size=${mebibytes}m tmpfs ${disk.#mountPoint}`);
    } catch (error) {
      shell.kill('SIGKILL');
      throw error;
    }
    disks.add(disk);
    return disk;
  }

  get freeBytes(): number {
    const {bavail, bsize} = statfsSync(this.root);
    return bavail * bsize;
  }

  /** Nothing can be written any more, also by root; no file may be open for writing. */
  async makeReadOnly(): Promise<void> {
    await this.#remount('ro');
  }

  /** The same files at a second place where nothing can be written, while they can be at the first; returns its root. */
  async readOnlyView(): Promise<string> {
    const place = tempDir();
    await this.#run(`mount --bind ${this.#mountPoint} ${place} && mount -o remount,bind,ro ${place}`);
    return `/proc/${this.#shell.pid}/root${place}`;
  }

  /** Space is taken away or comes. */
  async resize(mebibytes: number): Promise<void> {
    await this.#remount(`size=${mebibytes}m`);
  }

  async makeWritable(): Promise<void> {
    await this.#remount('rw');
  }

  async close(): Promise<void> {
    if (!disks.delete(this)) return;
    const ended = new Promise<void>(resolve => this.#shell.once('close', () => resolve()));
    this.#shell.kill('SIGKILL');
    await withDeadline(ended, 'the shell of a small disk to end');
  }

  async #remount(option: string): Promise<void> {
    // The device is named so that mount(8) repeats no present options: a user namespace may not know their uid.
    await this.#run(`mount -o remount,${option} tmpfs ${this.#mountPoint}`);
  }

  /** Runs a command in the namespace; rejects with what it said when it fails. */
  async #run(command: string): Promise<void> {
    const answered = new Promise<string>((resolve, reject) => {
      this.#lines.once('line', resolve);
      this.#shell.once('error', reject);
      this.#shell.once('close', code => reject(new Error(`the shell ended with ${code}`)));
    });
    this.#shell.stdin.write(`${command}; echo $?\n`);
    let status: string;
    try {
      status = await withDeadline(answered, `the end of ${command}`);
    } catch (error) {
      throw new Error(`a small disk needs a mount namespace: ${this.#said || String(error)}`, {cause: error});
    }
    if (status !== '0') throw new Error(`a small disk needs ${command}: ${this.#said}`);
  }
}

/** Takes every small disk away that a test has left. */
export async function closeSmallDisks(): Promise<void> {
  await Promise.all([...disks].map(disk => disk.close()));
}
