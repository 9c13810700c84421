/**
 * A copy of a core through a snapshot that is read in slices of any size while commands go on: what a checkpoint and the
 * loading of it do, without the file between. The copy has a hash seed of its own, so that rows and indexes lie
 * differently in it, and nothing of them may show.
 */
import {type AllocDb, bigintOfU128, SNAPSHOT_ORDER, SnapshotLoader, SnapshotReader} from '@allocdb/core';

export class SnapshotCopy {
  readonly #reader: SnapshotReader;
  readonly #loader: SnapshotLoader;
  #section: number = 0;

  /** Begins a snapshot of `from` as it is now, into `to`, which must be empty. */
  constructor(from: AllocDb, to: AllocDb) {
    this.#reader = new SnapshotReader(from);
    this.#loader = new SnapshotLoader(to, this.#reader.position);
  }

  get isDone(): boolean {
    return this.#section === SNAPSHOT_ORDER.length;
  }

  /** Moves one slice: as many records as fit a buffer with this many words more than the largest record needs. */
  slice(roomWords: number): void {
    const section = SNAPSHOT_ORDER[this.#section];
    if (section === undefined) return;
    const room = new Int32Array(this.#reader.recordWordsMax + roomWords);
    const words = this.#reader.read(section, room);
    if (words > 0) {
      refuse(this.#loader.add(section, room, words, this.#reader.records));
      return;
    }
    this.#section++;
    if (!this.isDone) return;
    this.#reader.end();
    refuse(this.#loader.finish());
  }

  /** Moves what is left; returns the digest that both sides have summed up. */
  finish(roomWords: number = 0): bigint {
    while (!this.isDone) this.slice(roomWords);
    const written = bigintOfU128(this.#reader.digest.lanes, 0);
    const loaded = bigintOfU128(this.#loader.digest.lanes, 0);
    if (written !== loaded) throw new Error(`the digest of a snapshot was ${written} and is ${loaded} when loaded`);
    return loaded;
  }
}

function refuse(problem: string | null): void {
  if (problem !== null) throw new Error(`a snapshot was refused: ${problem}`);
}
