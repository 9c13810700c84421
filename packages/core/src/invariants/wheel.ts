/**
 * The wheel: every reserved reservation is in exactly its deadline's bucket and nothing else is; buckets are within their
 * bound, linked both ways, ordered by id and by deadline, and marked for searches exactly where they are not empty; a
 * search finds all of it.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {RESERVATION_STATE} from '../result.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {ltU64} from '../words.ts';

export function checkWheel(db: AllocDb): string | null {
  const {reservations, wheel} = db;
  const words = reservations.words;
  let linked = 0;
  let earliest = -1;
  for (let bucket = 0; bucket < wheel.size; bucket++) {
    let length = 0;
    let before = -1;
    for (let row = wheel.headOf(bucket); row >= 0; row = wheel.after(row)) {
      if (++length > wheel.lengthOf(bucket)) return `bucket ${bucket} is longer than it counts`;
      const at = row * RESERVATION.WORDS;
      if (reservations.state(row) !== RESERVATION_STATE.RESERVED)
        return `bucket ${bucket} holds row ${row}, not reserved`;
      const deadline = at + RESERVATION.DEADLINE;
      if (
        wheel.bucketOf(words[deadline], words[deadline + 1]) !== bucket ||
        words[at + RESERVATION.BUCKET] !== bucket
      ) {
        return `row ${row} is in bucket ${bucket}, not in its deadline's`;
      }
      if (words[at + RESERVATION.PREVIOUS] - 1 !== before) return `bucket ${bucket} is not linked back at row ${row}`;
      if (before >= 0 && !ordered(words, before * RESERVATION.WORDS, at)) return `bucket ${bucket} is out of order`;
      before = row;
      if (earliest < 0 || isEarlier(words, at, earliest)) earliest = at;
    }
    if (length !== wheel.lengthOf(bucket)) return `bucket ${bucket} counts ${wheel.lengthOf(bucket)}, holds ${length}`;
    if (length > db.config.maxExpirationBucketLen) return `bucket ${bucket} is over its bound`;
    if (wheel.tailOf(bucket) !== before) return `bucket ${bucket} does not end at its last row`;
    if (wheel.isMarked(bucket) !== length > 0) return `bucket ${bucket} holds ${length} and is marked otherwise`;
    linked += length;
  }
  let reserved = 0;
  for (let row = 0; row < reservations.capacity; row++) {
    if (reservations.state(row) === RESERVATION_STATE.RESERVED) reserved++;
  }
  if (linked !== reserved) return `${reserved} reservations are reserved, ${linked} are in the wheel`;
  if (linked !== wheel.count) return `the wheel counts ${wheel.count}, holds ${linked}`;
  const found = wheel.countDue(-1, -1);
  if (found !== linked) return `a search of all slots finds ${found} of ${linked} reservations`;
  const {DEADLINE} = RESERVATION;
  const foundFirst = linked === 0 || wheel.countDue(words[earliest + DEADLINE], words[earliest + DEADLINE + 1]) > 0;
  return foundFirst ? null : 'a search at the earliest deadline finds nothing';
}

function isEarlier(words: Int32Array, at: number, other: number): boolean {
  const {DEADLINE} = RESERVATION;
  return ltU64(words[at + DEADLINE], words[at + DEADLINE + 1], words[other + DEADLINE], words[other + DEADLINE + 1]);
}

function ordered(words: Int32Array, before: number, at: number): boolean {
  const {LSN} = RESERVATION;
  return (
    ltU64(words[before + LSN], words[before + LSN + 1], words[at + LSN], words[at + LSN + 1]) &&
    !isEarlier(words, at, before)
  );
}
