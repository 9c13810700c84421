/**
 * What a machine and a directory are like, judged for a server that would run there: each fact becomes one finding, with
 * a level, a sentence and, where something can be done, an advice. The facts are read by whoever calls; nothing here
 * touches a system, so every judgement can be tested.
 *
 * A problem keeps a server from starting or from keeping its promises; a warning costs speed or room, or should be known.
 */
import type {DatabaseConfig} from '../config.ts';
import type {ClockFacts} from './clock_watch.ts';
import {clockFindings, kernelFindings, machineFindings} from './doctor_machine.ts';
import {directoryFindings, diskFindings} from './doctor_storage.ts';
import type {DiskSettings} from './file_sizes.ts';
import type {Mount} from './proc_text.ts';
import type {SyncSpeed} from './sync_probe.ts';

/** How bad a finding is. */
export type FindingLevel = 'ok' | 'warning' | 'problem';

/** One finding. */
export interface DoctorFinding {
  /** What was looked at: a word that stays the same. */
  readonly check: string;
  readonly level: FindingLevel;
  readonly sentence: string;
  /** What to do; null where there is nothing to do. */
  readonly advice: string | null;
}

/** Who holds the lock of a directory. */
export type LockFacts =
  | {readonly is: 'free'}
  | {readonly is: 'held'; readonly pid: number | null}
  | {readonly is: 'unknown'; readonly why: string};

/** A directory as it was found. */
export interface DirectoryFacts {
  readonly path: string;
  /** `other` holds files and no database; `unreadable` is there and cannot be listed, or is no directory. */
  readonly state: 'absent' | 'empty' | 'database' | 'other' | 'unreadable';
  /** Whether this user may write there, or where it is absent, create it. */
  readonly isWritable: boolean;
  readonly lock: LockFacts;
  /** Bytes of log and snapshots that are there. */
  readonly usedBytes: number;
  /** Why its configuration cannot be read, or null. */
  readonly configProblem: string | null;
}

/** What was read of a machine; null for what it does not tell. */
export interface MachineFacts {
  readonly nodeVersion: string;
  readonly platform: string;
  readonly cpus: number;
  /** Cores that a control group allows. */
  readonly cpuLimit: number | null;
  readonly memoryBytes: number;
  readonly availableBytes: number | null;
  /** What a control group allows. */
  readonly memoryLimitBytes: number | null;
  readonly openFilesMax: number | null;
  readonly hasFlock: boolean;
  readonly directory: DirectoryFacts;
  /** The file system that the directory is or would be on. */
  readonly mount: Mount | null;
  readonly freeBytes: number | null;
  readonly freeFiles: number | null;
  /** How fast it syncs, or why that could not be measured. */
  readonly sync: SyncSpeed | string;
  readonly clock: ClockFacts;
  readonly kernel: KernelFacts;
}

/** Settings of the kernel; null for what it does not tell. */
export interface KernelFacts {
  readonly clockSource: string | null;
  readonly transparentHugePages: string | null;
  /** Dirty bytes at which writers are made to wait. */
  readonly dirtyBytes: number | null;
  readonly swapBytes: number | null;
  readonly swappiness: number | null;
}

/** What a server needs. */
export interface DoctorNeeds {
  readonly config: DatabaseConfig;
  readonly disk: DiskSettings;
  readonly maxConnections: number;
}

/** Judges every fact, the worst findings first within what was looked at. */
export function examine(facts: MachineFacts, needs: DoctorNeeds): DoctorFinding[] {
  return [
    ...directoryFindings(facts),
    ...diskFindings(facts, needs),
    ...machineFindings(facts, needs),
    ...clockFindings(facts),
    ...kernelFindings(facts),
  ];
}

/** The worst level among findings. */
export function worstOf(findings: readonly DoctorFinding[]): FindingLevel {
  const levels = new Set(findings.map(({level}) => level));
  if (levels.has('problem')) return 'problem';
  return levels.has('warning') ? 'warning' : 'ok';
}

/** Findings as lines, the advice indented below. */
export function findingLines(findings: readonly DoctorFinding[]): string[] {
  return findings.flatMap(({check, level, sentence, advice}) => {
    const line = `${level.padEnd(9)}${check.padEnd(13)}${sentence}`;
    return advice === null ? [line] : [line, `${' '.repeat(22)}${advice}`];
  });
}
