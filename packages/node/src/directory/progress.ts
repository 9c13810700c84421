/**
 * What the operations on directories tell whoever waits for them: the phase, how much of it is done, how much there is.
 * Told when a phase begins and ends, and in between after a tenth of a second or a MiB, not for every record.
 */
import type {Phase, Progress} from '../storage/steps.ts';

const EVERY_MS = 100;
const EVERY_BYTES: number = 1 << 20;

/** How far an operation is. `total` is 0 where it is not known. */
export interface DirectoryProgress {
  readonly phase: Phase;
  readonly unit: 'bytes' | 'records';
  readonly done: number;
  readonly total: number;
}

/** Told about progress; what it throws ends the operation. */
export type OnProgress = (progress: DirectoryProgress) => void;

export class ProgressReporter implements Progress {
  private readonly now: () => number;
  private readonly onProgress: OnProgress | undefined;
  private at: {phase: Phase; unit: 'bytes' | 'records'; total: number} | null = null;
  private done: number = 0;
  private toldDone: number = 0;
  private toldMs: number = 0;

  constructor(now: () => number, onProgress: OnProgress | undefined) {
    this.now = now;
    this.onProgress = onProgress;
  }

  begin(phase: Phase, unit: 'bytes' | 'records', total: number): void {
    this.end();
    this.at = {phase, unit, total};
    this.done = 0;
    this.tell();
  }

  add(count: number): void {
    this.done += count;
    const isMuch = this.at?.unit === 'bytes' && this.done - this.toldDone >= EVERY_BYTES;
    if (isMuch || this.now() - this.toldMs >= EVERY_MS) this.tell();
  }

  /** The phase, if one has begun, is over. */
  end(): void {
    if (this.at !== null && this.done !== this.toldDone) this.tell();
    this.at = null;
  }

  private tell(): void {
    this.toldDone = this.done;
    this.toldMs = this.now();
    if (this.at !== null) this.onProgress?.({...this.at, done: this.done});
  }
}
