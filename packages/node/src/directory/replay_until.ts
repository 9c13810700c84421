/**
 * What the state of a directory was at an lsn: position, digest and counts, by replaying what is kept. Reads only, and
 * refuses beside a process that has the directory.
 */
import {bigintOfU64, digestOf, U64_MAX} from '@allocdb/core';
import {type FileIo, nodeFileIo} from '@allocdb/wal';
import {openErrorOf} from '../storage/data_directory.ts';
import {lockToRead} from '../storage/directory_reading.ts';
import {stateAtSteps} from '../storage/state_at.ts';
import {inTurns} from '../storage/steps.ts';
import {type OnProgress, ProgressReporter} from './progress.ts';
import {restOf} from './rest.ts';

export interface ReplayOptions {
  /** Lsn to replay to; as far as the log goes if left out. 0 is the state before the first command. */
  readonly until?: bigint;
  readonly onProgress?: OnProgress;
  /** Ends it with its reason. */
  readonly signal?: AbortSignal;
  readonly io?: FileIo;
}

/** The state at an lsn, in numbers. */
export interface ReplayInfo {
  readonly lsn: bigint;
  /** Slot of the last command; null before the first. */
  readonly slot: bigint | null;
  readonly digest: bigint;
  readonly resources: number;
  /** Live ones, and ended ones that are still remembered. */
  readonly reservations: number;
  readonly operations: number;
  /** Records that were replayed, from the snapshot that lies closest before. */
  readonly records: number;
  readonly durationMs: number;
}

/**
 * Replays a directory to an lsn. Rejects with OpenError: `lsn_out_of_range`, naming what is kept; `locked`, `unfinished`,
 * `missing_config`; and what opening throws of a directory that is not sound.
 */
export async function replayUntil(dir: string, options: ReplayOptions = {}): Promise<ReplayInfo> {
  const {until = null, io = nodeFileIo, signal, onProgress} = options;
  assertLsn(until);
  const now = (): number => io.now();
  const started = now();
  const progress = new ProgressReporter(now, onProgress);
  const directory = lockToRead(io, dir);
  try {
    const {db, lsn, records} = await inTurns(stateAtSteps(directory, until, progress), now, restOf(signal));
    progress.end();
    return {
      lsn,
      slot: db.hasSlot ? bigintOfU64(db.lastSlotLo, db.lastSlotHi) : null,
      digest: digestOf(db),
      resources: db.resources.count,
      reservations: db.reservationsUsed,
      operations: db.operations.used,
      records,
      durationMs: now() - started,
    };
  } catch (error) {
    throw openErrorOf(error, dir);
  } finally {
    directory.lock.release();
  }
}

/** Throws RangeError for what is no lsn. */
export function assertLsn(lsn: bigint | null): void {
  if (lsn !== null && (lsn < 0n || lsn > U64_MAX)) throw new RangeError(`an lsn is a 64-bit number, got ${lsn}`);
}
