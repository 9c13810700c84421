/**
 * Backups of a directory whose engine goes on: the published snapshots, then the log as far as it is durable when its turn
 * comes, into a directory of their own, which is read and replayed before it counts. Truncation is held off meanwhile; the
 * copying is paced as checkpoints are, and shares their part of disk and event loop.
 *
 *   mark → snapshots → log → verify → CONFIG → mark away
 *
 * Snapshots come first, so that the copied log reaches each of them.
 */
import {type FileIo, nodeFileIo, parentPath, type Wal} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {readConfigFile} from '../storage/config_file.ts';
import {snapshotLsns} from '../storage/data_directory.ts';
import type {Pacer} from '../storage/pacer.ts';
import {inTurns} from '../storage/steps.ts';
import {verifyDirectorySteps} from '../storage/verify_directory.ts';
import {verifyOnThread} from '../storage/verify_thread.ts';
import {copyErrorOf} from './copy_error.ts';
import {bytesOf, closeSnapshots, copySnapshots, openSnapshots} from './copy_snapshot.ts';
import {NewDirectory} from './new_directory.ts';
import {type OnProgress, ProgressReporter} from './progress.ts';
import {type Verify, verifyCopy} from './verified_copy.ts';

export interface BackupOptions {
  readonly onProgress?: OnProgress;
  /** Gives the backup up with its reason; what was written is removed. */
  readonly signal?: AbortSignal;
}

/** A finished backup. */
export interface BackupInfo {
  /** Last lsn in it; null where nothing was written yet. */
  readonly lsn: bigint | null;
  /** Lsn of the newest snapshot in it, or null. */
  readonly snapshotLsn: bigint | null;
  readonly bytes: number;
  readonly durationMs: number;
}

/** What is backed up, and at what rate. */
export interface BackupSource {
  readonly io: FileIo;
  readonly wal: Wal;
  readonly snapshotDir: string;
  readonly pacer: Pacer;
}

/** The backups of one engine. */
export class Backups {
  private readonly source: BackupSource;
  private readonly ending: AbortController = new AbortController();
  private readonly running: Set<Promise<unknown>> = new Set();

  constructor(source: BackupSource) {
    this.source = source;
  }

  /** See `SingleNodeEngine.backup`. */
  async run(dir: string, options: BackupOptions): Promise<BackupInfo> {
    const {signal} = this.ending;
    const given = options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]);
    const backup = makeBackup(this.source, dir, options.onProgress, given);
    this.running.add(backup);
    try {
      return await backup;
    } finally {
      this.running.delete(backup);
    }
  }

  /** Those under way end soon, and remove what they have written. */
  giveUp(): void {
    this.ending.abort(new Error('the backup was given up because the engine is closing'));
  }

  /** Resolves when none is under way any more. */
  async stop(): Promise<void> {
    this.giveUp();
    await Promise.allSettled(this.running);
  }
}

async function makeBackup(
  source: BackupSource,
  dir: string,
  onProgress: OnProgress | undefined,
  signal: AbortSignal,
): Promise<BackupInfo> {
  signal.throwIfAborted();
  const {io} = source;
  const started = io.now();
  const progress = new ProgressReporter(() => io.now(), onProgress);
  let target: NewDirectory | null = null;
  try {
    target = NewDirectory.begin(io, dir, 'backup');
    const from = parentPath(source.snapshotDir);
    const created = readConfigFile(io, from);
    if (created === null) throw new OpenError('missing_config', `the CONFIG of ${from} is gone`);
    await copyFiles(source, target, progress, signal);
    const copy = {io, dir, created};
    const {report, snapshotLsn} = await verifyCopy(copy, verifyBeside(source, signal), progress);
    progress.end();
    signal.throwIfAborted();
    return {lsn: report.lsn, snapshotLsn, bytes: target.finish(created), durationMs: io.now() - started};
  } catch (error) {
    target?.discard();
    const {failure} = source.wal;
    if (failure !== null) throw failure;
    throw error === signal.reason ? error : copyErrorOf(error, dir);
  }
}

async function copyFiles(
  {io, wal, snapshotDir, pacer}: BackupSource,
  target: NewDirectory,
  progress: ProgressReporter,
  signal: AbortSignal,
): Promise<void> {
  // Held before the snapshots are chosen: what they need of the log stays until it is copied.
  using pin = wal.pin(wal.firstLsn);
  const usable = snapshotLsns(io, snapshotDir).filter(lsn => lsn + 1n >= pin.lsn);
  const snapshots = openSnapshots(io, snapshotDir, usable);
  try {
    const logBytes = wal.segments.reduce((sum, segment) => sum + segment.bytes, 0);
    progress.begin('copy', 'bytes', bytesOf(io, snapshots) + logBytes);
    pacer.begin();
    const pace = async (bytes: number, busyMs: number): Promise<void> => {
      signal.throwIfAborted();
      if (bytes > 0) progress.add(bytes);
      await pacer.pay(bytes, busyMs);
      signal.throwIfAborted();
    };
    await copySnapshots(io, snapshots, target.snapshotDir, pace);
    await wal.copyTo({to: target.walDir, lock: false, signal, pace});
  } finally {
    closeSnapshots(io, snapshots);
  }
}

/** On a thread where files are real and a thread can be had, else here, in the turns that the engine leaves. */
function verifyBeside({io, pacer}: BackupSource, signal: AbortSignal): Verify {
  return async (directory, progress) => {
    const onThread = io === nodeFileIo ? await verifyOnThread(directory, progress, signal) : null;
    if (onThread !== null) return onThread;
    const steps = verifyDirectorySteps(directory, progress);
    const {report} = await inTurns(
      steps,
      () => io.now(),
      async busyMs => {
        signal.throwIfAborted();
        await pacer.pay(0, busyMs);
        signal.throwIfAborted();
      },
    );
    return report;
  };
}
