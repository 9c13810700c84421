/**
 * Canonical records as they were at the moment of a snapshot, of rows that changed before the snapshot came to them: one
 * per row at most, kept in pages until the snapshot is done.
 *
 * Pages are allocated while commands are applied, which core does only here and in record_queue.ts: only while a snapshot
 * is being taken, and bounded by the state itself.
 */

/** Words of a page, unless a single record is larger. */
const PAGE_WORDS = 1 << 16;

export class PreImages {
  /** By row: 0 not saved, -1 saved as absent, else place of the record + 1. */
  private readonly places: Int32Array;
  private readonly pageWords: number;
  private readonly pages: Int32Array[] = [];
  private used: number;

  constructor(rows: number, recordWordsMax: number) {
    this.places = new Int32Array(rows);
    this.pageWords = Math.max(PAGE_WORDS, recordWordsMax);
    this.used = this.pageWords;
  }

  isSaved(row: number): boolean {
    return this.places[row] !== 0;
  }

  isAbsent(row: number): boolean {
    return this.places[row] === -1;
  }

  saveAbsent(row: number): void {
    this.places[row] = -1;
  }

  /** Makes room for a record of `words` and lets `row` point at it; returns its page and sets `at`. */
  save(row: number, words: number): Int32Array {
    if (this.used + words > this.pageWords) {
      this.pages.push(new Int32Array(this.pageWords));
      this.used = 0;
    }
    const page = this.pages.length - 1;
    this.at = this.used;
    this.used += words;
    this.places[row] = page * this.pageWords + this.at + 1;
    return this.pages[page];
  }

  /** Page of a saved record; sets `at`. */
  pageOf(row: number): Int32Array {
    const place = this.places[row] - 1;
    this.at = place % this.pageWords;
    return this.pages[(place - this.at) / this.pageWords];
  }

  /** Where in the page of the last call the record begins. */
  at: number = 0;
}
