/**
 * The yardstick of the state machine: a table from u128 keys to a number, of nothing but 32-bit lanes in one typed array,
 * open addressing, load at most one half. It is as little as such a table can be: no delete, no seed, no commands.
 *
 * Its gets per second say how fast this machine's caches and memory are at a table size, so that a figure of the state
 * machine can be given as a quotient and compared between machines.
 */
import {performance} from 'node:perf_hooks';
import {coprimeStride} from './stride.ts';

/** Words of a cell: four of the key, one of the value plus one (0 = empty), padded to half a cache line. */
const CELL_WORDS = 8;

/** A fixed-capacity map of u128 keys, in lanes, to values from 0 on. */
export class ReferenceTable {
  readonly #cells: Int32Array;
  readonly #mask: number;

  constructor(capacity: number) {
    let cells = 8;
    while (cells < 2 * capacity) cells *= 2;
    this.#cells = new Int32Array(cells * CELL_WORDS).fill(0);
    this.#mask = cells - 1;
  }

  /** Adds a key that is not there; the caller stays within the capacity. */
  put(w0: number, w1: number, w2: number, w3: number, value: number): void {
    const cells = this.#cells;
    let at = (homeOf(w0, w1, w2, w3) & this.#mask) * CELL_WORDS;
    while (cells[at + 4] !== 0) at = (at + CELL_WORDS) & (cells.length - 1);
    cells[at] = w0;
    cells[at + 1] = w1;
    cells[at + 2] = w2;
    cells[at + 3] = w3;
    cells[at + 4] = value + 1;
  }

  /** The key's value, or -1. */
  get(w0: number, w1: number, w2: number, w3: number): number {
    const cells = this.#cells;
    let at = (homeOf(w0, w1, w2, w3) & this.#mask) * CELL_WORDS;
    for (;;) {
      const value = cells[at + 4] as number;
      if (value === 0) return -1;
      if (cells[at] === w0 && cells[at + 1] === w1 && cells[at + 2] === w2 && cells[at + 3] === w3) return value - 1;
      at = (at + CELL_WORDS) & (cells.length - 1);
    }
  }
}

function homeOf(w0: number, w1: number, w2: number, w3: number): number {
  const mixed = Math.imul(w0 ^ Math.imul(w1, 0x2c1b3c6d) ^ Math.imul(w2, 0x297a2d39) ^ w3, 0x7feb352d);
  const spread = Math.imul(mixed ^ (mixed >>> 15), 0x5851f42d);
  return spread ^ (spread >>> 13);
}

const BATCH = 65_536;

/** Gets per second over a table of `entries`, for about so many milliseconds. */
export function referenceGetsPerSecond(entries: number, millis: number): number {
  const table = new ReferenceTable(entries);
  for (let i = 0; i < entries; i++) table.put(i, ~i, 0x0badcafe, 7, i);
  // The hash scatters the keys over the table, so that any order of keys is a random order of cells.
  const stride = coprimeStride(entries);
  let [key, gets, sum, expected] = [0, 0, 0, 0];
  const beganMs = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < millis) {
    for (let i = 0; i < BATCH; i++) {
      key += stride;
      if (key >= entries) key -= entries;
      sum = (sum + table.get(key, ~key, 0x0badcafe, 7)) | 0;
      expected = (expected + key) | 0;
    }
    gets += BATCH;
    elapsedMs = performance.now() - beganMs;
  }
  if (sum !== expected) throw new Error('assertion failed: every key was found');
  return (gets * 1000) / elapsedMs;
}
