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

/** Most rows that an owner removes at once, having touched their cells. */
export const SWEPT_MAX = 64;

export class KeyIndex {
  /** Tag at 2i, row + 1 at 2i + 1 (0 = empty cell). Read by owners that inline the probe. */
  readonly cells: Int32Array;
  readonly mask: number;
  private readonly capacity: number;
  private used: number = 0;
  /** Longest distance between a key's home and the cell it was put into, ever. */
  longestProbe: number = 0;
  /** Where the last `findU128` ended: the cell of the row it found, or the empty one for its key; -1 once that is stale. */
  private foundCell: number = -1;
  private soughtTag: number = 0;

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
    this.soughtTag = tag;
    for (let cell = tag & mask; ; cell = (cell + 1) & mask) {
      const row = cells[2 * cell + 1] - 1;
      if (row < 0) {
        this.foundCell = cell;
        return -1;
      }
      if (cells[2 * cell] !== tag) continue;
      const at = row * stride;
      if (records[at] === w0 && records[at + 1] === w1 && records[at + 2] === w2 && records[at + 3] === w3) {
        this.foundCell = cell;
        return row;
      }
    }
  }

  /**
   * Lets the key that was searched last point to `row`, whether it was found or not; saves the second search of an insert.
   * The tag is that of the key, and nothing was added or removed since.
   */
  placeFound(tag: number, row: number): void {
    const {cells, mask, foundCell} = this;
    assert(foundCell >= 0 && tag === this.soughtTag, 'the place was just searched');
    if (cells[2 * foundCell + 1] === 0) {
      assert(this.used < this.capacity, 'index has room for the key');
      cells[2 * foundCell] = tag;
      this.used++;
      this.foundCell = -1;
      const probe = (foundCell - tag) & mask;
      if (probe > this.longestProbe) this.longestProbe = probe;
    }
    cells[2 * foundCell + 1] = row + 1;
  }

  /** Reads the cells at which searches for `count` tags begin, so that they are near when the searches come. */
  touch(tags: Int32Array, count: number): number {
    const {cells, mask} = this;
    let read = 0;
    for (let i = 0; i < count; i++) read ^= cells[2 * (tags[i] & mask) + 1];
    return read;
  }

  /** Replaces each of `count` tags by the row in the cell at which its search begins, or -1: mostly the one it finds. */
  guess(tags: Int32Array, count: number): void {
    const {cells, mask} = this;
    for (let i = 0; i < count; i++) tags[i] = cells[2 * (tags[i] & mask) + 1] - 1;
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
    this.foundCell = -1;
    if (probe > this.longestProbe) this.longestProbe = probe;
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
    this.foundCell = -1;
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
