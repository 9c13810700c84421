/**
 * One file of the simulated disk: what programs read, and what the platter holds.
 *
 * Invariant: `durable` changes only by `sync`, by a power cut, or by damage from outside. A sector is atomic. A failed
 * sync leaves sectors that read as written and that no later sync writes, as kernels do.
 * A fork shares the bytes until one of the two changes them.
 */

import type {SimRandom} from './sim_random.ts';

export const SECTOR_BYTES = 512;

/** A sector reads as the platter has it, waits for a sync, or differs from the platter for good. */
const SECTOR = {CLEAN: 0, DIRTY: 1, STALE: 2} as const;

const NO_BYTES: Uint8Array = new Uint8Array(0);

export class SimFile {
  size = 0;
  #bytes: Uint8Array = NO_BYTES;
  #durable: Uint8Array = NO_BYTES;
  #durableSize = 0;
  #states: Uint8Array = NO_BYTES;
  /** Sectors outside [first, end) are clean. */
  #first = 0;
  #end = 0;
  #isShared = false;

  /** Whether the platter differs, or may, from what is read. */
  get hasUnsynced(): boolean {
    return this.#first !== this.#end || this.size !== this.#durableSize;
  }

  read(into: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    if (count > 0) into.set(this.#bytes.subarray(position, position + count), offset);
    return count;
  }

  write(from: Uint8Array, position: number): void {
    this.#write(from, position, SECTOR.DIRTY);
  }

  /** The program sees the bytes; the platter never gets them, unless they are written again. */
  writeLost(from: Uint8Array, position: number): void {
    this.#write(from, position, SECTOR.STALE);
  }

  sync(): void {
    this.#own();
    for (let sector = this.#first; sector < this.#end; ) {
      let end = sector;
      while (end < this.#end && this.#states[end] === SECTOR.DIRTY) end++;
      if (end > sector) this.#persist(sector, end);
      sector = Math.max(end, sector + 1);
    }
    this.#narrow();
    this.#durableSize = this.size;
  }

  /** The system reports an error: some sectors made it, and the others never will unless they are written again. */
  failSync(random: SimRandom): void {
    this.#own();
    for (let sector = this.#first; sector < this.#end; sector++) {
      if (this.#states[sector] !== SECTOR.DIRTY) continue;
      if (random.chance(0.5)) this.#persist(sector, sector + 1);
      else this.#states[sector] = SECTOR.STALE;
    }
    if (random.chance(0.5)) this.#durableSize = this.size;
  }

  /** Only what was synced is certain to be there; of the rest each sector is there with this probability. */
  losePower(random: SimRandom, keep: number): void {
    if (!this.hasUnsynced) return;
    this.#own();
    for (let sector = this.#first; sector < this.#end; sector++) {
      if (this.#states[sector] === SECTOR.CLEAN) continue;
      const isKept = this.#states[sector] === SECTOR.DIRTY && random.chance(keep);
      if (isKept) this.#persist(sector, sector + 1);
      else copySector(this.#durable, this.#bytes, sector, sector + 1);
    }
    this.#states.fill(SECTOR.CLEAN, this.#first, this.#end);
    this.#narrow();
    if (this.size === this.#durableSize || random.chance(keep)) this.#durableSize = this.size;
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
    this.#states = new Uint8Array(Math.ceil(content.length / SECTOR_BYTES));
    this.#isShared = false;
    this.#first = 0;
    this.#end = 0;
    this.size = content.length;
    this.#durableSize = content.length;
  }

  /** Changes the platter and what is read of it. */
  flipBit(at: number, bit: number): void {
    this.#own();
    const mask = 1 << bit;
    this.#bytes[at] = (this.#bytes[at] as number) ^ mask;
    this.#durable[at] = (this.#durable[at] as number) ^ mask;
  }

  /** Puts bytes on the platter, in a place that nobody asked for. */
  misdirect(from: Uint8Array, position: number): void {
    this.#own();
    this.#durable.set(from.subarray(0, Math.max(0, this.#durable.length - position)), position);
    const end = Math.min(this.#states.length, sectorOf(position + from.length - 1) + 1);
    const start = sectorOf(position);
    for (let sector = start; sector < end; sector++) {
      if (this.#states[sector] === SECTOR.CLEAN) this.#states[sector] = SECTOR.STALE;
    }
    this.#widen(start, end);
  }

  fork(): SimFile {
    const copy = new SimFile();
    copy.#bytes = this.#bytes;
    copy.#durable = this.#durable;
    copy.#states = this.#states;
    copy.#first = this.#first;
    copy.#end = this.#end;
    copy.size = this.size;
    copy.#durableSize = this.#durableSize;
    copy.#isShared = true;
    this.#isShared = true;
    return copy;
  }

  #write(from: Uint8Array, position: number, state: number): void {
    if (from.length === 0) return;
    const end = position + from.length;
    this.#own();
    this.#reserve(end);
    this.#bytes.set(from, position);
    if (end > this.size) this.size = end;
    this.#states.fill(state, sectorOf(position), sectorOf(end - 1) + 1);
    this.#widen(sectorOf(position), sectorOf(end - 1) + 1);
  }

  #own(): void {
    if (!this.#isShared) return;
    this.#isShared = false;
    this.#bytes = this.#bytes.slice();
    this.#durable = this.#durable.slice();
    this.#states = this.#states.slice();
  }

  #widen(first: number, end: number): void {
    const wasEmpty = this.#first === this.#end;
    this.#first = wasEmpty ? first : Math.min(this.#first, first);
    this.#end = wasEmpty ? end : Math.max(this.#end, end);
  }

  /** Clean sectors at both ends are left out again. */
  #narrow(): void {
    while (this.#first < this.#end && this.#states[this.#first] === SECTOR.CLEAN) this.#first++;
    while (this.#end > this.#first && this.#states[this.#end - 1] === SECTOR.CLEAN) this.#end--;
  }

  #reserve(size: number): void {
    if (size <= this.#bytes.length) return;
    const sectors = Math.ceil(Math.max(size, this.#bytes.length * 2) / SECTOR_BYTES);
    this.#bytes = resized(this.#bytes, sectors * SECTOR_BYTES);
    this.#durable = resized(this.#durable, sectors * SECTOR_BYTES);
    this.#states = resized(this.#states, sectors);
  }

  #persist(first: number, end: number): void {
    copySector(this.#bytes, this.#durable, first, end);
    this.#states.fill(SECTOR.CLEAN, first, end);
  }
}

function copySector(from: Uint8Array, to: Uint8Array, first: number, end: number): void {
  to.set(from.subarray(first * SECTOR_BYTES, end * SECTOR_BYTES), first * SECTOR_BYTES);
}

function sectorOf(position: number): number {
  return Math.floor(position / SECTOR_BYTES);
}

function resized(bytes: Uint8Array, capacity: number): Uint8Array {
  const larger = new Uint8Array(capacity);
  larger.set(bytes);
  return larger;
}
