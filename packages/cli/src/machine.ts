/**
 * Reads what `allocdb doctor` judges: the machine, the directory, the disk below it and the clocks, as far as the system
 * tells; what it does not tell is null. Judging is done elsewhere (`examine` of `@allocdb/node`).
 *
 * Nothing is changed: the one file that is made, to measure the disk, has no name while it exists. Who holds a directory
 * is read from LOCK and the process that it names; only where that says nothing is the lock itself tried, as a reader.
 */
import {spawnSync} from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import {availableParallelism, totalmem} from 'node:os';
import {dirname, join, resolve} from 'node:path';
import {setTimeout as delay, setImmediate as turn} from 'node:timers/promises';
import {
  ClockWatch,
  cgroupOf,
  chosenOf,
  cpuMaxOf,
  cpuQuotaOf,
  type DirectoryFacts,
  type KernelFacts,
  type LockFacts,
  limitOf,
  type MachineFacts,
  meminfoOf,
  memoryLimitOf,
  mountOf,
  numberOf,
  probeSync,
  readDirectoryConfig,
  type SyncSpeed,
  withParents,
} from '@allocdb/node';

/** Clocks are watched for at least so long. */
const WATCH_MS = 250;
const LOOK_EVERY_MS = 5;
/** Names that a directory may hold before it is a database. */
const OWN_NAMES: ReadonlySet<string> = new Set(['LOCK', 'CONFIG.tmp', 'wal', 'snapshots', 'lost+found']);
const CGROUPS = '/sys/fs/cgroup';

/** Reads everything; takes as long as so many syncs do, and a quarter of a second. */
export async function readMachine(dir: string, syncs: number): Promise<MachineFacts> {
  const path = resolve(dir);
  const directory = directoryFacts(path);
  const existing = nearestExisting(path);
  const watch = new ClockWatch(
    () => performance.now(),
    () => Date.now(),
  );
  const sync = await measured(existing, syncs, watch);
  while (watch.facts.watchedMs < WATCH_MS) {
    await delay(LOOK_EVERY_MS);
    watch.look();
  }
  const memory = textOf('/proc/meminfo') ?? '';
  return {
    nodeVersion: process.version,
    platform: process.platform,
    cpus: availableParallelism(),
    cpuLimit: cpuLimit(),
    memoryBytes: totalmem(),
    availableBytes: meminfoOf(memory, 'MemAvailable'),
    memoryLimitBytes: memoryLimit(),
    openFilesMax: limitOf(textOf('/proc/self/limits') ?? '', 'Max open files'),
    hasFlock: spawnSync('flock', ['--version'], {stdio: 'ignore'}).error === undefined,
    directory,
    mount: mountOf(textOf('/proc/self/mountinfo') ?? '', existing),
    ...room(existing),
    sync,
    clock: watch.facts,
    kernel: kernelFacts(memory),
  };
}

/** Memory that this machine, or the control group of this process, allows. */
export function memoryOfMachine(): number {
  return Math.min(totalmem(), memoryLimit() ?? Number.POSITIVE_INFINITY);
}

async function measured(dir: string, syncs: number, watch: ClockWatch): Promise<SyncSpeed | string> {
  const pause = async (): Promise<void> => {
    watch.look();
    await turn();
  };
  try {
    return await probeSync(dir, {syncs, pause});
  } catch (error) {
    return (error as Error).message;
  }
}

function directoryFacts(path: string): DirectoryFacts {
  const state = stateOf(path);
  const isDatabase = state === 'database';
  return {
    path,
    state,
    isWritable: isWritable(nearestExisting(path)),
    lock: isDatabase ? lockOf(join(path, 'LOCK')) : {is: 'free'},
    usedBytes: isDatabase ? sizeOf(join(path, 'wal')) + sizeOf(join(path, 'snapshots')) : 0,
    configProblem: isDatabase ? readDirectoryConfig(path).problem : null,
  };
}

function stateOf(path: string): DirectoryFacts['state'] {
  try {
    const names = readdirSync(path);
    if (names.includes('CONFIG')) return 'database';
    return names.every(name => OWN_NAMES.has(name)) ? 'empty' : 'other';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'absent' : 'unreadable';
  }
}

/** The holder writes its process id into LOCK and empties it when it lets go; only a crash leaves an id of nobody. */
function lockOf(path: string): LockFacts {
  const text = textOf(path);
  if (text === null) return existsSync(path) ? {is: 'unknown', why: `${path} cannot be read`} : {is: 'free'};
  const pid = numberOf(text.trim());
  if (pid === null) return {is: 'free'};
  return isOpenedBy(pid, path) ? {is: 'held', pid} : tryLock(path, pid);
}

function isOpenedBy(pid: number, path: string): boolean {
  const handles = `/proc/${pid}/fd`;
  try {
    const real = realpathSync(path);
    return readdirSync(handles).some(handle => linkOf(`${handles}/${handle}`) === real);
  } catch {
    return false;
  }
}

/** A handle may be closed while all are looked through. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** Takes the lock as a reader does, for a moment: the process that LOCK names cannot be seen, or is another one by now. */
function tryLock(path: string, pid: number): LockFacts {
  let handle: number;
  try {
    handle = openSync(path, 'r');
  } catch (error) {
    return {is: 'unknown', why: (error as Error).message};
  }
  try {
    const {status, error} = spawnSync('flock', ['-s', '-n', '3'], {stdio: ['ignore', 'ignore', 'ignore', handle]});
    if (error !== undefined) return {is: 'unknown', why: 'flock did not run'};
    return status === 0 ? {is: 'free'} : {is: 'held', pid: isAlive(pid) ? pid : null};
  } finally {
    closeSync(handle);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function nearestExisting(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      if (statSync(at).isDirectory()) return realpathSync(at);
    } catch {
      // Its parent may be there.
    }
    if (dirname(at) === at) return at;
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Bytes of the files in a directory; files that a server removes meanwhile count nothing. */
function sizeOf(path: string): number {
  let sum = 0;
  try {
    for (const name of readdirSync(path)) sum += statSync(join(path, name), {throwIfNoEntry: false})?.size ?? 0;
  } catch {
    return sum;
  }
  return sum;
}

function room(path: string): Pick<MachineFacts, 'freeBytes' | 'freeFiles'> {
  try {
    const {bsize, bavail, files, ffree} = statfsSync(path);
    // Some file systems have no fixed number of files, and say 0.
    return {freeBytes: bsize * bavail, freeFiles: files === 0 ? null : ffree};
  } catch {
    return {freeBytes: null, freeFiles: null};
  }
}

/** The least of what the control groups of this process and their parents allow, by the files of either version. */
function leastOf(controller: string, read: (group: string) => number | null): number | null {
  const text = textOf('/proc/self/cgroup') ?? '';
  const own = cgroupOf(text, controller);
  const unified = cgroupOf(text, '');
  const groups = [
    ...(own === null ? [] : withParents(own).map(group => join(CGROUPS, controller, group))),
    ...(unified === null ? [] : withParents(unified).map(group => join(CGROUPS, group))),
  ];
  const limits = groups.map(read).filter(limit => limit !== null);
  return limits.length === 0 ? null : Math.min(...limits);
}

function memoryLimit(): number | null {
  return leastOf('memory', group => {
    const text = textOf(join(group, 'memory.max')) ?? textOf(join(group, 'memory.limit_in_bytes'));
    return text === null ? null : memoryLimitOf(text);
  });
}

function cpuLimit(): number | null {
  return leastOf('cpu', group => {
    const most = textOf(join(group, 'cpu.max'));
    if (most !== null) return cpuMaxOf(most);
    const [quota, period] = [textOf(join(group, 'cpu.cfs_quota_us')), textOf(join(group, 'cpu.cfs_period_us'))];
    return quota === null || period === null ? null : cpuQuotaOf(quota, period);
  });
}

function kernelFacts(memory: string): KernelFacts {
  const setting = (name: string): number | null => numberOf((textOf(`/proc/sys/vm/${name}`) ?? '').trim());
  const [bytes, ratio] = [setting('dirty_bytes'), setting('dirty_ratio')];
  const total = meminfoOf(memory, 'MemAvailable') ?? totalmem();
  return {
    clockSource: textOf('/sys/devices/system/clocksource/clocksource0/current_clocksource')?.trim() ?? null,
    transparentHugePages: chosenOf(textOf('/sys/kernel/mm/transparent_hugepage/enabled') ?? ''),
    dirtyBytes: bytes !== null && bytes > 0 ? bytes : ratio === null ? null : (total * ratio) / 100,
    swapBytes: meminfoOf(memory, 'SwapTotal'),
    swappiness: setting('swappiness'),
  };
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
