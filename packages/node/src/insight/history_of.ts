/**
 * The history of a resource, and the story of an operation, out of a log: reads it in steps, so that whoever serves others
 * at the same time can make pauses, and twice where an operation is asked for, once to find it and once to explain it.
 *
 * A stopped directory is one source; a running engine, with its own log and state, can be another.
 */
import {CodecError, type OperationId, type ResourceId} from '@allocdb/api';
import {type CoreConfig, U64_MAX} from '@allocdb/core';
import {
  type DirectoryLock,
  type FileIo,
  inspectWal,
  joinPath,
  type LogCursor,
  nodeFileIo,
  READ,
  type ReadWalOptions,
  readWal,
} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {readConfigFile} from '../storage/config_file.ts';
import {openErrorOf, snapshotLsns} from '../storage/data_directory.ts';
import {namesOf} from '../storage/directory_reading.ts';
import {snapshotName} from '../storage/snapshot_format.ts';
import {type KnownState, knownInSnapshot} from './known_state.ts';
import {boundsOf} from './reasons.ts';
import {type HistoryReport, OperationSearch, ResourceHistory, subjectsOf} from './resource_history.ts';
import type {Subjects} from './subjects.ts';

/** What is asked for: a resource, an operation, or both. */
export interface HistoryQuery {
  readonly resource: ResourceId | null;
  readonly operation: OperationId | null;
  /** First lsn to read; what lies before counts as unknown. Default: where the log begins. */
  readonly from?: bigint;
  /** Events that are kept: the newest. Default 1,000. */
  readonly limit?: number;
}

/** Where a history is read from. */
export interface HistorySource {
  /** What it is called in messages. */
  readonly name: string;
  readonly core: CoreConfig;
  /** Milliseconds of a slot, where known. */
  readonly slotMs: number | null;
  /** First lsn of the log. */
  readonly firstLsn: bigint;
  /** The last lsn to read, and the slot that is now, once everything up to it was read. */
  end(): {readonly lastLsn: bigint; readonly nowSlot: bigint | null};
  /** What is known of subjects at an lsn of at least `from` - 1; null for nothing. */
  known(subjects: Subjects, from: bigint): KnownState | null;
  /** Reads from this lsn to the end; what a cursor has not read is kept until it is closed. */
  read(from: bigint): LogCursor;
}

/** A source that holds its directory. */
export interface DirectorySource extends HistorySource, Disposable {
  close(): void;
}

/** Records of one step: a third of a millisecond, or what it takes to read and verify a frame. */
const RECORDS_A_STEP = 512;

/** Reads the whole history at once, of a source or of a stopped directory. Throws OpenError. */
export function historyOf(source: HistorySource | string, query: HistoryQuery): HistoryReport {
  if (typeof source === 'string') {
    using directory = openHistory(source);
    return historyOf(directory, query);
  }
  const steps = historySteps(source, query);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * The same, pausing after some hundred records each; yields how many were read by then. Left early, it closes what it has
 * open. Throws OpenError: `corrupt_log` or `undecodable_command` where the log is damaged, and what the source throws.
 */
export function* historySteps(source: HistorySource, query: HistoryQuery): Generator<number, HistoryReport> {
  const {core, firstLsn} = source;
  const {shardId} = core;
  const {resource, operation, limit} = query;
  const from = query.from === undefined || query.from < firstLsn ? firstLsn : query.from;
  const open = (): LogCursor => {
    try {
      return source.read(from);
    } catch (error) {
      throw openErrorOf(error, source.name);
    }
  };
  let read = 0;
  function* walk(cursor: LogCursor, visitor: {read(cursor: LogCursor, records: number): boolean}): Generator<number> {
    try {
      while (visitor.read(cursor, RECORDS_A_STEP)) {
        read += RECORDS_A_STEP;
        yield read;
      }
    } catch (error) {
      if (!(error instanceof CodecError)) throw openErrorOf(error, source.name);
      throw new OpenError('undecodable_command', `lsn ${cursor.lsn} is no command of this database`, [], error);
    } finally {
      cursor.close();
    }
  }
  const search = operation === null ? null : new OperationSearch(operation, shardId);
  // Opened before the search and held through it: a cursor keeps what it has not read, so that a checkpoint meanwhile cannot
  // cut off the log in which the operation was just found.
  const cursor = open();
  try {
    if (search !== null) yield* walk(open(), search);
    const asked = {resource, operation, found: search?.found ?? [], from, shardId, bounds: boundsOf(core)};
    const known = source.known(subjectsOf(asked), from);
    const history = new ResourceHistory({...asked, known, ...(limit === undefined ? {} : {limit})});
    if (resource !== null || asked.found.length > 0) yield* walk(cursor, history);
    return history.report({...source.end(), slotMs: source.slotMs});
  } finally {
    cursor.close();
  }
}

/** How a directory is opened for its history. */
export interface OpenHistoryOptions {
  readonly io?: FileIo;
  /** Milliseconds of a slot, where the directory does not say it. */
  readonly slotMs?: number;
}

/**
 * A directory that no process uses; nothing is changed, and nothing but the lock is touched, where it can be. Close it.
 * Throws OpenError.
 */
export function openHistory(dir: string, {io = nodeFileIo, slotMs}: OpenHistoryOptions = {}): DirectorySource {
  let lock: DirectoryLock | null = null;
  try {
    namesOf(io, dir);
    const created = readConfigFile(io, dir);
    if (created === null) throw new OpenError('missing_config', `${dir} holds no database`);
    lock = io.lock(dir, 'read');
    return new StoppedDirectory(io, dir, created.config.core, created.slotMs ?? slotMs ?? null, lock);
  } catch (error) {
    lock?.release();
    throw openErrorOf(error, dir);
  }
}

class StoppedDirectory implements DirectorySource {
  readonly core: CoreConfig;
  readonly slotMs: number | null;
  readonly firstLsn: bigint;
  readonly name: string;
  private readonly io: FileIo;
  private readonly lock: DirectoryLock;
  private readonly lsns: readonly bigint[];
  private readonly options: ReadWalOptions;

  constructor(io: FileIo, dir: string, core: CoreConfig, slotMs: number | null, lock: DirectoryLock) {
    this.io = io;
    this.name = dir;
    this.core = core;
    this.slotMs = slotMs;
    this.lock = lock;
    this.lsns = snapshotLsns(io, joinPath(dir, 'snapshots'));
    const newest = this.lsns[0] ?? 0n;
    const firstLsn = newest === U64_MAX ? U64_MAX : newest + 1n;
    this.options = {dir: joinPath(dir, 'wal'), io, floor: newest, firstLsn};
    this.firstLsn = inspectWal(this.options).firstLsn;
  }

  end(): {lastLsn: bigint; nowSlot: bigint | null} {
    const {lastLsn} = inspectWal(this.options);
    if (lastLsn === null) {
      const state = this.known({resources: [], reservations: [], operation: null}, this.firstLsn);
      return {lastLsn: this.firstLsn - 1n, nowSlot: state?.slot ?? null};
    }
    const cursor = readWal(this.options, lastLsn);
    try {
      return {lastLsn, nowSlot: cursor.next() === READ.RECORD ? cursor.stamp : null};
    } finally {
      cursor.close();
    }
  }

  /** The oldest snapshot that is sound and behind which no record is missing: it tells of the most. */
  known(subjects: Subjects, from: bigint): KnownState | null {
    for (const lsn of this.lsns.toReversed()) {
      if (lsn + 1n < from) continue;
      const file = joinPath(joinPath(this.name, 'snapshots'), snapshotName(lsn));
      const known = knownInSnapshot(this.io, file, subjects, this.core.shardId);
      if (known !== null) return known;
    }
    return null;
  }

  read(from: bigint): LogCursor {
    return readWal(this.options, from);
  }

  close(): void {
    this.lock.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
