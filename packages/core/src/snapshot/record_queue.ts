/**
 * Operations as they were at the moment of a snapshot, of rows that were overwritten before the snapshot came to them.
 * The ring of operations is overwritten in the order in which it is read, oldest first, so that a queue holds them and
 * nothing has to be found.
 *
 * Pages are allocated while commands are applied, as those of pre_images.ts are; a page that was read is filled again.
 */
const PAGE_RECORDS = 128;

export class RecordQueue {
  private readonly pages: Int32Array[] = [];
  private readonly recordWords: number;
  /** Pages that were read, for the next ones that are needed. */
  private readonly spares: Int32Array[] = [];
  /** Records of the first page that were taken. */
  private taken: number = 0;
  /** Records that are in the queue. */
  length: number = 0;
  /** Where in the page of the last call the record begins. */
  at: number = 0;

  constructor(recordWords: number) {
    this.recordWords = recordWords;
  }

  /** Makes room for a record behind the others; returns its page and sets `at`. */
  push(): Int32Array {
    const place = this.taken + this.length++;
    const index = place % PAGE_RECORDS;
    if (index === 0) {
      this.pages.push(this.spares.pop() ?? new Int32Array(PAGE_RECORDS * this.recordWords));
    }
    this.at = index * this.recordWords;
    return this.pages[this.pages.length - 1];
  }

  /** Takes the oldest record, of which there is one: returns its page, which holds it until the next call, and sets `at`. */
  shift(): Int32Array {
    const page = this.pages[0];
    this.at = this.taken * this.recordWords;
    this.length--;
    this.taken++;
    if (this.taken === PAGE_RECORDS) {
      this.taken = 0;
      this.spares.push(page);
      this.pages.shift();
    }
    return page;
  }
}
