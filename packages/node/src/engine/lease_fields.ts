/**
 * A reservation as core shows it, as the fields of the wire: the same for a lookup and for an entry of a page. Members
 * follow their lease one by one, so that a bundle needs no more memory than its answer.
 */
import {LEASE_LANES, type LeaseRegisters, putU128} from '@allocdb/api';
import {type AllocDb, RESERVATION, type ReservationView, readMemberId} from '@allocdb/core';

const {RESERVATION_ID, RESOURCE_ID, HOLDER_ID, LEASE_EPOCH, CREATED_LSN, DEADLINE_SLOT} = LEASE_LANES;
const {RELEASED_LSN, RETIRE_AFTER_SLOT} = LEASE_LANES;

/** Fills `lease` with everything but the members beyond the first. */
export function fillLease(db: AllocDb, view: ReservationView, lease: LeaseRegisters): void {
  const {words} = lease;
  copy(view.words, RESERVATION.LSN, words, RESERVATION_ID, 2);
  words[RESERVATION_ID + 2] = db.shard.lo;
  words[RESERVATION_ID + 3] = db.shard.hi;
  copy(view.words, RESERVATION.HOLDER, words, HOLDER_ID, 4);
  copy(view.words, RESERVATION.EPOCH, words, LEASE_EPOCH, 2);
  copy(view.words, RESERVATION.LSN, words, CREATED_LSN, 2);
  copy(view.words, RESERVATION.DEADLINE, words, DEADLINE_SLOT, 2);
  copy(view.words, RESERVATION.RELEASED_LSN, words, RELEASED_LSN, 2);
  copy(view.words, RESERVATION.RETIRE_AFTER, words, RETIRE_AFTER_SLOT, 2);
  readMemberId(db, view.row, 0, words, RESOURCE_ID);
  lease.state = view.state;
  lease.memberCount = view.memberCount;
  lease.hasReleasedLsn = view.terminal;
  lease.hasRetireAfterSlot = view.terminal;
}

/** Puts the ids of all members; returns where they end. The first member's place in `lease` is used for each. */
export function putMembers(
  db: AllocDb,
  view: ReservationView,
  lease: LeaseRegisters,
  out: DataView,
  at: number,
): number {
  const {words} = lease;
  let end = at;
  for (let i = 0; i < view.memberCount; i++) {
    readMemberId(db, view.row, i, words, RESOURCE_ID);
    end = putU128(
      out,
      end,
      words[RESOURCE_ID] ?? 0,
      words[RESOURCE_ID + 1] ?? 0,
      words[RESOURCE_ID + 2] ?? 0,
      words[RESOURCE_ID + 3] ?? 0,
    );
  }
  return end;
}

function copy(from: Int32Array, at: number, to: Int32Array, place: number, lanes: number): void {
  for (let lane = 0; lane < lanes; lane++) to[place + lane] = from[at + lane] ?? 0;
}
