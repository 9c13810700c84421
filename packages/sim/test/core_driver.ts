/**
 * The core behind the model's surface: bigints in, the model's own answer objects out, so that the two can be compared
 * field by field. It takes the steps that an engine takes around the core (retry lookup, lsn space, slot arithmetic),
 * once with the lookup done twice and once through the shortcut that the engine uses.
 *
 * No queue, no log, nothing durable; what it dumps is read from the tables row by row, not through the snapshot.
 */
import {
  AllocDb,
  bigintOfU64,
  bigintOfU128,
  COMMAND,
  DECODE,
  EXPIRE_BYTES,
  hiOf,
  historyOverflows,
  LOOKUP,
  loOf,
  OPERATION,
  Outcome,
  OVERFLOW_NAMES,
  overflowOf,
  RESERVATION,
  RESERVATION_STATE_NAMES,
  RESOURCE,
  RESOURCE_STATE_NAMES,
  RESULT_NAMES,
  ReservationView,
  ResourceView,
  readMemberId,
  readReservation,
  readResource,
  SlotOverflow,
  slotLag,
  U64_MAX,
  writeExpire,
  writeU128,
} from '@allocdb/core';
import type {
  Committed,
  Expiry,
  ModelConfig,
  ModelStart,
  Reservation,
  ReservationState,
  Resource,
  ResourceState,
  ResultName,
  SlotOverflowKind,
  StateDump,
  SubmitAnswer,
  SlotOverflow as Uncounted,
} from '@allocdb/sim';
import {SnapshotCopy} from './core_snapshots.ts';

const GRANTED = 0x100;
const FIRST_TERMINAL_FIELD = RESERVATION.RELEASED_LSN;

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index];
  if (item === undefined) throw new RangeError(`nothing at ${index}`);
  return item;
}

function u64(words: Int32Array, index: number): bigint {
  return bigintOfU64(words[index] ?? 0, words[index + 1] ?? 0);
}

function isTerminal(state: string): boolean {
  return state === 'released' || state === 'expired' || state === 'revoked';
}

export class CoreDriver {
  readonly db: AllocDb;
  readonly config: ModelConfig;
  readonly #outcome = new Outcome();
  readonly #overflow = new SlotOverflow();
  readonly #id = new Int32Array(4);
  readonly #lanes = new Int32Array(2);
  readonly #dueRows: Int32Array;

  constructor(config: ModelConfig, start: ModelStart | null, hashSeed: Int32Array) {
    this.config = config;
    this.db = new AllocDb(config, hashSeed);
    this.#dueRows = new Int32Array(config.maxExpirationsPerTick);
    if (start !== null) this.db.restorePosition(loOf(start.lsn), hiOf(start.lsn), loOf(start.slot), hiOf(start.slot));
  }

  /** A copy that went through a snapshot, read in slices of this size: what a restart would have in memory. */
  reloaded(hashSeed: Int32Array, roomWords: number = 0): CoreDriver {
    const copy = new CoreDriver(this.config, null, hashSeed);
    new SnapshotCopy(this.db, copy.db).finish(roomWords);
    return copy;
  }

  get lastLsn(): bigint {
    return bigintOfU64(this.db.lastLsnLo, this.db.lastLsnHi);
  }

  get lastSlot(): bigint {
    return bigintOfU64(this.db.lastSlotLo, this.db.lastSlotHi);
  }

  /** What an engine does with one submitted payload; `viaShortcut` chooses applyFresh where applyClient would do too. */
  submit(requestSlot: bigint, payload: Uint8Array, viaShortcut: boolean): SubmitAnswer {
    const {db, config} = this;
    if (payload.length > config.maxCommandBytes) {
      const sizes = {encodedLen: BigInt(payload.length), maxCommandBytes: BigInt(config.maxCommandBytes)};
      return {kind: 'rejected', failure: {code: 'command_too_large', ...sizes}};
    }
    const problem = this.#decode(payload);
    if (problem !== null) return problem;
    const slot = requestSlot > this.lastSlot ? requestSlot : this.lastSlot;
    if (db.findRetry(loOf(slot), hiOf(slot), this.#outcome)) return this.#committed();
    if (this.lastLsn === U64_MAX) return {kind: 'rejected', failure: {code: 'lsn_exhausted', lastAppliedLsn: U64_MAX}};
    if (overflowOf(db, loOf(slot), hiOf(slot), this.#overflow)) {
      return {kind: 'rejected', failure: {code: 'slot_overflow', overflow: this.#uncounted(slot)}};
    }
    const lsn = this.lastLsn + 1n;
    if (viaShortcut) db.applyFresh(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), this.#outcome);
    else db.applyClient(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), this.#outcome);
    return this.#committed();
  }

  /** One logged client record, as replay applies it: no retry lookup before it. */
  applyClient(lsn: bigint, slot: bigint, payload: Uint8Array): Committed | Uncounted {
    const {db} = this;
    if (this.#decode(payload) !== null) throw new Error('a logged payload decodes');
    if (overflowOf(db, loOf(slot), hiOf(slot), this.#overflow)) return this.#uncounted(slot);
    db.applyClient(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), this.#outcome);
    return this.#committed();
  }

  /** One logged internal record. */
  applyExpire(lsn: bigint, slot: bigint, {reservationId, deadlineSlot}: Expiry): Committed | Uncounted {
    const {db} = this;
    const view = new DataView(new ArrayBuffer(EXPIRE_BYTES));
    writeU128(this.#id, 0, reservationId);
    writeExpire(view, 0, this.#id, 0, loOf(deadlineSlot), hiOf(deadlineSlot));
    if (db.decodeInternal(view, 0, EXPIRE_BYTES) !== DECODE.NONE || db.command.tag !== COMMAND.EXPIRE) {
      throw new Error('an expire record decodes');
    }
    if (historyOverflows(db, loOf(slot), hiOf(slot), this.#overflow)) return this.#uncounted(slot);
    db.applyInternal(loOf(lsn), hiOf(lsn), loOf(slot), hiOf(slot), this.#outcome);
    return this.#committed();
  }

  /** What a tick at this slot would expire: the first ones, and how many there are in all. */
  due(slot: bigint): {first: Expiry[]; count: number; any: boolean} {
    const {wheel} = this.db;
    const count = wheel.countDue(loOf(slot), hiOf(slot));
    const any = wheel.hasDue(loOf(slot), hiOf(slot));
    const found = wheel.collectDue(loOf(slot), hiOf(slot), this.#dueRows);
    const first = Array.from(this.#dueRows.subarray(0, found), row => {
      const {reservationId, deadlineSlot} = this.reservationAt(row);
      return {reservationId, deadlineSlot};
    });
    return {first, count, any};
  }

  resource(resourceId: bigint): Resource | null {
    const view = new ResourceView();
    writeU128(this.#id, 0, resourceId);
    if (!readResource(this.db, this.#id, 0, view)) return null;
    const lsn = bigintOfU64(view.reservationLsnLo, view.reservationLsnHi);
    return {
      resourceId,
      state: at(RESOURCE_STATE_NAMES, view.state) as ResourceState,
      currentReservationId: view.held ? (this.config.shardId << 64n) | lsn : null,
      version: bigintOfU64(view.versionLo, view.versionHi),
    };
  }

  reservation(reservationId: bigint, slot: bigint): Reservation | 'reservation_retired' | 'reservation_not_found' {
    const view = new ReservationView();
    writeU128(this.#id, 0, reservationId);
    const found = readReservation(this.db, this.#id, 0, loOf(slot), hiOf(slot), view);
    if (found === LOOKUP.RETIRED) return 'reservation_retired';
    if (found === LOOKUP.NOT_FOUND) return 'reservation_not_found';
    const stored = this.reservationAt(view.row);
    if (view.terminal !== isTerminal(stored.state)) throw new Error('view and state agree on being over');
    if (at(RESERVATION_STATE_NAMES, view.state) !== stored.state) throw new Error('view and row agree on the state');
    if (view.memberCount !== stored.members.length) throw new Error('view and row agree on the members');
    return stored;
  }

  slotLag(slot: bigint): bigint {
    slotLag(this.db, loOf(slot), hiOf(slot), this.#lanes);
    return u64(this.#lanes, 0);
  }

  dumpState(): StateDump {
    const {db} = this;
    const {watermarkLo, watermarkHi} = db.retireQueue;
    const watermark = bigintOfU64(watermarkLo, watermarkHi);
    const some = <Value>(value: Value): Value | null => (db.hasSlot ? value : null);
    return {
      last_applied_lsn: some(String(this.lastLsn)),
      last_request_slot: some(String(this.lastSlot)),
      max_retired_reservation_id: watermark === 0n ? null : String(this.#reservationIdOf(watermark)),
      resources: this.#dumpResources(),
      reservations: this.#dumpReservations(),
      operations: this.#dumpOperations(),
    };
  }

  #decode(payload: Uint8Array): SubmitAnswer | null {
    // Somewhere inside a larger buffer, as in a log frame: an offset that is forgotten would show.
    const bytes = new Uint8Array(payload.length + 7).fill(0xa5);
    bytes.set(payload, 3);
    const status = this.db.decodeClient(new DataView(bytes.buffer), 3, payload.length);
    const rejected = (reason: Extract<SubmitAnswer, {kind: 'rejected'}>['failure']): SubmitAnswer => ({
      kind: 'rejected',
      failure: reason,
    });
    switch (status) {
      case DECODE.NONE:
        return null;
      case DECODE.BUFFER_TOO_SHORT:
        return rejected({code: 'invalid_request', reason: {kind: 'buffer_too_short'}});
      case DECODE.INVALID_COMMAND_TAG: {
        const {tag} = this.db.command;
        return rejected({code: 'invalid_request', reason: {kind: 'invalid_command_tag', tag}});
      }
      case DECODE.INVALID_LAYOUT:
        return rejected({code: 'invalid_request', reason: {kind: 'invalid_layout'}});
    }
  }

  #committed(): Committed {
    const out = this.#outcome;
    const lsn = bigintOfU64(out.appliedLsnLo, out.appliedLsnHi);
    return {
      kind: 'committed',
      appliedLsn: lsn,
      result: at(RESULT_NAMES, out.code) as ResultName,
      reservationId: out.granted ? this.#reservationIdOf(lsn) : null,
      deadlineSlot: out.granted ? bigintOfU64(out.deadlineLo, out.deadlineHi) : null,
      fromRetryCache: out.fromRetryCache,
    };
  }

  #uncounted(slot: bigint): Uncounted {
    const overflow = at(OVERFLOW_NAMES, this.#overflow.kind) as SlotOverflowKind;
    const delta = bigintOfU64(this.#overflow.deltaLo, this.#overflow.deltaHi);
    return {kind: 'slot_overflow', overflow, requestSlot: slot, delta};
  }

  #reservationIdOf(lsn: bigint): bigint {
    return (this.config.shardId << 64n) | lsn;
  }

  /** What a row of the table holds. */
  reservationAt(row: number): Reservation {
    const {reservations} = this.db;
    const words = reservations.words.subarray(row * RESERVATION.WORDS, (row + 1) * RESERVATION.WORDS);
    const state = at(RESERVATION_STATE_NAMES, reservations.state(row)) as ReservationState;
    const terminal = isTerminal(state);
    const members = Array.from({length: reservations.memberCount(row)}, (_, member) => {
      readMemberId(this.db, row, member, this.#id, 0);
      return bigintOfU128(this.#id, 0);
    });
    return {
      reservationId: this.#reservationIdOf(u64(words, RESERVATION.LSN)),
      holderId: bigintOfU128(words, RESERVATION.HOLDER),
      state,
      leaseEpoch: u64(words, RESERVATION.EPOCH),
      createdLsn: u64(words, RESERVATION.LSN),
      deadlineSlot: u64(words, RESERVATION.DEADLINE),
      releasedLsn: terminal ? u64(words, FIRST_TERMINAL_FIELD) : null,
      retireAfterSlot: terminal ? u64(words, RESERVATION.RETIRE_AFTER) : null,
      members,
    };
  }

  #dumpResources(): StateDump['resources'] {
    const {resources} = this.db;
    const ids = Array.from({length: resources.count}, (_, row) => bigintOfU128(resources.words, row * RESOURCE.WORDS));
    return ascending(ids).map(id => {
      const resource = this.resource(id);
      if (resource === null) throw new Error(`resource ${id} has a row and is not found`);
      const {resourceId, state, currentReservationId, version} = resource;
      return {
        resource_id: String(resourceId),
        state,
        current_reservation_id: currentReservationId === null ? null : String(currentReservationId),
        version: String(version),
      };
    });
  }

  #dumpReservations(): StateDump['reservations'] {
    const {reservations} = this.db;
    const rows: Reservation[] = [];
    for (let row = 0; row < reservations.capacity; row++) {
      if (reservations.state(row) === 0) continue;
      const reservation = this.reservationAt(row);
      if (reservation.retireAfterSlot === null || reservation.retireAfterSlot >= this.lastSlot) rows.push(reservation);
    }
    if (rows.length !== this.db.reservationsUsed) throw new Error('rows that are not retired are those counted');
    rows.sort((left, right) => (left.reservationId < right.reservationId ? -1 : 1));
    return rows.map(row => ({
      reservation_id: String(row.reservationId),
      holder_id: String(row.holderId),
      state: row.state,
      lease_epoch: String(row.leaseEpoch),
      created_lsn: String(row.createdLsn),
      deadline_slot: String(row.deadlineSlot),
      released_lsn: row.releasedLsn === null ? null : String(row.releasedLsn),
      retire_after_slot: row.retireAfterSlot === null ? null : String(row.retireAfterSlot),
      members: row.members.map(String),
    }));
  }

  #dumpOperations(): StateDump['operations'] {
    const {operations} = this.db;
    const places = Array.from({length: operations.used}, (_, position) => operations.rowAt(position) * OPERATION.WORDS);
    const rows = places.map(place => ({id: bigintOfU128(operations.words, place), place}));
    rows.sort((left, right) => (left.id < right.id ? -1 : 1));
    return rows.map(({id, place}) => {
      const result = operations.words[place + OPERATION.RESULT] ?? 0;
      const lsn = u64(operations.words, place + OPERATION.APPLIED_LSN);
      const granted = (result & GRANTED) !== 0;
      const deadline = u64(operations.words, place + OPERATION.DEADLINE);
      return {
        operation_id: String(id),
        result_code: result & 0xff,
        result_reservation_id: granted ? String(this.#reservationIdOf(lsn)) : null,
        result_deadline_slot: granted ? String(deadline) : null,
        applied_lsn: String(lsn),
        retire_after_slot: String(u64(operations.words, place + OPERATION.RETIRE_AFTER)),
      };
    });
  }
}

function ascending(values: bigint[]): bigint[] {
  return values.sort((left, right) => (left < right ? -1 : 1));
}
