/**
 * The read side of the stepper: resource, reservation and lease lookups and scans behind their fence, and the metrics of
 * the wire. Checks in order: engine_halted, fence, lookup. A fence is judged at once, by what is applied: a read waits for
 * the frame that holds what it saw, never for a future lsn.
 *
 * A halted engine still answers metrics, with counters latched at the last durable frame.
 */
import {
  decodeResponse,
  LeaseRegisters,
  METRICS_LANES,
  MetricsRegisters,
  putFenceNotApplied,
  putLeaseFound,
  putMetrics,
  putReservationFound,
  putResourceFound,
  putTagOnly,
  REQUEST,
  REQUEST_LANES,
  RESPONSE,
  type RequestRegisters,
  SIZE,
} from '@allocdb/api';
import {
  bigintOfU64,
  hiOf,
  LOOKUP,
  loOf,
  ltU64,
  ReservationView,
  ResourceView,
  readReservation,
  readResource,
  slotLag,
} from '@allocdb/core';
import type {AnswerBuffer} from './answer_buffer.ts';
import {fillLease, putMembers} from './lease_fields.ts';
import {PageSide} from './pages.ts';
import type {Stepper} from './stepper.ts';

/** How the engine came up; what a restart may change in the metrics, and nothing else. */
export interface RecoveryFacts {
  /** STARTUP_KIND of the wire. */
  readonly startupKind: number;
  /** Lsn of the snapshot that was loaded, or null for none and for one of an empty state. */
  readonly loadedSnapshotLsn: bigint | null;
  /** Client and internal records replayed. */
  readonly replayedRecords: number;
  readonly replayedLastLsn: bigint | null;
}

export class ReadSide {
  private readonly stepper: Stepper;
  private readonly pages: PageSide;
  private readonly resource: ResourceView = new ResourceView();
  private readonly reservation: ReservationView = new ReservationView();
  private readonly lease: LeaseRegisters = new LeaseRegisters();
  private readonly metrics: MetricsRegisters = new MetricsRegisters();
  private readonly slot: Int32Array = new Int32Array(2);
  private readonly lag: Int32Array = new Int32Array(2);
  /** As of the frame being written: lsn (2), slot (2), remembered operations. */
  private readonly captured: Int32Array = new Int32Array(5);
  /** The same as of the last durable frame, for when the engine halts. */
  private readonly latched: Int32Array = new Int32Array(5);
  /** Expiration backlog as it was last asked for, as of the frame being written, and as of the last durable one. */
  private backlog: number = 0;
  private capturedBacklog: number = 0;
  private latchedBacklog: number = 0;
  /** Lsn of the newest snapshot, 0 for none. */
  private activeSnapshot: bigint = 0n;

  constructor(stepper: Stepper, recovery: RecoveryFacts) {
    this.stepper = stepper;
    this.pages = new PageSide(stepper.db);
    const {metrics} = this;
    metrics.startupKind = recovery.startupKind;
    metrics.hasLoadedSnapshotLsn = this.setLanes(METRICS_LANES.LOADED_SNAPSHOT_LSN, recovery.loadedSnapshotLsn);
    metrics.replayedWalFrameCount = Math.min(recovery.replayedRecords, 0xffff_ffff);
    metrics.hasReplayedWalLastLsn = this.setLanes(METRICS_LANES.REPLAYED_WAL_LAST_LSN, recovery.replayedLastLsn);
    this.setActiveSnapshot(recovery.loadedSnapshotLsn ?? 0n);
    this.capture();
    this.latch();
  }

  /** A snapshot has become the newest one. */
  setActiveSnapshot(lsn: bigint): void {
    this.activeSnapshot = lsn;
    this.metrics.hasActiveSnapshotLsn = this.setLanes(METRICS_LANES.ACTIVE_SNAPSHOT_LSN, lsn === 0n ? null : lsn);
  }

  /** Notes the counters with which a frame leaves to be written. */
  capture(): void {
    const {db} = this.stepper;
    this.captured[0] = db.lastLsnLo;
    this.captured[1] = db.lastLsnHi;
    this.captured[2] = db.lastSlotLo;
    this.captured[3] = db.lastSlotHi;
    this.captured[4] = db.operations.used;
    this.capturedBacklog = this.backlog;
  }

  /** That frame is durable: what was noted is what a halted engine will tell. */
  latch(): void {
    this.latched.set(this.captured);
    this.latchedBacklog = this.capturedBacklog;
  }

  /** Slot of the last durable frame; null while there is none. */
  get durableSlot(): bigint | null {
    const {latched} = this;
    return latched[0] === 0 && latched[1] === 0 ? null : bigintOfU64(latched[2] ?? 0, latched[3] ?? 0);
  }

  /** Answers a read request at `at`; returns where the answer ends. */
  answer(request: RequestRegisters, answers: AnswerBuffer, at: number): number {
    const {words, tag} = request;
    const {stepper, slot} = this;
    const view = answers.view;
    stepper.statedSlot(words[REQUEST_LANES.SLOT] ?? 0, words[REQUEST_LANES.SLOT + 1] ?? 0, slot);
    if (tag === REQUEST.GET_METRICS) return this.putMetricsAt(view, at);
    const ofResource = tag === REQUEST.GET_RESOURCE || tag === REQUEST.SCAN_RESOURCES;
    if (stepper.halted) {
      return putTagOnly(view, at, ofResource ? RESPONSE.RESOURCE_ENGINE_HALTED : RESPONSE.RESERVATION_ENGINE_HALTED);
    }
    const {lastLsnLo, lastLsnHi} = stepper.db;
    const fenceLo = words[REQUEST_LANES.REQUIRED_LSN] ?? 0;
    const fenceHi = words[REQUEST_LANES.REQUIRED_LSN + 1] ?? 0;
    if (ltU64(lastLsnLo, lastLsnHi, fenceLo, fenceHi)) {
      const fence = ofResource ? RESPONSE.RESOURCE_FENCE_NOT_APPLIED : RESPONSE.RESERVATION_FENCE_NOT_APPLIED;
      return putFenceNotApplied(view, at, fence, fenceLo, fenceHi, !stepper.db.isEmpty, lastLsnLo, lastLsnHi);
    }
    switch (tag) {
      case REQUEST.GET_RESOURCE:
        return this.putResource(view, at, words);
      case REQUEST.SCAN_RESOURCES:
        return this.pages.putResources(request, answers, at);
      case REQUEST.SCAN_RESERVATIONS:
        return this.pages.putReservations(request, slot, answers, at);
      default:
        return this.putReservation(answers, at, words, tag);
    }
  }

  /** Metrics of a halted engine, as of the last frame that became durable. */
  private putHalted(view: DataView, at: number, currentSlot: bigint): number {
    const {metrics, latched} = this;
    metrics.queueCapacity = this.stepper.limits.maxSubmissionQueue;
    metrics.queueDepth = 0;
    metrics.acceptingWrites = false;
    metrics.expirationBacklog = this.latchedBacklog;
    metrics.operationTableUsed = latched[4] ?? 0;
    this.setPosition(latched[0] ?? 0, latched[1] ?? 0, latched[2] ?? 0, latched[3] ?? 0);
    const lastSlot = bigintOfU64(latched[2] ?? 0, latched[3] ?? 0);
    const isBehind = metrics.hasLastRequestSlot && lastSlot < currentSlot;
    this.setLanes(METRICS_LANES.LOGICAL_SLOT_LAG, isBehind ? currentSlot - lastSlot : 0n);
    return this.finishMetrics(view, at);
  }

  /** The same in place of metrics that saw a state which is thrown away. */
  putHaltedAgain(view: DataView, at: number, response: Uint8Array): number {
    const seen = decodeResponse(response);
    if (seen.type !== 'metrics') throw new Error('assertion failed: the response holds metrics');
    // Where they showed no lag, the slot that they were asked for is not known any more.
    const {logicalSlotLag: lag, lastRequestSlot} = seen;
    // A snapshot published since would make the answer longer than the one that it replaces.
    const active = this.activeSnapshot;
    this.setActiveSnapshot(seen.activeSnapshotLsn ?? 0n);
    const end = this.putHalted(view, at, lag > 0n && lastRequestSlot !== null ? lastRequestSlot + lag : 0n);
    this.setActiveSnapshot(active);
    return end;
  }

  private putMetricsAt(view: DataView, at: number): number {
    const {stepper, metrics, slot, lag} = this;
    const {db} = stepper;
    if (stepper.halted) return this.putHalted(view, at, bigintOfU64(slot[0] ?? 0, slot[1] ?? 0));
    metrics.queueCapacity = stepper.limits.maxSubmissionQueue;
    slotLag(db, slot[0] ?? 0, slot[1] ?? 0, lag);
    metrics.words[METRICS_LANES.LOGICAL_SLOT_LAG] = lag[0] ?? 0;
    metrics.words[METRICS_LANES.LOGICAL_SLOT_LAG + 1] = lag[1] ?? 0;
    this.backlog = db.wheel.countDue(slot[0] ?? 0, slot[1] ?? 0);
    if (!stepper.isBusy) this.latchedBacklog = this.backlog;
    metrics.queueDepth = stepper.queueDepth;
    metrics.acceptingWrites = db.lastLsnLo !== -1 || db.lastLsnHi !== -1;
    metrics.expirationBacklog = this.backlog;
    metrics.operationTableUsed = db.operations.used;
    this.setPosition(db.lastLsnLo, db.lastLsnHi, db.lastSlotLo, db.lastSlotHi);
    return this.finishMetrics(view, at);
  }

  private setPosition(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number): void {
    const {words} = this.metrics;
    words[METRICS_LANES.LAST_APPLIED_LSN] = lsnLo;
    words[METRICS_LANES.LAST_APPLIED_LSN + 1] = lsnHi;
    words[METRICS_LANES.LAST_REQUEST_SLOT] = slotLo;
    words[METRICS_LANES.LAST_REQUEST_SLOT + 1] = slotHi;
    this.metrics.hasLastAppliedLsn = lsnLo !== 0 || lsnHi !== 0;
    this.metrics.hasLastRequestSlot = this.metrics.hasLastAppliedLsn;
  }

  private finishMetrics(view: DataView, at: number): number {
    const {metrics} = this;
    const {capacity} = this.stepper.db.operations;
    metrics.operationTableCapacity = capacity;
    metrics.operationTableUtilizationPct = Math.floor((100 * metrics.operationTableUsed) / capacity);
    return putMetrics(view, at, metrics);
  }

  private putResource(view: DataView, at: number, words: Int32Array): number {
    const {resource} = this;
    const {db} = this.stepper;
    const id = REQUEST_LANES.ID;
    if (!readResource(db, words, id, resource)) return putTagOnly(view, at, RESPONSE.RESOURCE_NOT_FOUND);
    return putResourceFound(
      view,
      at,
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

  private putReservation(answers: AnswerBuffer, at: number, words: Int32Array, tag: number): number {
    const {reservation, slot, stepper} = this;
    const slotLo = slot[0] ?? 0;
    const slotHi = slot[1] ?? 0;
    const found = readReservation(stepper.db, words, REQUEST_LANES.ID, slotLo, slotHi, reservation);
    if (found === LOOKUP.NOT_FOUND) return putTagOnly(answers.view, at, RESPONSE.RESERVATION_NOT_FOUND);
    if (found === LOOKUP.RETIRED) return putTagOnly(answers.view, at, RESPONSE.RESERVATION_RETIRED);
    const {lease} = this;
    fillLease(stepper.db, reservation, lease);
    if (tag === REQUEST.GET_RESERVATION) return putReservationFound(answers.view, at, lease);
    answers.ensure(at, SIZE.LEASE_HEADER_MAX + SIZE.ID * reservation.memberCount);
    return putMembers(stepper.db, reservation, lease, answers.view, putLeaseFound(answers.view, at, lease));
  }

  private setLanes(at: number, value: bigint | null): boolean {
    this.metrics.words[at] = loOf(value ?? 0n);
    this.metrics.words[at + 1] = hiOf(value ?? 0n);
    return value !== null;
  }
}
