/**
 * Reading ahead. What a command needs lies anywhere in tables that no cache holds, and commands that come one after the
 * other wait for each line of memory by themselves. Whoever has several commands at hand notes them all and loads what
 * they need before the first is applied: then the processor waits for many lines at once.
 *
 * A pass of its own for each thing that is read, with nothing else in its loop: a processor looks only a few hundred
 * instructions ahead, so that what shares a loop with hashing is not read side by side. The second pass needs what the
 * first has read, and so on: cells of the indexes, records, the resources of reservations.
 *
 * Nothing is changed or judged here. Bytes that are no command cost a wasted read, and so does the wrong cell of a
 * collision.
 */
import {CLIENT_HEADER_BYTES, COMMAND} from '../command.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';
import type {AllocDb} from './alloc_db.ts';

const {CREATE_RESOURCE, RESERVE, RESERVE_BUNDLE} = COMMAND;
const {WORDS: RESERVATION_WORDS, FIRST_RESOURCE} = RESERVATION;
const {WORDS: RESOURCE_WORDS} = RESOURCE;

const SUBJECT_OFFSET = CLIENT_HEADER_BYTES + 1;
/** Shortest client command. */
const BYTES_MIN: number = SUBJECT_OFFSET + 16;
/** Commands whose lines fit well into the caches. */
const NOTED_MAX = 256;

export class Lookahead {
  private readonly db: AllocDb;
  /** Operation ids, four words each, and their tags, in the order in which they were noted. */
  private readonly ids: Int32Array = new Int32Array(4 * NOTED_MAX);
  private readonly tags: Int32Array = new Int32Array(NOTED_MAX);
  /** Tags of resources and of reservations; they are overwritten by rows as they are read. */
  private readonly resources: Int32Array = new Int32Array(NOTED_MAX);
  private readonly reservations: Int32Array = new Int32Array(NOTED_MAX);
  private noted: number = 0;
  private resourceCount: number = 0;
  private reservationCount: number = 0;
  /** The first noted operation that was not asked for yet. */
  private next: number = 0;
  /** What was read; kept only so that the reads happen. */
  private read: number = 0;

  constructor(db: AllocDb) {
    this.db = db;
  }

  /** Forgets what was noted before. */
  begin(): void {
    this.noted = 0;
    this.next = 0;
    this.resourceCount = 0;
    this.reservationCount = 0;
  }

  /** Notes the client payload at `offset`; false, and not noted, where 256 already are. */
  note(view: DataView, offset: number, length: number): boolean {
    if (this.noted === NOTED_MAX) return false;
    if (length < BYTES_MIN) return true;
    this.noteOperation(
      view.getInt32(offset, true),
      view.getInt32(offset + 4, true),
      view.getInt32(offset + 8, true),
      view.getInt32(offset + 12, true),
    );
    const subject = offset + SUBJECT_OFFSET;
    const tag = view.getUint8(offset + CLIENT_HEADER_BYTES);
    if (tag === RESERVE || tag === CREATE_RESOURCE) {
      this.noteResource(
        view.getInt32(subject, true),
        view.getInt32(subject + 4, true),
        view.getInt32(subject + 8, true),
        view.getInt32(subject + 12, true),
      );
    } else if (tag !== RESERVE_BUNDLE) {
      this.reservations[this.reservationCount++] = this.db.reservations.tagOf(view.getInt32(subject, true));
    }
    return true;
  }

  /** Notes an operation id that will be looked up; false where 256 already are. */
  noteOperation(w0: number, w1: number, w2: number, w3: number): boolean {
    const i = this.noted;
    if (i === NOTED_MAX) return false;
    const {ids} = this;
    this.noted = i + 1;
    ids[4 * i] = w0;
    ids[4 * i + 1] = w1;
    ids[4 * i + 2] = w2;
    ids[4 * i + 3] = w3;
    this.tags[i] = this.db.operations.tagOf(w0, w1, w2, w3);
    return true;
  }

  /** Notes a resource id that will be looked up; false where 256 already are. */
  noteResource(w0: number, w1: number, w2: number, w3: number): boolean {
    if (this.resourceCount === NOTED_MAX) return false;
    this.resources[this.resourceCount++] = this.db.resources.tagOf(w0, w1, w2, w3);
    return true;
  }

  /** Reads what the noted commands will need. */
  load(): void {
    this.read ^= this.db.operations.index.touch(this.tags, this.noted);
    this.loadResources();
    this.loadReservations();
  }

  /** Tag of an operation: as it was noted, if it is asked for in the same order, else computed. */
  tagOf(w0: number, w1: number, w2: number, w3: number): number {
    // One that was noted and refused before anybody asked for its tag is passed over.
    const {ids, next, noted} = this;
    for (let i = next; i < noted && i < next + 2; i++) {
      const at = 4 * i;
      if (ids[at] !== w0 || ids[at + 1] !== w1 || ids[at + 2] !== w2 || ids[at + 3] !== w3) continue;
      this.next = i + 1;
      return this.tags[i];
    }
    return this.db.operations.tagOf(w0, w1, w2, w3);
  }

  private loadResources(): void {
    const rows = this.resources;
    const {words, index} = this.db.resources;
    index.guess(rows, this.resourceCount);
    let read = 0;
    for (let i = 0; i < this.resourceCount; i++) if (rows[i] >= 0) read ^= words[rows[i] * RESOURCE_WORDS];
    this.read ^= read;
  }

  private loadReservations(): void {
    const rows = this.reservations;
    const {words, index} = this.db.reservations;
    const resources = this.db.resources.words;
    index.guess(rows, this.reservationCount);
    for (let i = 0; i < this.reservationCount; i++) {
      rows[i] = rows[i] < 0 ? 0 : words[rows[i] * RESERVATION_WORDS + FIRST_RESOURCE];
    }
    let read = 0;
    for (let i = 0; i < this.reservationCount; i++) read ^= resources[rows[i] * RESOURCE_WORDS];
    this.read ^= read;
  }
}
