/**
 * One file of the simulated disk: what programs read, and what the platter holds.
 *
 * Invariant: `durable` changes only by `sync`, by a power cut, or by damage from outside. A sector is atomic. A failed
 * sync leaves sectors that read as written and that no later sync writes, as kernels do.
 */

import type {SimRandom} from './sim_random.ts';

export const SECTOR_BYTES = 512;

export class SimFile {
  size = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #durable: Uint8Array = new Uint8Array(0);
  #durableSize = 0;
  /** Sectors that the next sync will write. */
  #dirty: Set<number> = new Set();

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    into.set(this.#bytes.subarray(position, position + count), offset);
    return count;
  }

  write(from: Uint8Array, position: number): void {
    if (from.length === 0) return;
    const end = position + from.length;
    this.#reserve(end);
    this.#bytes.set(from, position);
    this.size = Math.max(this.size, end);
    for (let sector = sectorOf(position); sector <= sectorOf(end - 1); sector++) this.#dirty.add(sector);
  }

  sync(): void {
    for (const sector of this.#dirty) this.#persist(sector);
    this.#dirty.clear();
    this.#durableSize = this.size;
  }

  /** The system reports an error: some sectors made it, and the others never will unless they are written again. */
  failSync(random: SimRandom): void {
    for (const sector of this.#dirty) if (random.chance(0.5)) this.#persist(sector);
    if (random.chance(0.5)) this.#durableSize = this.size;
    this.#dirty.clear();
  }

  /** Only what was synced is certain to be there; of the rest each sector is there with this probability. */
  losePower(random: SimRandom, keep: number): void {
    for (const sector of this.#dirty) if (random.chance(keep)) this.#persist(sector);
    if (random.chance(keep)) this.#durableSize = this.size;
    this.#dirty.clear();
    this.#bytes = this.#durable.slice();
    this.size = this.#durableSize;
    this.#bytes.fill(0, Math.min(this.size, this.#bytes.length));
    this.#durable.fill(0, Math.min(this.size, this.#durable.length));
  }

  content(): Uint8Array {
    return this.#bytes.slice(0, this.size);
  }

  /** Replaces the content, on the platter too. */
  replace(content: Uint8Array): void {
    this.#bytes = content.slice();
    this.#durable = content.slice();
    this.size = content.length;
    this.#durableSize = content.length;
    this.#dirty.clear();
  }

  fork(): SimFile {
    const copy = new SimFile();
    copy.#bytes = this.#bytes.slice();
    copy.#durable = this.#durable.slice();
    copy.size = this.size;
    copy.#durableSize = this.#durableSize;
    copy.#dirty = new Set(this.#dirty);
    return copy;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const capacity = Math.ceil(Math.max(size, this.#bytes.length * 2) / SECTOR_BYTES) * SECTOR_BYTES;
    this.#bytes = resized(this.#bytes, capacity);
    this.#durable = resized(this.#durable, capacity);
  }

  #persist(sector: number): void {
    const start = sector * SECTOR_BYTES;
    this.#durable.set(this.#bytes.subarray(start, start + SECTOR_BYTES), start);
  }
}

function sectorOf(position: number): number {
  return Math.floor(position / SECTOR_BYTES);
}

function resized(bytes: Uint8Array, capacity: number): Uint8Array {
  const larger = new Uint8Array(capacity);
  larger.set(bytes);
  return larger;
}
