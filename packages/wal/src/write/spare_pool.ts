/**
 * Files that are ready to become segments: zeros, written and synced ahead, or files of segments that were removed.
 *
 * Invariant: a spare in `#ready` is full length, synced, and no write to it is under way; its bytes are zeros or, in a
 * recycled one, frames under other salts. A full disk is not a failure here: what has been filled is kept and continued
 * later. Any other error is the log's failure.
 * Segments that are used again are PostgreSQL's idea, a salt that makes their old content void SQLite's.
 * A spare has no name that counts; its first segment header and its rename make it one (`segment_writer.ts`).
 */

import {isDiskFull, isOutOfHandles} from '../errors.ts';
import {type FileIo, joinPath} from '../file_io.ts';
import {FILE} from '../format/format.ts';

const CHUNK_BYTES: number = 1 << 20;
const ZEROS: Uint8Array = new Uint8Array(CHUNK_BYTES);

export interface Spare {
  readonly path: string;
  readonly handle: number;
  readonly isRecycled: boolean;
  filledBytes: number;
}

export interface SparePoolOptions {
  readonly io: FileIo;
  readonly dir: string;
  readonly segmentBytes: number;
  /** Ready files beyond which no removed segment is kept. */
  readonly recycleMax: number;
}

export class SparePool {
  readonly #io: FileIo;
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #recycleMax: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #ready: Spare[] = [];
  /** Begun, and touched by synchronous calls only. */
  #filling: Spare | null = null;
  /** In the hands of the background loop; null when it runs for a spare that was given up. */
  #inFlight: Spare | null = null;
  #backgroundRuns = false;
  #background: Promise<void> | null = null;
  #created = 0;

  constructor(options: SparePoolOptions, onFailure: (error: unknown) => void) {
    this.#io = options.io;
    this.#dir = options.dir;
    this.#segmentBytes = options.segmentBytes;
    this.#recycleMax = options.recycleMax;
    this.#onFailure = onFailure;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  take(): Spare {
    const spare = this.#ready.shift();
    if (spare === undefined) throw new Error('no spare segment is ready');
    return spare;
  }

  /** Whether the file of a removed segment is worth keeping. */
  wants(sizeBytes: number): boolean {
    return sizeBytes === this.#segmentBytes && this.#ready.length < this.#recycleMax;
  }

  /** Renames a segment that is given up to a spare. The caller syncs the directory, then calls `adopt`. */
  recycle(path: string): string {
    const sparePath = this.#nextPath();
    this.#io.rename(path, sparePath);
    return sparePath;
  }

  adopt(path: string): void {
    const spare = {path, handle: -1, isRecycled: true, filledBytes: this.#segmentBytes};
    try {
      this.#ready.push({...spare, handle: this.#io.open(path, 'write')});
    } catch (error) {
      if (!isOutOfHandles(error)) throw error;
      this.#unlinkQuietly(spare);
    }
  }

  /** Blocks until `count` spares are ready; false when the disk is full. */
  ensure(count: number): boolean {
    // An asynchronous write of zeros may land late, so its file must never become a segment.
    if (this.#ready.length < count) this.#giveUp();
    while (this.#ready.length < count) {
      if (this.fillStep(CHUNK_BYTES) === 'full') return false;
    }
    return true;
  }

  /** Fills up to `maxBytes` of one spare, and syncs it when it is complete. */
  fillStep(maxBytes: number): 'ready' | 'more' | 'full' {
    if (this.#inFlight !== null) return 'more';
    try {
      this.#filling ??= this.#create();
      const spare = this.#filling;
      const length = Math.min(maxBytes, CHUNK_BYTES, this.#segmentBytes - spare.filledBytes);
      if (length > 0) spare.filledBytes += this.#io.write(spare.handle, ZEROS, 0, length, spare.filledBytes);
      if (spare.filledBytes < this.#segmentBytes) return 'more';
    } catch (error) {
      if (isDiskFull(error) || isOutOfHandles(error)) return 'full';
      throw error;
    }
    return this.#complete(this.#filling);
  }

  /** Fills one spare from the thread pool, chunk by chunk, unless one is ready or under way. */
  startBackground(): void {
    if (this.#backgroundRuns || this.#ready.length > 0) return;
    this.#backgroundRuns = true;
    this.#background = this.#fillInBackground()
      .catch(this.#onFailure)
      .finally(() => {
        this.#backgroundRuns = false;
      });
  }

  /** Resolves when the background loop has let go of its file. */
  async settled(): Promise<void> {
    await this.#background;
  }

  /** Closes and removes all spares; the log is ending, so errors change nothing. */
  release(): void {
    for (const spare of this.#ready.splice(0)) this.#discard(spare);
    if (this.#filling !== null) this.#discard(this.#filling);
    this.#filling = null;
    this.#giveUp();
  }

  async #fillInBackground(): Promise<void> {
    let spare: Spare | null = null;
    let syncing = false;
    try {
      spare = this.#filling ?? this.#create();
      this.#filling = null;
      this.#inFlight = spare;
      while (spare === this.#inFlight && spare.filledBytes < this.#segmentBytes) {
        const length = Math.min(CHUNK_BYTES, this.#segmentBytes - spare.filledBytes);
        syncing = false;
        spare.filledBytes += await this.#io.writeAsync(spare.handle, ZEROS, 0, length, spare.filledBytes);
        syncing = true;
        // Synced chunk by chunk, so that no commit waits behind megabytes of zeros.
        await this.#io.datasyncAsync(spare.handle);
      }
    } catch (error) {
      if (spare !== null && spare !== this.#inFlight) return this.#closeQuietly(spare);
      this.#inFlight = null;
      // A full disk costs nothing that was filled: the write has ended, and the rest follows when there is room again.
      if (isDiskFull(error) && spare !== null && !syncing) this.#filling = spare;
      else if (spare !== null) this.#discard(spare);
      if (isDiskFull(error) || isOutOfHandles(error)) return;
      throw error;
    }
    if (spare !== this.#inFlight) return this.#closeQuietly(spare);
    this.#ready.push(spare);
    this.#inFlight = null;
  }

  /** The name goes at once, since a later writer may use it; the handle when the loop has let go of it. */
  #giveUp(): void {
    if (this.#inFlight !== null) this.#unlinkQuietly(this.#inFlight);
    this.#inFlight = null;
  }

  #create(): Spare {
    const path = this.#nextPath();
    return {path, handle: this.#io.open(path, 'create'), isRecycled: false, filledBytes: 0};
  }

  #nextPath(): string {
    return joinPath(this.#dir, `${FILE.SPARE_PREFIX}${this.#created++}${FILE.SPARE_SUFFIX}`);
  }

  #complete(spare: Spare): 'ready' | 'full' {
    this.#filling = null;
    try {
      this.#io.datasync(spare.handle);
    } catch (error) {
      // After a failed sync nobody knows what the file holds; a new one is begun when it is asked for again.
      this.#discard(spare);
      if (isDiskFull(error)) return 'full';
      throw error;
    }
    this.#ready.push(spare);
    return 'ready';
  }

  /** What is left in spite of this, the next opening removes. */
  #discard(spare: Spare): void {
    this.#closeQuietly(spare);
    this.#unlinkQuietly(spare);
  }

  #closeQuietly(spare: Spare): void {
    try {
      this.#io.close(spare.handle);
    } catch {
      // The file is unused whether or not the system could close it.
    }
  }

  #unlinkQuietly(spare: Spare): void {
    try {
      this.#io.unlink(spare.path);
    } catch {
      // Its name does not count.
    }
  }
}
