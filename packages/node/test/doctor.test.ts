/**
 * The doctor's judgements: on a good machine everything is ok; each fact that is not is found, by its own check, with a
 * sentence and an advice. Beside them the probe of a disk, the watch of clocks, and the texts of Linux.
 */
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {
  ClockWatch,
  cgroupOf,
  chosenOf,
  configOfLimits,
  cpuMaxOf,
  cpuQuotaOf,
  DEFAULT_DISK,
  type DoctorFinding,
  type DoctorNeeds,
  examine,
  findingLines,
  limitOf,
  type MachineFacts,
  meminfoOf,
  memoryLimitOf,
  mountOf,
  probeSync,
  withParents,
  worstOf,
} from '../src/index.ts';
import {contentOf, DIR, openOn} from './support.ts';

const GIB = 2 ** 30;

const GOOD: MachineFacts = {
  nodeVersion: 'v22.14.0',
  platform: 'linux',
  cpus: 4,
  cpuLimit: null,
  memoryBytes: 16 * GIB,
  availableBytes: 12 * GIB,
  memoryLimitBytes: null,
  openFilesMax: 65_536,
  hasFlock: true,
  directory: {
    path: '/data',
    state: 'database',
    isWritable: true,
    lock: {is: 'free'},
    usedBytes: 0,
    configProblem: null,
  },
  mount: {type: 'ext4', source: '/dev/sda1', mountPoint: '/', isReadOnly: false},
  freeBytes: 100 * GIB,
  freeFiles: 1_000_000,
  sync: {syncs: 300, p50Ms: 0.15, p99Ms: 0.3, maxMs: 1},
  clock: {looks: 1000, watchedMs: 300, backwardSteps: 0, longestPauseMs: 4, largestJumpMs: 0.1},
  kernel: {clockSource: 'tsc', transparentHugePages: 'madvise', dirtyBytes: 2 * GIB, swapBytes: 0, swappiness: 60},
};

const NEEDS: DoctorNeeds = {
  config: configOfLimits(
    {maxResources: 100_000, maxReservations: 200_000, maxOperations: 1_000_000, maxTtlSlots: 6000},
    100,
  ),
  disk: DEFAULT_DISK,
  maxConnections: 1000,
};

/** What is not ok with these facts, as check and level. */
function found(facts: Partial<MachineFacts>): string[] {
  const findings = examine({...GOOD, ...facts}, NEEDS);
  for (const {sentence, advice, level} of findings) {
    expect(`${sentence} ${advice}`).not.toMatch(/undefined|NaN|Infinity|\.$/);
    expect(advice === null).toBe(level === 'ok');
  }
  return findings.filter(({level}) => level !== 'ok').map(({check, level}) => `${check} ${level}`);
}

function inDirectory(directory: Partial<MachineFacts['directory']>): string[] {
  return found({directory: {...GOOD.directory, ...directory}});
}

describe('of a machine', () => {
  test('a good one has nothing but ok, and each check says so once', () => {
    const findings = examine(GOOD, NEEDS);
    expect(worstOf(findings)).toBe('ok');
    expect(findings.map(({check}) => check)).toEqual([
      ...[
        'directory',
        'lock',
        'file_system',
        'space',
        'sync',
        'node',
        'cpu',
        'memory',
        'open_files',
        'clock',
        'kernel',
      ],
    ]);
    expect(findingLines(findings)[4]).toBe(
      'ok       sync         a block of 4 KiB is synced in 0.15 ms, p99 0.3 ms (300 syncs)',
    );
  });

  test('Node, processors, memory, files and the lock program', () => {
    expect(found({nodeVersion: 'v18.20.0'})).toEqual(['node problem']);
    expect(found({nodeVersion: 'v20.18.9'})).toEqual(['node problem']);
    expect(found({nodeVersion: 'v21.9.0'})).toEqual(['node problem']);
    for (const nodeVersion of ['v20.19.0', 'v22.12.0', 'v24.0.0', 'v31.1.0']) expect(found({nodeVersion})).toEqual([]);
    expect(found({platform: 'darwin'})).toEqual(['node warning']);
    expect(found({cpus: 1})).toEqual(['cpu warning']);
    expect(found({cpuLimit: 1.5})).toEqual(['cpu warning']);
    expect(found({memoryBytes: 2 ** 26})).toEqual(['memory problem']);
    expect(found({memoryLimitBytes: 2 ** 26})).toEqual(['memory problem']);
    expect(found({availableBytes: 2 ** 28})).toEqual(['memory warning']);
    expect(found({openFilesMax: 32})).toEqual(['open_files problem']);
    expect(found({openFilesMax: 1024})).toEqual(['open_files warning']);
    expect(found({openFilesMax: Number.POSITIVE_INFINITY})).toEqual([]);
    expect(found({hasFlock: false})).toEqual(['flock problem']);
  });

  test('clocks', () => {
    const clock = (facts: Partial<MachineFacts['clock']>): string[] => found({clock: {...GOOD.clock, ...facts}});
    expect(clock({backwardSteps: 1})).toEqual(['clock problem']);
    expect(clock({longestPauseMs: 1500})).toEqual(['clock warning']);
    expect(clock({largestJumpMs: 3000})).toEqual(['wall_clock warning']);
  });

  test('the kernel, as hints', () => {
    const kernel = (facts: Partial<MachineFacts['kernel']>): string[] => found({kernel: {...GOOD.kernel, ...facts}});
    expect(kernel({clockSource: 'hpet'})).toEqual(['clock_source warning']);
    expect(kernel({transparentHugePages: 'always'})).toEqual(['huge_pages warning']);
    expect(kernel({dirtyBytes: 40 * GIB})).toEqual(['dirty_pages warning']);
    expect(kernel({swapBytes: GIB})).toEqual(['swap warning']);
    expect(kernel({swapBytes: GIB, swappiness: 0})).toEqual([]);
    const nothing = {
      clockSource: null,
      transparentHugePages: null,
      dirtyBytes: null,
      swapBytes: null,
      swappiness: null,
    };
    expect(kernel(nothing)).toEqual([]);
  });

  test('one that tells nothing is judged by what is left', () => {
    const silent = {
      cpuLimit: null,
      availableBytes: null,
      openFilesMax: null,
      mount: null,
      freeBytes: null,
      freeFiles: null,
    };
    expect(found(silent)).toEqual([]);
  });
});

describe('of a directory and its disk', () => {
  test('what it holds, who may write and who has it', () => {
    expect(inDirectory({state: 'absent'})).toEqual([]);
    expect(inDirectory({state: 'empty'})).toEqual([]);
    expect(inDirectory({state: 'unreadable'})).toEqual(['directory problem']);
    expect(inDirectory({state: 'other'})).toEqual(['directory problem']);
    expect(inDirectory({configProblem: 'CONFIG fails its checksum'})).toEqual(['directory problem']);
    expect(inDirectory({isWritable: false})).toEqual(['writable problem']);
    expect(inDirectory({lock: {is: 'held', pid: 77}})).toEqual([]);
    expect(inDirectory({lock: {is: 'unknown', why: 'no permission'}})).toEqual(['lock warning']);
    const said = examine({...GOOD, directory: {...GOOD.directory, lock: {is: 'held', pid: 77}}}, NEEDS);
    expect(said.find(({check}) => check === 'lock')?.sentence).toMatch(/in use by process 77/);
  });

  test('the file system', () => {
    const on = (type: string): string[] => found({mount: {type, source: 'x', mountPoint: '/mnt', isReadOnly: false}});
    for (const type of ['tmpfs', 'overlay', 'nfs4', 'cifs', 'fuse.sshfs', '9p', 'btrfs', 'zfs']) {
      expect([type, ...on(type)]).toEqual([type, 'file_system warning']);
    }
    for (const type of ['ext4', 'xfs', 'fusedfs']) expect(on(type)).toEqual([]);
    const mount = {type: 'ext4', source: 'x', mountPoint: '/mnt', isReadOnly: true};
    expect(found({mount})).toEqual(['writable problem']);
  });

  test('room, counting what the database has already', () => {
    expect(found({freeBytes: 300 * 2 ** 20})).toEqual(['space problem']);
    expect(found({freeBytes: 2 * GIB})).toEqual(['space warning']);
    const directory = {...GOOD.directory, usedBytes: 9 * GIB};
    expect(found({freeBytes: 2 * GIB, directory})).toEqual([]);
    expect(found({freeFiles: 3})).toEqual(['inodes warning']);
  });

  test('how fast it syncs', () => {
    const sync = (p50Ms: number, p99Ms: number): string[] => found({sync: {syncs: 100, p50Ms, p99Ms, maxMs: p99Ms}});
    expect(sync(0.002, 0.004)).toEqual(['sync warning']);
    expect(sync(0.02, 0.1)).toEqual([]);
    expect(sync(14, 20)).toEqual(['sync warning']);
    expect(sync(1, 80)).toEqual(['sync warning']);
    expect(found({sync: 'ENOSPC: no space left on device'})).toEqual(['sync problem']);
  });

  test('the worst finding counts', () => {
    const levels = (facts: Partial<MachineFacts>): string => worstOf(examine({...GOOD, ...facts}, NEEDS));
    expect(levels({cpus: 1})).toBe('warning');
    expect(levels({cpus: 1, hasFlock: false})).toBe('problem');
    expect(worstOf([] satisfies DoctorFinding[])).toBe('ok');
  });
});

describe('the probe', () => {
  test('measures write and sync, and the directory holds what it held at every moment', async () => {
    const disk = new SimDisk();
    openOn(disk).closeNow();
    disk.syncMs = 2;
    const before = contentOf(disk);
    let pauses = 0;
    const pause = async (): Promise<void> => {
      pauses++;
      expect(contentOf(disk)).toEqual(before);
    };
    const speed = await probeSync(DIR, {io: disk, syncs: 50, pause});
    expect(pauses).toBe(50);
    expect(speed.syncs).toBe(50);
    expect(speed.p50Ms).toBeGreaterThanOrEqual(2);
    expect(speed.p50Ms).toBeLessThan(2.1);
    expect(contentOf(disk)).toEqual(before);
  });

  test('ends on a slow disk, after a few syncs at least', async () => {
    const disk = new SimDisk();
    disk.makeDir(DIR);
    disk.syncMs = 1000;
    expect((await probeSync(DIR, {io: disk, maxMs: 3000})).syncs).toBe(20);
  });

  test('fails with what the system says, and leaves nothing behind', async () => {
    for (let call = 1; call <= 11; call++) {
      for (const kind of ['EIO', 'ENOSPC'] as const) {
        const disk = new SimDisk();
        disk.makeDir(DIR);
        disk.arm({call, kind});
        const failed = await probeSync(DIR, {io: disk, syncs: 3}).then(
          () => false,
          (error: unknown) => `${(error as {code?: unknown}).code}` === kind,
        );
        disk.arm(null);
        expect([call, failed]).toEqual([call, call < 11]);
        // A name that cannot be removed stays: the system refuses.
        expect(disk.list(DIR).length).toBe(call === 2 ? 1 : 0);
      }
    }
  });
});

test('the watch sees a clock that falls back, a jump of the other one, and a pause', () => {
  const looks: readonly (readonly [number, number])[] = [
    [0, 5000],
    [10, 5010],
    [11, 9011],
    [7, 9007],
    [500, 9500],
  ];
  let at = 0;
  const watch = new ClockWatch(
    () => looks[at]?.[0] ?? 0,
    () => looks[at]?.[1] ?? 0,
  );
  for (at = 1; at < looks.length; at++) watch.look();
  const expected = {looks: 5, watchedMs: 500, backwardSteps: 1, longestPauseMs: 493, largestJumpMs: 4000};
  expect(watch.facts).toEqual(expected);
});

describe('texts of Linux', () => {
  test('mounts: the longest that holds the path, the later of two', () => {
    const text = [
      '22 27 0:21 / / rw,relatime - ext4 /dev/root rw',
      '23 22 0:22 / /srv rw,relatime shared:1 master:2 - xfs /dev/sdb rw',
      '24 23 0:23 / /srv/with\\040blank ro - nfs4 host:/x rw',
      '25 23 0:24 / /srv/twice rw - ext4 /dev/sdc rw',
      '26 25 0:25 / /srv/twice rw - tmpfs none rw',
    ].join('\n');
    const type = (path: string): string | undefined => mountOf(text, path)?.type;
    expect(type('/data')).toBe('ext4');
    expect(type('/srv/data')).toBe('xfs');
    expect(type('/srvother')).toBe('ext4');
    expect(mountOf(text, '/srv/with blank/a')).toMatchObject({type: 'nfs4', source: 'host:/x', isReadOnly: true});
    expect(type('/srv/twice/a')).toBe('tmpfs');
    expect(mountOf('', '/')).toBeNull();
  });

  test('limits, memory and control groups', () => {
    const limits =
      'Limit   Soft Limit  Hard Limit  Units\nMax open files  1024  524288  files\nMax core file size  unlimited 0 bytes\n';
    expect(limitOf(limits, 'Max open files')).toBe(1024);
    expect(limitOf(limits, 'Max core file size')).toBe(Number.POSITIVE_INFINITY);
    expect(limitOf(limits, 'Max locks')).toBeNull();
    expect(meminfoOf('MemTotal:  100 kB\nMemAvailable:      55 kB\n', 'MemAvailable')).toBe(55 * 1024);
    expect(meminfoOf('', 'MemTotal')).toBeNull();
    expect(cgroupOf('4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/d\n', 'cpu')).toBe('/c');
    expect(cgroupOf('4:memory:/a/b\n0::/d\n', '')).toBe('/d');
    expect(cgroupOf('4:memory:/a/b\n', 'cpu')).toBeNull();
    expect(withParents('/a/b')).toEqual(['/a/b', '/a', '/']);
    expect(withParents('/')).toEqual(['/']);
    expect(memoryLimitOf('max\n')).toBeNull();
    expect(memoryLimitOf('9223372036854771712\n')).toBeNull();
    expect(memoryLimitOf('1073741824\n')).toBe(GIB);
    expect(cpuMaxOf('max 100000\n')).toBeNull();
    expect(cpuMaxOf('150000 100000\n')).toBe(1.5);
    expect(cpuQuotaOf('-1\n', '100000\n')).toBeNull();
    expect(cpuQuotaOf('50000\n', '100000\n')).toBe(0.5);
    expect(chosenOf('always [madvise] never\n')).toBe('madvise');
    expect(chosenOf('tsc')).toBeNull();
  });
});
