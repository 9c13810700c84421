/**
 * Whoever reads a change feed in a test: takes chunk after chunk at a pace of its own and keeps the changes, until the
 * feed ends or fails; and changes as one line of text each, to be compared by the thousand.
 */
import {type AllocDbError, type Change, decodeChange, isAllocDbError, toJson} from '@allocdb/api';
import type {ChangeFeed} from '../src/index.ts';
import {until} from './support.ts';

/** The changes of a chunk, each behind its length. */
export function changesIn(chunk: Uint8Array): Change[] {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const changes: Change[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = at + 4 + view.getUint32(at, true);
    changes.push(decodeChange(chunk.subarray(at + 4, end)));
    at = end;
  }
  return changes;
}

/** A change, or what is expected of one, as text: whatever differs in them, their texts do. */
export function lineOf(change: object): string {
  return toJson(Object.fromEntries(Object.entries(change).sort(([a], [b]) => (a < b ? -1 : 1))));
}

export class ChangeReader {
  readonly feed: ChangeFeed;
  readonly changes: Change[] = [];
  readonly chunkBytes: number[] = [];
  error: AllocDbError | null = null;
  isOver: boolean = false;
  /** Runs until the feed is over. */
  readonly done: Promise<void>;
  readonly #pace: (chunks: number) => Promise<void>;

  /** Begins at once; waits for `pace` between one chunk and the next. */
  constructor(feed: ChangeFeed, pace: (chunks: number) => Promise<void> = () => Promise.resolve()) {
    this.feed = feed;
    this.#pace = pace;
    this.done = this.#run().then(() => {
      this.isOver = true;
    });
  }

  get lsns(): bigint[] {
    return this.changes.map(({lsn}) => lsn);
  }

  /** The last lsn that was seen, 0 before the first. */
  get last(): bigint {
    return this.changes.at(-1)?.lsn ?? 0n;
  }

  /** Waits until a change was seen, or the feed is over. */
  async reach(lsn: bigint): Promise<void> {
    await until(() => this.last >= lsn || this.isOver);
  }

  async #run(): Promise<void> {
    try {
      for (let chunk = await this.feed.next(); chunk !== null; chunk = await this.feed.next()) {
        this.changes.push(...changesIn(chunk));
        this.chunkBytes.push(chunk.length);
        await this.#pace(this.chunkBytes.length);
      }
    } catch (error) {
      if (!isAllocDbError(error)) throw error;
      this.error = error;
    }
  }
}

/** The failure with which a call throws or rejects. */
export async function failureOf(call: () => unknown): Promise<AllocDbError['failure']> {
  try {
    await call();
  } catch (error) {
    if (isAllocDbError(error)) return error.failure;
    throw error;
  }
  throw new Error('it did not fail');
}
