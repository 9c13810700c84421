/**
 * How an engine is opened, and what it does where nothing was said. Everything but the directory has a default; what the
 * answers depend on is not here but in the configuration (config.ts), and is kept with the data.
 */
import type {AllocDb} from '@allocdb/core';
import type {CommitMode, FileIo} from '@allocdb/wal';
import type {Scheduler} from '../clock.ts';
import type {DatabaseConfig} from '../config.ts';
import type {CheckpointOptions} from '../storage/checkpointer.ts';
import type {SlotPolicy} from './slot_source.ts';

/** How to open an engine; everything but `dir` has a default. */
export interface EngineOptions {
  readonly dir: string;
  /** What to create the directory with; null to open it with what it was created with. */
  readonly config?: DatabaseConfig | null;
  readonly slots?: (db: AllocDb) => SlotPolicy;
  /** How frames are written; adaptive measures the disk. */
  readonly commitMode?: CommitMode;
  /** Size of a file of the log; 64 MiB. A multiple of 4096. */
  readonly segmentBytes?: number;
  /** Most bytes that are synced at once; 8 MiB, or half a segment if that is less. */
  readonly maxFrameBytes?: number;
  /** Milliseconds of a slot, where a clock of the caller's counts them: kept with the directory, and compared. */
  readonly slotMs?: number;
  readonly checkpoint?: Partial<CheckpointOptions>;
  /** After so long without a frame, the last one is proven by a marker in the log; 0 for never. Default 5. */
  readonly idleMarkerMs?: number;
  /** Files, clock of durations and randomness; the real ones unless a test simulates them. */
  readonly io?: FileIo;
  /** When the engine's own actions run; the event loop's unless a test simulates it. */
  readonly scheduler?: Scheduler;
}

/** What becomes of checkpoints where nothing was said. */
export const DEFAULT_CHECKPOINT: CheckpointOptions & {readonly everyLogBytes: number} = {
  everyLogBytes: 256 << 20,
  bytesPerSecond: 32 << 20,
  retainLogBytes: 0,
};
