// The naive model: a single-node database without disk, faults or concurrency, answering API frames.
//
// It decides what the engine decides before anything is logged (order of checks, retry cache, lsn space, fences) and
// what metrics say after a restart or a checkpoint. Nothing is ever queued and nothing ever fails, so overloaded,
// storage failures and a halted engine do not exist here. It imports no other package of the workspace: it is what they
// are compared with.
import {CodecError, U64_MAX} from './bytes.ts';
import type {StartupKind} from './codes.ts';
import {type ClientRequest, decodeClientRequest} from './command.ts';
import type {ModelConfig} from './config.ts';
import {dumpState, type StateDump} from './dump.ts';
import {modelInvariants} from './invariants.ts';
import {type ApiRequest, decodeApiRequest} from './request.ts';
import {type ApiResponse, encodeApiResponse, type Failure, type Metrics, type SubmitAnswer} from './response.ts';
import {reservationsPage, resourcesPage} from './scans.ts';
import {type Committed, type Expiry, emptyState, type Reservation, type SlotOverflow, StateMachine} from './state.ts';

const U32_MAX = 2 ** 32 - 1;

/** An otherwise empty snapshot at this position, with an empty log behind it. */
export interface ModelStart {
  lsn: bigint;
  slot: bigint;
}

interface Recovery {
  startupKind: StartupKind;
  loadedSnapshotLsn: bigint | null;
  replayedWalFrameCount: number;
  replayedWalLastLsn: bigint | null;
}

interface Snapshot {
  lsn: bigint | null;
}

function rejected(failure: Failure): {kind: 'rejected'; failure: Failure} {
  return {kind: 'rejected', failure};
}

function copyOf(reservation: Reservation): Reservation {
  return {...reservation, members: [...reservation.members]};
}

export class Model {
  readonly config: ModelConfig;
  #machine: StateMachine;
  #snapshot: Snapshot | null = null;
  #recovery: Recovery = {
    startupKind: 'fresh_start',
    loadedSnapshotLsn: null,
    replayedWalFrameCount: 0,
    replayedWalLastLsn: null,
  };

  constructor(config: ModelConfig, start: ModelStart | null = null) {
    this.config = config;
    this.#machine = new StateMachine(config);
    if (start === null) return;
    const {lsn, slot} = start;
    this.#machine = new StateMachine(config, {...emptyState(), lastAppliedLsn: lsn, lastRequestSlot: slot});
    this.#snapshot = {lsn};
    this.restart();
  }

  get machine(): StateMachine {
    return this.#machine;
  }

  /** Answers one API frame with the bytes that an engine must answer it with. */
  handle(frame: Uint8Array): Uint8Array {
    return encodeApiResponse(this.answer(frame));
  }

  /** The same as an object. */
  answer(frame: Uint8Array): ApiResponse {
    let request: ApiRequest;
    try {
      request = decodeApiRequest(frame);
    } catch (error) {
      if (error instanceof CodecError) return {kind: 'codec_error', problem: error.problem};
      throw error;
    }
    return this.answerRequest(request);
  }

  answerRequest(request: ApiRequest): ApiResponse {
    switch (request.kind) {
      case 'submit':
        return this.submit(request.requestSlot, request.payload);
      case 'submit_batch': {
        const answers = request.payloads.map(payload => this.submit(request.requestSlot, payload));
        return {kind: 'batch', answers};
      }
      case 'get_resource':
        return this.#getResource(request.requiredLsn, request.resourceId);
      case 'get_reservation':
      case 'get_lease':
        return this.#getReservation(request);
      case 'scan_resources':
        return this.#resourceFence(request.requiredLsn) ?? resourcesPage(this.#machine.state, request);
      case 'scan_reservations':
        return this.#reservationFence(request.requiredLsn) ?? reservationsPage(this.#machine.state, request);
      case 'get_metrics':
        return {kind: 'metrics', metrics: this.metrics(request.currentSlot)};
      case 'tick_expirations':
        return this.tick(request.currentSlot);
    }
  }

  submit(requestSlot: bigint, payload: Uint8Array): SubmitAnswer {
    const {maxCommandBytes} = this.config;
    if (payload.length > maxCommandBytes) {
      return rejected({
        code: 'command_too_large',
        encodedLen: BigInt(payload.length),
        maxCommandBytes: BigInt(maxCommandBytes),
      });
    }
    let request: ClientRequest;
    try {
      request = decodeClientRequest(payload);
    } catch (error) {
      return rejected({code: 'invalid_request', reason: invalidRequest(error)});
    }
    const slot = this.#effectiveSlot(requestSlot);
    const known = this.#machine.recall(request, slot);
    if (known !== null) return known;
    const last = this.#lastLsn();
    if (last === U64_MAX) return rejected({code: 'lsn_exhausted', lastAppliedLsn: last});
    const applied = this.#machine.applyClient(last + 1n, slot, request);
    if (applied.kind === 'slot_overflow') return rejected({code: 'slot_overflow', overflow: applied});
    return applied;
  }

  tick(currentSlot: bigint): ApiResponse {
    const last = this.#lastLsn();
    const slot = this.#effectiveSlot(currentSlot);
    const batch = this.#machine.due(currentSlot).slice(0, this.config.maxExpirationsPerTick);
    const lsnsLeft = U64_MAX - last;
    if (lsnsLeft === 0n || lsnsLeft < BigInt(batch.length)) {
      return {kind: 'tick_rejected', failure: {code: 'lsn_exhausted', lastAppliedLsn: last}};
    }
    const overflow = this.#machine.historySlotOverflow(slot);
    if (batch.length > 0 && overflow !== null) {
      return {kind: 'tick_rejected', failure: {code: 'slot_overflow', overflow}};
    }
    for (const [index, expiry] of batch.entries()) {
      this.#machine.applyExpire(last + 1n + BigInt(index), slot, expiry);
    }
    const lastAppliedLsn = batch.length === 0 ? null : last + BigInt(batch.length);
    return {kind: 'tick_applied', processedCount: batch.length, lastAppliedLsn};
  }

  /** One logged client record at a given position, below the engine: what a core applies. */
  applyClient(lsn: bigint, slot: bigint, payload: Uint8Array): Committed | SlotOverflow {
    return this.#machine.applyClient(lsn, slot, decodeClientRequest(payload));
  }

  /** One logged internal record at a given position. */
  applyExpire(lsn: bigint, slot: bigint, expiry: Expiry): Committed | SlotOverflow {
    return this.#machine.applyExpire(lsn, slot, expiry);
  }

  metrics(currentSlot: bigint): Metrics {
    const {state} = this.#machine;
    const {lastRequestSlot} = state;
    const used = state.operations.size;
    const capacity = this.config.maxOperations;
    return {
      queueDepth: 0,
      queueCapacity: this.config.maxSubmissionQueue,
      acceptingWrites: this.#lastLsn() !== U64_MAX,
      ...this.#recovery,
      activeSnapshotLsn: this.#snapshot?.lsn ?? null,
      lastAppliedLsn: state.lastAppliedLsn,
      lastRequestSlot,
      logicalSlotLag: lastRequestSlot !== null && currentSlot > lastRequestSlot ? currentSlot - lastRequestSlot : 0n,
      expirationBacklog: this.#machine.due(currentSlot).length,
      operationTableUsed: used,
      operationTableCapacity: capacity,
      operationTableUtilizationPct: Math.floor((100 * used) / capacity),
    };
  }

  /** A snapshot of the present state becomes the one a restart would load. */
  checkpoint(): void {
    this.#snapshot = {lsn: this.#machine.state.lastAppliedLsn};
  }

  /** Reopening: nothing observable changes but what metrics say of the recovery. */
  restart(): void {
    const last = this.#lastLsn();
    const loadedSnapshotLsn = this.#snapshot?.lsn ?? null;
    const replayed = last - (loadedSnapshotLsn ?? 0n);
    const withLog = replayed > 0n;
    const withSnapshot = this.#snapshot !== null;
    let startupKind: StartupKind = withLog ? 'wal_only' : 'fresh_start';
    if (withSnapshot) startupKind = withLog ? 'snapshot_and_wal' : 'snapshot_only';
    this.#recovery = {
      startupKind,
      loadedSnapshotLsn,
      replayedWalFrameCount: replayed > BigInt(U32_MAX) ? U32_MAX : Number(replayed),
      replayedWalLastLsn: withLog ? last : null,
    };
  }

  dumpState(): StateDump {
    return dumpState(this.#machine.state);
  }

  invariants(): string[] {
    return modelInvariants(this.config, this.#machine.state);
  }

  /** An independent copy, recovery fields included. */
  clone(): Model {
    const copy = new Model(this.config);
    copy.#machine = new StateMachine(this.config, structuredClone(this.#machine.state));
    copy.#snapshot = this.#snapshot;
    copy.#recovery = this.#recovery;
    return copy;
  }

  #lastLsn(): bigint {
    return this.#machine.state.lastAppliedLsn ?? 0n;
  }

  #effectiveSlot(requestSlot: bigint): bigint {
    const last = this.#machine.state.lastRequestSlot;
    return last !== null && last > requestSlot ? last : requestSlot;
  }

  #fenceApplied(requiredLsn: bigint | null): boolean {
    return requiredLsn === null || this.#lastLsn() >= requiredLsn;
  }

  #resourceFence(requiredLsn: bigint | null): ApiResponse | null {
    if (requiredLsn === null || this.#fenceApplied(requiredLsn)) return null;
    const {lastAppliedLsn} = this.#machine.state;
    return {kind: 'resource_fence_not_applied', requiredLsn, lastAppliedLsn};
  }

  #reservationFence(requiredLsn: bigint | null): ApiResponse | null {
    if (requiredLsn === null || this.#fenceApplied(requiredLsn)) return null;
    const {lastAppliedLsn} = this.#machine.state;
    return {kind: 'reservation_fence_not_applied', requiredLsn, lastAppliedLsn};
  }

  #getResource(requiredLsn: bigint | null, resourceId: bigint): ApiResponse {
    const fence = this.#resourceFence(requiredLsn);
    if (fence !== null) return fence;
    const resource = this.#machine.state.resources.get(resourceId);
    return resource === undefined ? {kind: 'resource_not_found'} : {kind: 'resource_found', resource: {...resource}};
  }

  #getReservation(request: Extract<ApiRequest, {kind: 'get_reservation' | 'get_lease'}>): ApiResponse {
    const {requiredLsn, reservationId, currentSlot} = request;
    const fence = this.#reservationFence(requiredLsn);
    if (fence !== null) return fence;
    const {reservations} = this.#machine.state;
    const reservation = reservations.get(reservationId);
    if (reservation === undefined) return {kind: this.#machine.absence(reservationId)};
    if (reservation.retireAfterSlot !== null && currentSlot > reservation.retireAfterSlot) {
      return {kind: 'reservation_retired'};
    }
    const kind = request.kind === 'get_lease' ? 'lease_found' : 'reservation_found';
    return {kind, reservation: copyOf(reservation)};
  }
}

function invalidRequest(error: unknown): Extract<Failure, {code: 'invalid_request'}>['reason'] {
  if (!(error instanceof CodecError)) throw error;
  const {problem} = error;
  if (problem.kind === 'invalid_request_tag' || problem.kind === 'invalid_enum_value') throw error;
  return problem;
}
