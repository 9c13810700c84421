/**
 * An AllocDb with bigints for arguments and names for answers, for tests: takes the steps of an engine around the core
 * (retry lookup, slot arithmetic, next lsn) and writes down what it applied, so that the same history can be replayed.
 */
import {expect} from 'vitest';
import {
  AllocDb,
  bigintOfU64,
  bigintOfU128,
  type ClientRequest,
  type CoreConfig,
  checkInvariants,
  DECODE,
  digestOf,
  EXPIRE_BYTES,
  encodeClientRequest,
  hiOf,
  historyOverflows,
  LOOKUP,
  loOf,
  Outcome,
  OVERFLOW_NAMES,
  overflowOf,
  RESERVATION,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  RESULT_NAMES,
  ReservationView,
  ResourceView,
  readMemberId,
  readReservation,
  readResource,
  SlotOverflow,
  writeExpire,
  writeU128,
} from '../src/index.ts';

export const CONFIG: CoreConfig = {
  shardId: 7n,
  maxResources: 6,
  maxReservations: 4,
  maxOperations: 40,
  maxBundleSize: 3,
  maxTtlSlots: 10n,
  maxClientRetryWindowSlots: 5n,
  reservationHistoryWindowSlots: 3n,
  maxExpirationBucketLen: 4,
  operationWindowSlots: null,
};

export const HASH_SEED: Int32Array = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** An answer: a result's name, or `overflow:<kind>` for a command that must not be logged. */
export interface Answer {
  code: string;
  lsn: bigint | null;
  reservationId: bigint | null;
  deadlineSlot: bigint | null;
  retry: boolean;
}

export interface Lease {
  state: string;
  holderId: bigint;
  epoch: bigint;
  lsn: bigint;
  deadlineSlot: bigint;
  releasedLsn: bigint | null;
  retireAfterSlot: bigint | null;
  members: bigint[];
}

/** One record of the log: a client's payload or an internal expire. */
interface Logged {
  client: boolean;
  bytes: Uint8Array;
  lsn: bigint;
  slot: bigint;
}

export class Machine {
  readonly config: CoreConfig;
  readonly db: AllocDb;
  readonly log: Logged[] = [];
  private readonly outcome = new Outcome();
  private readonly overflow = new SlotOverflow();

  constructor(config: CoreConfig = CONFIG, db: AllocDb = new AllocDb(config, HASH_SEED)) {
    this.config = config;
    this.db = db;
  }

  get lastLsn(): bigint {
    return bigintOfU64(this.db.lastLsnLo, this.db.lastLsnHi);
  }

  get lastSlot(): bigint {
    return bigintOfU64(this.db.lastSlotLo, this.db.lastSlotHi);
  }

  /** Position without history, as of a database that has been there for long. */
  startAt(lsn: bigint, slot: bigint): void {
    this.db.restorePosition(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot));
  }

  /** A client's command at its own slot or the last one, whichever is later. */
  submit(requestSlot: bigint, request: ClientRequest): Answer {
    const {db, outcome} = this;
    const bytes = encodeClientRequest(request);
    const status = db.decodeClient(new DataView(bytes.buffer), 0, bytes.length);
    if (status !== DECODE.NONE) throw new Error(`what was encoded decodes, not ${status}`);
    const slot = requestSlot > this.lastSlot ? requestSlot : this.lastSlot;
    if (db.findRetry(loOf(slot), hiOf(slot), outcome)) return this.answer();
    if (overflowOf(db, loOf(slot), hiOf(slot), this.overflow)) return this.refusal();
    const lsn = this.lastLsn + 1n;
    this.log.push({client: true, bytes, lsn, slot});
    db.applyFresh(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), outcome);
    return this.answer();
  }

  /** An expire record, of whatever reservation and deadline. */
  expire(requestSlot: bigint, reservationId: bigint, deadlineSlot: bigint): Answer {
    const {db} = this;
    const bytes = new Uint8Array(EXPIRE_BYTES);
    const view = new DataView(bytes.buffer);
    const id = new Int32Array(4);
    writeU128(id, 0, reservationId);
    writeExpire(view, 0, id, 0, loOf(deadlineSlot), hiOf(deadlineSlot));
    expect(db.decodeInternal(view, 0, bytes.length)).toBe(DECODE.NONE);
    const slot = requestSlot > this.lastSlot ? requestSlot : this.lastSlot;
    if (historyOverflows(db, loOf(slot), hiOf(slot), this.overflow)) return this.refusal();
    const lsn = this.lastLsn + 1n;
    this.log.push({client: false, bytes, lsn, slot});
    db.applyInternal(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), this.outcome);
    return this.answer();
  }

  /** Ids of what is due, in the order in which a tick expires it. */
  due(slot: bigint, limit: number = this.config.maxReservations): bigint[] {
    const rows = new Int32Array(limit);
    const count = this.db.wheel.collectDue(loOf(slot), hiOf(slot), rows);
    return Array.from(rows.subarray(0, count), row => this.idOfLsn(this.word64(row, RESERVATION.LSN)));
  }

  idOfLsn(lsn: bigint): bigint {
    return (this.config.shardId << 64n) | lsn;
  }

  resource(resourceId: bigint): {state: string; heldBy: bigint | null; version: bigint} | null {
    const view = new ResourceView();
    const id = new Int32Array(4);
    writeU128(id, 0, resourceId);
    if (!readResource(this.db, id, 0, view)) return null;
    const lsn = bigintOfU64(view.reservationLsnLo, view.reservationLsnHi);
    return {
      state: RESOURCE_STATE_NAMES[view.state],
      heldBy: view.held ? this.idOfLsn(lsn) : null,
      version: bigintOfU64(view.versionLo, view.versionHi),
    };
  }

  lease(reservationId: bigint, slot: bigint): Lease | 'retired' | 'not_found' {
    const view = new ReservationView();
    const id = new Int32Array(4);
    writeU128(id, 0, reservationId);
    const found = readReservation(this.db, id, 0, loOf(slot), hiOf(slot), view);
    if (found === LOOKUP.RETIRED) return 'retired';
    if (found === LOOKUP.NOT_FOUND) return 'not_found';
    const u64 = (at: number) => bigintOfU64(view.words[at], view.words[at + 1]);
    const members = Array.from({length: view.memberCount}, (_, member) => {
      readMemberId(this.db, view.row, member, id, 0);
      return bigintOfU128(id, 0);
    });
    return {
      state: RESERVATION_STATE_NAMES[view.state],
      holderId: bigintOfU128(view.words, RESERVATION.HOLDER),
      epoch: u64(RESERVATION.EPOCH),
      lsn: u64(RESERVATION.LSN),
      deadlineSlot: u64(RESERVATION.DEADLINE),
      releasedLsn: view.terminal ? u64(RESERVATION.RELEASED_LSN) : null,
      retireAfterSlot: view.terminal ? u64(RESERVATION.RETIRE_AFTER) : null,
      members,
    };
  }

  digest(): bigint {
    return digestOf(this.db);
  }

  expectSound(): void {
    expect(checkInvariants(this.db)).toEqual([]);
  }

  /** Applies this machine's log to a fresh one, as a restart does. */
  replayed(): Machine {
    const copy = new Machine(this.config);
    for (const {client, bytes, lsn, slot} of this.log) {
      const view = new DataView(bytes.buffer);
      const {db, outcome} = copy;
      if (client) {
        expect(db.decodeClient(view, 0, bytes.length)).toBe(DECODE.NONE);
        db.applyClient(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), outcome);
      } else {
        expect(db.decodeInternal(view, 0, bytes.length)).toBe(DECODE.NONE);
        db.applyInternal(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), outcome);
      }
    }
    return copy;
  }

  private word64(row: number, field: number): bigint {
    const at = row * RESERVATION.WORDS + field;
    return bigintOfU64(this.db.reservations.words[at], this.db.reservations.words[at + 1]);
  }

  private answer(): Answer {
    const out = this.outcome;
    const lsn = bigintOfU64(out.appliedLsnLo, out.appliedLsnHi);
    return {
      code: RESULT_NAMES[out.code],
      lsn,
      reservationId: out.granted ? this.idOfLsn(lsn) : null,
      deadlineSlot: out.granted ? bigintOfU64(out.deadlineLo, out.deadlineHi) : null,
      retry: out.fromRetryCache,
    };
  }

  private refusal(): Answer {
    const code = `overflow:${OVERFLOW_NAMES[this.overflow.kind]}`;
    return {code, lsn: null, reservationId: null, deadlineSlot: null, retry: false};
  }
}
