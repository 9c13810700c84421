/**
 * A fixed-capacity map from keys to rows: open addressing, linear probing, backward-shift delete, load at most one half.
 * A cell is (tag, row + 1) side by side, eight cells to a cache line. The tag is 32 bits derived from the key; its low
 * bits are the home cell, so that a shift on delete needs no look at the records.
 *
 * The index does not hold keys: the owner compares the full key in its record wherever a tag matches. It does not grow,
 * and it does not know what a row means.
 */
import {assert} from '../assert.ts';
import {indexCells} from '../config.ts';

export class KeyIndex {
  /** Tag at 2i, row + 1 at 2i + 1 (0 = empty cell). Read by owners that inline the probe. */
  readonly cells: Int32Array;
  readonly mask: number;
  private readonly capacity: number;
  private used: number = 0;
  /** Longest distance between a key's home and the cell it was put into, ever. */
  longestProbe: number = 0;

  constructor(capacity: number) {
    const cells = indexCells(capacity);
    this.capacity = capacity;
    this.cells = new Int32Array(cells * 2);
    // Written once, so that page faults and lack of memory come at start.
    this.cells.fill(0);
    this.mask = cells - 1;
  }

  get count(): number {
    return this.used;
  }

  /** Row of the record of `stride` words whose first four words are the key, or -1. */
  findU128(records: Int32Array, stride: number, tag: number, w0: number, w1: number, w2: number, w3: number): number {
    const {cells, mask} = this;
    for (let cell = tag & mask; ; cell = (cell + 1) & mask) {
      const row = cells[2 * cell + 1] - 1;
      if (row < 0) return -1;
      if (cells[2 * cell] !== tag) continue;
      const at = row * stride;
      if (records[at] === w0 && records[at + 1] === w1 && records[at + 2] === w2 && records[at + 3] === w3) return row;
    }
  }

  /** Adds a key that is not there. */
  insert(tag: number, row: number): void {
    assert(this.used < this.capacity, 'index has room for the key');
    const {cells, mask} = this;
    let cell = tag & mask;
    let probe = 0;
    while (cells[2 * cell + 1] !== 0) {
      cell = (cell + 1) & mask;
      probe++;
    }
    cells[2 * cell] = tag;
    cells[2 * cell + 1] = row + 1;
    this.used++;
    if (probe > this.longestProbe) this.longestProbe = probe;
  }

  /** Lets the cell that points to `row` point to `newRow`, which must hold the same key. */
  replace(tag: number, row: number, newRow: number): void {
    const cell = this.cellOf(tag, row);
    assert(cell >= 0, 'replaced row is in the index');
    this.cells[2 * cell + 1] = newRow + 1;
  }

  /** Takes out the cell that points to `row`; false when none does. */
  remove(tag: number, row: number): boolean {
    const {cells, mask} = this;
    let hole = this.cellOf(tag, row);
    if (hole < 0) return false;
    for (let cell = (hole + 1) & mask; cells[2 * cell + 1] !== 0; cell = (cell + 1) & mask) {
      const home = cells[2 * cell] & mask;
      // A key may move back into the hole unless its home lies behind the hole, cyclically.
      if (((cell - home) & mask) >= ((cell - hole) & mask)) {
        cells[2 * hole] = cells[2 * cell];
        cells[2 * hole + 1] = cells[2 * cell + 1];
        hole = cell;
      }
    }
    cells[2 * hole + 1] = 0;
    this.used--;
    return true;
  }

  private cellOf(tag: number, row: number): number {
    const {cells, mask} = this;
    for (let cell = tag & mask; ; cell = (cell + 1) & mask) {
      const found = cells[2 * cell + 1];
      if (found === 0) return -1;
      if (found === row + 1 && cells[2 * cell] === tag) return cell;
    }
  }
}
