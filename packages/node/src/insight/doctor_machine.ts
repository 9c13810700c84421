/**
 * Judgements about the machine: the version of Node, processors, memory against the tables, open files, the clocks, and a
 * few settings of the kernel that have kept servers waiting.
 */
import {memoryBytesOf} from '@allocdb/core';
import type {DoctorFinding, DoctorNeeds, MachineFacts} from './doctor.ts';
import {ok, problem, warning} from './finding.ts';
import {countText, durationText, sizeText} from './words.ts';

/** Versions of Node that the packages ask for: a major version and the first minor one of it. */
const NODE_VERSIONS: ReadonlyMap<number, number> = new Map([
  [20, 19],
  [22, 12],
]);
const NODE_NEWER = 24;

/** Node itself, the log's buffers, some hundred connections. */
const OTHER_MEMORY_BYTES: number = 512 << 20;
/** Files of the log, snapshots, the thread pool, standard streams. */
const OWN_FILES = 64;

/** Clock sources that are read without asking the kernel. */
const FAST_CLOCKS: ReadonlySet<string> = new Set([
  'tsc',
  'kvm-clock',
  'arch_sys_counter',
  'hyperv_clocksource_tsc_page',
]);
/** Adjusting a clock moves it by less from one look to the next. */
const JUMP_MS = 100;
const PAUSE_LONG_MS = 1000;

const DIRTY_MUCH_BYTES: number = 8 * 2 ** 30;

/** Node, processors, memory, files. */
export function machineFindings(facts: MachineFacts, needs: DoctorNeeds): DoctorFinding[] {
  return [
    nodeFinding(facts),
    ...lockProgramFindings(facts),
    cpuFinding(facts),
    memoryFinding(facts, needs),
    ...fileFindings(facts, needs),
  ];
}

function nodeFinding({nodeVersion, platform}: MachineFacts): DoctorFinding {
  const [major = 0, minor = 0] = nodeVersion.replace(/^v/, '').split('.').map(Number);
  const least = NODE_VERSIONS.get(major);
  const isSupported = major >= NODE_NEWER || (least !== undefined && minor >= least);
  const what = `Node ${nodeVersion} on ${platform}`;
  if (!isSupported) return problem('node', `${what} is not supported`, 'use Node 20.19, 22.12, or 24 and later');
  if (platform !== 'linux')
    return warning('node', `${what}: what is measured and promised is so on Linux`, 'run servers on Linux');
  return ok('node', what);
}

function lockProgramFindings({hasFlock}: MachineFacts): DoctorFinding[] {
  if (hasFlock) return [];
  return [problem('flock', 'the program flock is not there, and a directory is locked by it', 'install util-linux')];
}

function cpuFinding({cpus, cpuLimit}: MachineFacts): DoctorFinding {
  const what = `${countText(cpus)} processors${cpuLimit === null ? '' : `, of which a control group allows ${Number(cpuLimit.toFixed(2))}`}`;
  const usable = Math.min(cpus, cpuLimit ?? cpus);
  if (usable >= 2) return ok('cpu', what);
  return warning('cpu', `${what}: a server takes one, and writing snapshots and clients another`, 'give it two');
}

function memoryFinding(facts: MachineFacts, {config}: DoctorNeeds): DoctorFinding {
  const {memoryBytes, memoryLimitBytes, availableBytes} = facts;
  const tables = memoryBytesOf(config.core);
  const most = Math.min(memoryBytes, memoryLimitBytes ?? memoryBytes);
  const has =
    memoryLimitBytes === null || memoryLimitBytes >= memoryBytes ? 'the machine has' : 'a control group allows';
  const what = `the tables take ${sizeText(tables)}, ${has} ${sizeText(most)}`;
  if (tables > most) return problem('memory', what, 'plan smaller tables (allocdb plan), or use a larger machine');
  const free = Math.min(most, availableBytes ?? most);
  if (tables + OTHER_MEMORY_BYTES > free) {
    return warning('memory', `${what}, of which ${sizeText(free)} are free`, 'leave half a gigabyte beside the tables');
  }
  return ok('memory', what);
}

function fileFindings({openFilesMax}: MachineFacts, {maxConnections}: DoctorNeeds): DoctorFinding[] {
  if (openFilesMax === null) return [];
  const needed = maxConnections + OWN_FILES;
  const what = `${Number.isFinite(openFilesMax) ? countText(openFilesMax) : 'any number of'} files may be open`;
  const advice = 'raise the limit of open files (ulimit -n, LimitNOFILE)';
  if (openFilesMax < OWN_FILES) return [problem('open_files', `${what}, the server itself needs ${OWN_FILES}`, advice)];
  if (openFilesMax >= needed) return [ok('open_files', what)];
  return [warning('open_files', `${what}, ${countText(maxConnections)} connections need ${countText(needed)}`, advice)];
}

/** The monotonic clock, which slots are made of, and the one on the wall, which they are not. */
export function clockFindings({clock}: MachineFacts): DoctorFinding[] {
  const {backwardSteps, longestPauseMs, largestJumpMs, watchedMs} = clock;
  const watched = `in ${durationText(watchedMs)}`;
  const findings: DoctorFinding[] = [];
  if (backwardSteps > 0) {
    findings.push(
      problem(
        'clock',
        `the monotonic clock went back ${countText(backwardSteps)} times ${watched}`,
        'look at the clock source of the machine: holds would last longer',
      ),
    );
  } else if (longestPauseMs > PAUSE_LONG_MS) {
    findings.push(
      warning(
        'clock',
        `this process was kept from running for ${durationText(longestPauseMs)} ${watched}`,
        'look for what else the machine does: answers wait as long',
      ),
    );
  } else findings.push(ok('clock', `the monotonic clock only went forward ${watched}`));
  if (largestJumpMs > JUMP_MS) {
    findings.push(
      warning(
        'wall_clock',
        `the clock on the wall jumped by ${durationText(largestJumpMs)} ${watched}`,
        'holds do not depend on it; times in logs and certificates do',
      ),
    );
  }
  return findings;
}

/** Hints: settings of the kernel that may keep a server waiting. */
export function kernelFindings({kernel}: MachineFacts): DoctorFinding[] {
  const {clockSource, transparentHugePages, dirtyBytes, swapBytes, swappiness} = kernel;
  const findings: DoctorFinding[] = [];
  if (clockSource !== null && !FAST_CLOCKS.has(clockSource)) {
    findings.push(
      warning(
        'clock_source',
        `the clock source is ${clockSource}: each look at the clock asks the kernel`,
        'use tsc where the machine has a stable one',
      ),
    );
  }
  if (transparentHugePages === 'always') {
    findings.push(
      warning(
        'huge_pages',
        'transparent huge pages are always on: making them can hold up a process',
        'set them to madvise',
      ),
    );
  }
  if (dirtyBytes !== null && dirtyBytes > DIRTY_MUCH_BYTES) {
    findings.push(
      warning(
        'dirty_pages',
        `up to ${sizeText(dirtyBytes)} may wait to be written before writers are slowed down: syncs then wait behind them`,
        'set vm.dirty_bytes to 1 GiB or less',
      ),
    );
  }
  if (swapBytes !== null && swapBytes > 0 && swappiness !== 0) {
    findings.push(
      warning(
        'swap',
        `the machine has ${sizeText(swapBytes)} of swap: tables that are swapped out make commands wait`,
        'turn swap off, or set vm.swappiness to 0',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok('kernel', 'no setting that is known to keep servers waiting')];
}
