/**
 * The state at one lsn as a stream of canonical records, section by section (SNAPSHOT_ORDER). Commands go on
 * being applied while it is read: a command that is about to change a row that was not read yet first has the row's
 * record saved (`saveResource`, `saveReservation`, `saveOperation`), so that every record is as it was at the beginning.
 * The cost for a command is at most one copy of each row it touches, and nothing while no snapshot is being taken.
 *
 * At most one reader exists for an AllocDb; `end` lets it go. The idea is copy-on-write, as fork gives it to databases
 * that snapshot in a child process, done by record.
 */
import {assert} from '../assert.ts';
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal} from '../result.ts';
import {StateDigest} from './digest.ts';
import {PreImages} from './pre_images.ts';
import {
  encodeOperation,
  encodeReservation,
  encodeResource,
  OPERATION_RECORD,
  RESERVATION_RECORD,
  RESOURCE_RECORD,
  reservationWords,
  SECTION,
} from './record_codec.ts';
import {RecordQueue} from './record_queue.ts';

/** Records of each section at the beginning. */
export interface SectionCounts {
  readonly resources: number;
  readonly reservations: number;
  readonly operations: number;
}

/** Position at the beginning, as lanes. */
export interface SnapshotPosition {
  readonly lsnLo: number;
  readonly lsnHi: number;
  readonly slotLo: number;
  readonly slotHi: number;
  readonly watermarkLo: number;
  readonly watermarkHi: number;
}

export class SnapshotReader {
  readonly counts: SectionCounts;
  readonly position: SnapshotPosition;
  /** Sum over what was read so far; complete once every section is at its end. */
  readonly digest: StateDigest = new StateDigest();
  /** Records that the last `read` wrote. */
  records: number = 0;
  private readonly db: AllocDb;
  private readonly firstOperation: number;
  private readonly resourceImages: PreImages;
  private readonly reservationImages: PreImages;
  /** Of the operations from `nextOperation` on, those that were overwritten. */
  private readonly operationImages: RecordQueue = new RecordQueue(OPERATION_RECORD.WORDS);
  /** Next resource row, reservation row and operation position to be read. */
  private nextResource: number = 0;
  private nextReservation: number = 0;
  private nextOperation: number = 0;

  /** Begins a snapshot of the state as it is now. */
  constructor(db: AllocDb) {
    assert(db.snapshot === null, 'no other snapshot is being read');
    const recordWordsMax = reservationWords(db.config.maxBundleSize);
    this.db = db;
    this.counts = {
      resources: db.resources.count,
      reservations: db.reservationsUsed,
      operations: db.operations.used,
    };
    this.position = {
      lsnLo: db.lastLsnLo,
      lsnHi: db.lastLsnHi,
      slotLo: db.lastSlotLo,
      slotHi: db.lastSlotHi,
      watermarkLo: db.retireQueue.watermarkLo,
      watermarkHi: db.retireQueue.watermarkHi,
    };
    this.firstOperation = db.operations.rowAt(0);
    this.resourceImages = new PreImages(this.counts.resources, RESOURCE_RECORD.WORDS);
    this.reservationImages = new PreImages(db.reservations.capacity, recordWordsMax);
    this.digest.addPosition(this.position);
    db.snapshot = this;
  }

  /** Least words that `read` must be given room for: those of the largest record. */
  get recordWordsMax(): number {
    return reservationWords(this.db.config.maxBundleSize);
  }

  /** Writes whole records of a section to `out`, as many as fit, and returns their words; 0 at the section's end. */
  read(section: number, out: Int32Array): number {
    assert(out.length >= this.recordWordsMax, 'there is room for the largest record');
    this.records = 0;
    let at = 0;
    for (;;) {
      const words = this.next(section, out, at);
      if (words === 0) return at;
      this.digest.add(section, out, at, words);
      this.records++;
      at += words;
    }
  }

  /** Lets the snapshot go; commands save nothing more. */
  end(): void {
    this.db.snapshot = null;
  }

  /** Must be called before the resource in `row` changes. */
  saveResource(row: number): void {
    if (row < this.nextResource || row >= this.counts.resources || this.resourceImages.isSaved(row)) return;
    const page = this.resourceImages.save(row, RESOURCE_RECORD.WORDS);
    encodeResource(this.db, row, page, this.resourceImages.at);
  }

  /** Must be called before the reservation in `row` changes, its row is freed, or a free row is filled. */
  saveReservation(row: number): void {
    const images = this.reservationImages;
    if (row < this.nextReservation || images.isSaved(row)) return;
    if (!this.wasThere(row)) {
      images.saveAbsent(row);
      return;
    }
    const page = images.save(row, reservationWords(this.db.reservations.memberCount(row)));
    encodeReservation(this.db, row, page, images.at);
  }

  /** Must be called before the operation in `row` is overwritten. */
  saveOperation(row: number): void {
    const {operationImages: images, firstOperation} = this;
    const position = row < firstOperation ? row - firstOperation + this.db.operations.capacity : row - firstOperation;
    if (position < this.nextOperation + images.length || position >= this.counts.operations) return;
    assert(position === this.nextOperation + images.length, 'operations are overwritten oldest first');
    const page = images.push();
    encodeOperation(this.db, row, page, images.at);
  }

  /** Writes the next record of the section if there is one and it fits; returns its words, else 0. */
  private next(section: number, out: Int32Array, at: number): number {
    switch (section) {
      case SECTION.RESOURCES:
        return this.readResource(out, at);
      case SECTION.RESERVATIONS:
        return this.readReservation(out, at);
      default:
        return this.readOperation(out, at);
    }
  }

  private readResource(out: Int32Array, at: number): number {
    const row = this.nextResource;
    if (row === this.counts.resources || at + RESOURCE_RECORD.WORDS > out.length) return 0;
    this.nextResource++;
    const {resourceImages: images} = this;
    if (images.isSaved(row)) return copyRecord(images.pageOf(row), images.at, RESOURCE_RECORD.WORDS, out, at);
    return encodeResource(this.db, row, out, at);
  }

  private readReservation(out: Int32Array, at: number): number {
    const {reservationImages: images, db} = this;
    const {capacity} = db.reservations;
    while (this.nextReservation < capacity) {
      const row = this.nextReservation;
      if (images.isSaved(row)) {
        if (!images.isAbsent(row)) {
          const page = images.pageOf(row);
          const words = reservationWords(page[images.at + RESERVATION_RECORD.MEMBER_COUNT]);
          if (at + words > out.length) return 0;
          this.nextReservation++;
          return copyRecord(page, images.at, words, out, at);
        }
      } else if (this.wasThere(row)) {
        if (at + reservationWords(db.reservations.memberCount(row)) > out.length) return 0;
        this.nextReservation++;
        return encodeReservation(db, row, out, at);
      }
      this.nextReservation++;
    }
    return 0;
  }

  private readOperation(out: Int32Array, at: number): number {
    if (this.nextOperation === this.counts.operations || at + OPERATION_RECORD.WORDS > out.length) return 0;
    const {operationImages: images, db} = this;
    const position = this.firstOperation + this.nextOperation++;
    if (images.length > 0) return copyRecord(images.shift(), images.at, OPERATION_RECORD.WORDS, out, at);
    const {capacity} = db.operations;
    return encodeOperation(db, position < capacity ? position : position - capacity, out, at);
  }

  /** For a row that has not changed since the beginning: true when it held a reservation that was not retired then. */
  private wasThere(row: number): boolean {
    const {reservations} = this.db;
    const state = reservations.state(row);
    const {slotLo, slotHi} = this.position;
    return state !== 0 && !(isTerminal(state) && reservations.retiredAt(row, slotLo, slotHi));
  }
}

function copyRecord(page: Int32Array, from: number, words: number, out: Int32Array, at: number): number {
  for (let word = 0; word < words; word++) out[at + word] = page[from + word];
  return words;
}
