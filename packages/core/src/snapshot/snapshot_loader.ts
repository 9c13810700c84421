/**
 * Canonical records back into an empty AllocDb. Resources arrive before reservations; `finish` rebuilds what a snapshot
 * does not hold: the wheel's lists by reservation id, the retire queue by released lsn (slots never fall, so that is the order by
 * retire-after slot too), both by a radix sort over rows.
 *
 * Bytes have passed their checksum, yet nothing is trusted: every record is checked against the configuration and the
 * records before it, and the first contradiction is returned as text.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal, RESERVATION_STATE, RESOURCE_STATE} from '../result.ts';
import {OPERATION} from '../table/operation_table.ts';
import {RESERVATION} from '../table/reservation_table.ts';
import {RESOURCE} from '../table/resource_table.ts';
import {ltU64} from '../words.ts';
import {StateDigest} from './digest.ts';
import {sortRowsByU64} from './radix_sort.ts';
import {operationProblem, reservationProblem, resourceProblem} from './record_checks.ts';
import {OPERATION_RECORD, RESERVATION_RECORD, RESOURCE_RECORD, reservationWords, SECTION} from './record_codec.ts';
import type {SnapshotPosition} from './snapshot_reader.ts';

const OWNED_AS: Record<number, number> = {
  [RESERVATION_STATE.RESERVED]: RESOURCE_STATE.RESERVED,
  [RESERVATION_STATE.CONFIRMED]: RESOURCE_STATE.CONFIRMED,
  [RESERVATION_STATE.REVOKING]: RESOURCE_STATE.REVOKING,
};

export class SnapshotLoader {
  readonly digest: StateDigest = new StateDigest();
  private readonly db: AllocDb;
  /** Lsn of the holder that each resource record named, two words a row; compared once reservations are there. */
  private readonly claims: Int32Array;
  /** By resource row: the reservation row + 1 that listed it last, to notice a member that is listed twice. */
  private readonly listedBy: Int32Array;

  /** Sets the position of `db`, which must be freshly constructed, to the snapshot's. */
  constructor(db: AllocDb, position: SnapshotPosition) {
    this.db = db;
    db.restorePosition(position.lsnLo, position.lsnHi, position.slotLo, position.slotHi);
    db.retireQueue.restoreWatermark(position.watermarkLo, position.watermarkHi);
    this.digest.addPosition(position);
    this.claims = new Int32Array(2 * db.resources.capacity);
    this.listedBy = new Int32Array(db.resources.capacity);
  }

  /** Adds `count` records of a section from `words[0..length)`. Returns null, or what contradicts what. */
  add(section: number, words: Int32Array, length: number, count: number): string | null {
    let at = 0;
    let seen = 0;
    for (let i = 0; i < count; i++) {
      if (i === seen) seen += this.lookAhead(section, words, at, length, count - i);
      const size = recordWords(section, words, at, length);
      if (size < 0) return 'a record runs past the end of its block';
      const problem =
        section === SECTION.RESOURCES
          ? this.addResource(words, at)
          : section === SECTION.RESERVATIONS
            ? this.addReservation(words, at)
            : this.addOperation(words, at);
      if (problem !== null) return problem;
      this.digest.add(section, words, at, size);
      at += size;
    }
    return at === length ? null : 'a block holds more than its records';
  }

  /** Has memory read ahead for the records from `words[from]` on; returns for how many, at least 1. */
  private lookAhead(section: number, words: Int32Array, from: number, length: number, count: number): number {
    const {lookahead} = this.db;
    lookahead.begin();
    let seen = 0;
    for (let at = from; seen < count; seen++) {
      const size = recordWords(section, words, at, length);
      if (size < 0) break;
      const first = section === SECTION.RESERVATIONS ? at + RESERVATION_RECORD.MEMBERS : at;
      const end = section === SECTION.RESERVATIONS ? at + size : at + 4;
      let isNoted = true;
      for (let id = first; id < end && isNoted; id += 4) {
        isNoted =
          section === SECTION.OPERATIONS
            ? lookahead.noteOperation(words[id], words[id + 1], words[id + 2], words[id + 3])
            : lookahead.noteResource(words[id], words[id + 1], words[id + 2], words[id + 3]);
      }
      if (!isNoted) break;
      at += size;
    }
    lookahead.load();
    return Math.max(1, seen);
  }

  /** Completes the state. Returns null, or what contradicts what. */
  finish(): string | null {
    const {db} = this;
    const live: number[] = [];
    const terminal: number[] = [];
    for (let row = 0; row < db.reservations.capacity; row++) {
      const state = db.reservations.state(row);
      if (state === RESERVATION_STATE.RESERVED) live.push(row);
      else if (isTerminal(state)) terminal.push(row);
    }
    const {words} = db.reservations;
    for (const row of sortRowsByU64(live, words, RESERVATION.WORDS, RESERVATION.LSN)) {
      const deadline = row * RESERVATION.WORDS + RESERVATION.DEADLINE;
      const bucket = db.wheel.bucketOf(words[deadline], words[deadline + 1]);
      if (db.wheel.isFull(bucket)) return 'more reservations fall due in one slot than its bucket holds';
      const tail = db.wheel.tailOf(bucket);
      if (tail >= 0 && isBefore(words, row, tail, RESERVATION.DEADLINE)) return 'two holds are out of order';
      db.wheel.schedule(row, bucket);
    }
    let before = -1;
    for (const row of sortRowsByU64(terminal, words, RESERVATION.WORDS, RESERVATION.RELEASED_LSN)) {
      const follows =
        before < 0 ||
        (isBefore(words, before, row, RESERVATION.RELEASED_LSN) &&
          !isBefore(words, row, before, RESERVATION.RETIRE_AFTER));
      if (!follows) return 'two reservations ended out of order';
      db.retireQueue.append(row);
      before = row;
    }
    const {watermarkLo, watermarkHi} = db.retireQueue;
    if (ltU64(db.lastLsnLo, db.lastLsnHi, watermarkLo, watermarkHi)) return 'the retired watermark is of the future';
    for (let row = 0; row < db.resources.count; row++) {
      if (db.resources.state(row) !== RESOURCE_STATE.AVAILABLE && db.resources.owner(row) < 0) {
        return 'a resource is held by a reservation that is not there';
      }
    }
    return null;
  }

  private addResource(words: Int32Array, at: number): string | null {
    const {resources} = this.db;
    const w0 = words[at];
    const w1 = words[at + 1];
    const w2 = words[at + 2];
    const w3 = words[at + 3];
    if (resources.count >= resources.capacity) return 'more resources than the configuration allows';
    if (resources.find(w0, w1, w2, w3) >= 0) return 'a resource occurs twice';
    const problem = resourceProblem(words, at);
    if (problem !== null) return problem;
    const row = resources.insert(w0, w1, w2, w3);
    const record = row * RESOURCE.WORDS;
    resources.words[record + RESOURCE.STATE] = words[at + RESOURCE_RECORD.STATE];
    resources.words[record + RESOURCE.VERSION] = words[at + RESOURCE_RECORD.VERSION];
    resources.words[record + RESOURCE.VERSION + 1] = words[at + RESOURCE_RECORD.VERSION + 1];
    this.claims[2 * row] = words[at + RESOURCE_RECORD.RESERVATION_LSN];
    this.claims[2 * row + 1] = words[at + RESOURCE_RECORD.RESERVATION_LSN + 1];
    return null;
  }

  private addReservation(words: Int32Array, at: number): string | null {
    const {db} = this;
    const {reservations} = db;
    if (reservations.stored >= reservations.capacity) return 'more reservations than the configuration allows';
    const problem = reservationProblem(db, words, at);
    if (problem !== null) return problem;
    const lsnLo = words[at];
    const lsnHi = words[at + 1];
    const memberCount = words[at + RESERVATION_RECORD.MEMBER_COUNT];
    const state = words[at + RESERVATION_RECORD.STATE];
    if (reservations.find(lsnLo, lsnHi) >= 0) return 'a reservation occurs twice';
    const row = reservations.insert(lsnLo, lsnHi);
    const record = row * RESERVATION.WORDS;
    const stored = reservations.words;
    for (let lane = 0; lane < 4; lane++) {
      stored[record + RESERVATION.HOLDER + lane] = words[at + RESERVATION_RECORD.HOLDER + lane];
      stored[record + RESERVATION.EPOCH + lane] = words[at + RESERVATION_RECORD.EPOCH + lane];
      stored[record + RESERVATION.RELEASED_LSN + lane] = words[at + RESERVATION_RECORD.RELEASED_LSN + lane];
    }
    reservations.setMeta(row, state, memberCount);
    for (let i = 0; i < memberCount; i++) {
      const id = at + RESERVATION_RECORD.MEMBERS + 4 * i;
      const resource = db.resources.find(words[id], words[id + 1], words[id + 2], words[id + 3]);
      if (resource < 0) return 'a reservation has a member that is not there';
      if (this.listedBy[resource] === row + 1) return 'a reservation lists a member twice';
      this.listedBy[resource] = row + 1;
      reservations.setMember(row, i, resource);
      if (isTerminal(state)) continue;
      if (!this.claim(resource, state, lsnLo, lsnHi)) return 'a reservation and its resource disagree';
      db.resources.words[resource * RESOURCE.WORDS + RESOURCE.OWNER] = row + 1;
    }
    return null;
  }

  /** True when the resource named this reservation as its holder, in the matching state, and has no owner yet. */
  private claim(resource: number, state: number, lsnLo: number, lsnHi: number): boolean {
    const {resources} = this.db;
    return (
      resources.owner(resource) < 0 &&
      resources.state(resource) === OWNED_AS[state] &&
      this.claims[2 * resource] === lsnLo &&
      this.claims[2 * resource + 1] === lsnHi
    );
  }

  private addOperation(words: Int32Array, at: number): string | null {
    const {db} = this;
    const {operations} = db;
    const w0 = words[at];
    const w1 = words[at + 1];
    const w2 = words[at + 2];
    const w3 = words[at + 3];
    if (operations.used >= operations.capacity) return 'more operations than the configuration allows';
    const problem = operationProblem(db, words, at);
    if (problem !== null) return problem;
    if (operations.used > 0 && !this.followsLastOperation(words, at)) return 'two operations are out of order';
    const tag = db.lookahead.tagOf(w0, w1, w2, w3);
    if (operations.find(tag, w0, w1, w2, w3, 0, 0) >= 0) return 'an operation occurs twice';
    const row = operations.insert(tag, w0, w1, w2, w3);
    const record = row * OPERATION.WORDS;
    for (let word = 4; word < OPERATION_RECORD.WORDS; word++) operations.words[record + word] = words[at + word];
    return null;
  }

  /** True when the record is later in the log, and not retired earlier, than the operation entered last. */
  private followsLastOperation(words: Int32Array, at: number): boolean {
    const {operations} = this.db;
    const stored = operations.words;
    const last = operations.rowAt(operations.used - 1) * OPERATION.WORDS;
    const {APPLIED_LSN: lsn, RETIRE_AFTER: retire} = OPERATION;
    return (
      ltU64(stored[last + lsn], stored[last + lsn + 1], words[at + lsn], words[at + lsn + 1]) &&
      !ltU64(words[at + retire], words[at + retire + 1], stored[last + retire], stored[last + retire + 1])
    );
  }
}

/** True when the u64 at `field` of one reservation is below that of another. */
function isBefore(words: Int32Array, row: number, other: number, field: number): boolean {
  const [a, b] = [row * RESERVATION.WORDS + field, other * RESERVATION.WORDS + field];
  return ltU64(words[a], words[a + 1], words[b], words[b + 1]);
}

/** Words of the record that begins at `at`, or -1 when it does not fit before `length`. */
function recordWords(section: number, words: Int32Array, at: number, length: number): number {
  if (section === SECTION.RESOURCES) return at + RESOURCE_RECORD.WORDS <= length ? RESOURCE_RECORD.WORDS : -1;
  if (section === SECTION.OPERATIONS) return at + OPERATION_RECORD.WORDS <= length ? OPERATION_RECORD.WORDS : -1;
  if (at + RESERVATION_RECORD.MEMBERS > length) return -1;
  const memberCount = words[at + RESERVATION_RECORD.MEMBER_COUNT];
  if (memberCount < 0 || memberCount > (length - at) / 4) return -1;
  const size = reservationWords(memberCount);
  return at + size <= length ? size : -1;
}
