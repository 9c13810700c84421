/**
 * Pages of a scan: core says which rows, this file what of them fits the page, and writes it. A page shows one state,
 * because no command is applied while it is made, and is bounded (PAGE of `@allocdb/api`), so that commands do not wait
 * for long. That it leaves only when that state is durable is the stepper's doing, as with every read.
 *
 * Whether there is a next page stands before the entries, so rows are found and measured first, and written then.
 */
import {
  LeaseRegisters,
  PAGE,
  putLeaseEntry,
  putPageHead,
  putResourceEntry,
  REQUEST_LANES,
  RESPONSE,
  type RequestRegisters,
  SIZE,
} from '@allocdb/api';
import {
  type AllocDb,
  RESOURCE,
  ReservationView,
  ResourceView,
  Scan,
  scanReservations,
  scanResources,
  viewReservation,
  viewResource,
} from '@allocdb/core';
import type {AnswerBuffer} from './answer_buffer.ts';
import {fillLease, putMembers} from './lease_fields.ts';

const {ID, POSITION} = REQUEST_LANES;
const {RESOURCES_PAGE, RESERVATIONS_PAGE} = RESPONSE;
const {ROWS_MAX, ENTRIES_MAX, BODY_BYTES_MAX} = PAGE;
const {PAGE_HEADER_MAX, RESOURCE_ENTRY_MAX, LEASE_ENTRY_MIN, LEASE_ENTRY_MAX, ID: ID_BYTES} = SIZE;

/** The tag does not count. */
const ENTRY_BYTES_MAX = BODY_BYTES_MAX - (PAGE_HEADER_MAX - 1);

export class PageSide {
  private readonly db: AllocDb;
  private readonly scan: Scan = new Scan(ROWS_MAX, ENTRIES_MAX);
  private readonly resource: ResourceView = new ResourceView();
  private readonly reservation: ReservationView = new ReservationView();
  private readonly lease: LeaseRegisters = new LeaseRegisters();

  constructor(db: AllocDb) {
    this.db = db;
  }

  /** Answers a scan of resources at `at`; returns where the answer ends. A full page of them is far below its bytes. */
  putResources(request: RequestRegisters, answers: AnswerBuffer, at: number): number {
    const {db, scan, resource} = this;
    this.ask(request);
    scanResources(db, scan);
    const {rows, count} = scan;
    answers.ensure(at, PAGE_HEADER_MAX + count * RESOURCE_ENTRY_MAX);
    const {view} = answers;
    const {words} = db.resources;
    let end = this.putHead(view, at, RESOURCES_PAGE);
    for (let i = 0; i < count; i++) {
      const row = rows[i] ?? 0;
      const id = row * RESOURCE.WORDS + RESOURCE.ID;
      viewResource(db, row, resource);
      end = putResourceEntry(
        view,
        end,
        words[id] ?? 0,
        words[id + 1] ?? 0,
        words[id + 2] ?? 0,
        words[id + 3] ?? 0,
        resource.state,
        resource.held,
        resource.reservationLsnLo,
        resource.reservationLsnHi,
        db.shard.lo,
        db.shard.hi,
        resource.versionLo,
        resource.versionHi,
      );
    }
    return end;
  }

  /** Answers a scan of reservations, for a reader at the slot; returns where the answer ends. */
  putReservations(request: RequestRegisters, slot: Int32Array, answers: AnswerBuffer, at: number): number {
    const {db, scan, reservation, lease} = this;
    this.ask(request);
    scan.slotLo = slot[0] ?? 0;
    scan.slotHi = slot[1] ?? 0;
    scanReservations(db, scan);
    answers.ensure(at, PAGE_HEADER_MAX + this.cutToBytes());
    const {view} = answers;
    let end = this.putHead(view, at, RESERVATIONS_PAGE);
    for (let i = 0; i < scan.count; i++) {
      viewReservation(db, scan.rows[i] ?? 0, reservation);
      fillLease(db, reservation, lease);
      end = putMembers(db, reservation, lease, view, putLeaseEntry(view, end, lease));
    }
    return end;
  }

  private ask(request: RequestRegisters): void {
    const {scan} = this;
    const {words} = request;
    scan.positionLo = words[POSITION] ?? 0;
    scan.positionHi = words[POSITION + 1] ?? 0;
    scan.state = request.state;
    scan.limit = request.limit;
    scan.hasHolder = request.hasHolder;
    for (let lane = 0; lane < 4; lane++) scan.holder[lane] = words[ID + lane] ?? 0;
  }

  /** Leaves to the next page what is too much for this one, but never the first; returns the bytes of what is left. */
  private cutToBytes(): number {
    const {db, scan, reservation} = this;
    let bytes = 0;
    for (let i = 0; i < scan.count; i++) {
      const row = scan.rows[i] ?? 0;
      viewReservation(db, row, reservation);
      const {terminal, memberCount} = reservation;
      const entry = (terminal ? LEASE_ENTRY_MAX : LEASE_ENTRY_MIN) + memberCount * ID_BYTES;
      if (i > 0 && bytes + entry > ENTRY_BYTES_MAX) {
        scan.count = i;
        scan.next = row;
        break;
      }
      bytes += entry;
    }
    return bytes;
  }

  private putHead(view: DataView, at: number, tag: number): number {
    const {db, scan} = this;
    const hasNext = scan.next >= 0;
    return putPageHead(view, at, tag, !db.isEmpty, db.lastLsnLo, db.lastLsnHi, hasNext, scan.next, 0, scan.count);
  }
}
