/**
 * Reading ahead. What a command needs lies anywhere in tables that no cache holds, and commands that come one after the
 * other wait for each line of memory by themselves. Whoever has several commands at hand notes them all and fetches what
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
  /** Tags of operations, of resources and of reservations; the latter two are overwritten by rows as they are read. */
  private readonly operations: Int32Array = new Int32Array(NOTED_MAX);
  private readonly resources: Int32Array = new Int32Array(NOTED_MAX);
  private readonly reservations: Int32Array = new Int32Array(NOTED_MAX);
  private operationCount: number = 0;
  private resourceCount: number = 0;
  private reservationCount: number = 0;
  /** What was read; kept only so that the reads happen. */
  private read: number = 0;

  constructor(db: AllocDb) {
    this.db = db;
  }

  /** Notes the client payload at `offset`; of more than 256 before the next `fetch` the rest is left out. */
  note(view: DataView, offset: number, length: number): void {
    if (length < BYTES_MIN || this.operationCount === NOTED_MAX) return;
    const {db} = this;
    this.operations[this.operationCount++] = db.operations.tagOf(
      view.getInt32(offset, true),
      view.getInt32(offset + 4, true),
      view.getInt32(offset + 8, true),
      view.getInt32(offset + 12, true),
    );
    const subject = offset + SUBJECT_OFFSET;
    const tag = view.getUint8(offset + CLIENT_HEADER_BYTES);
    if (tag === RESERVE || tag === CREATE_RESOURCE) {
      this.resources[this.resourceCount++] = db.resources.tagOf(
        view.getInt32(subject, true),
        view.getInt32(subject + 4, true),
        view.getInt32(subject + 8, true),
        view.getInt32(subject + 12, true),
      );
    } else if (tag !== RESERVE_BUNDLE) {
      this.reservations[this.reservationCount++] = db.reservations.tagOf(view.getInt32(subject, true));
    }
  }

  /** Reads what the noted commands will need, and forgets them. */
  fetch(): void {
    const {db} = this;
    this.read ^= db.operations.index.touch(this.operations, this.operationCount);
    this.fetchResources();
    this.fetchReservations();
    this.operationCount = 0;
    this.resourceCount = 0;
    this.reservationCount = 0;
  }

  private fetchResources(): void {
    const rows = this.resources;
    const {words, index} = this.db.resources;
    index.guess(rows, this.resourceCount);
    let read = 0;
    for (let i = 0; i < this.resourceCount; i++) if (rows[i] >= 0) read ^= words[rows[i] * RESOURCE_WORDS];
    this.read ^= read;
  }

  private fetchReservations(): void {
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
