// The state machine of the model: what one command does to resources, reservations and operations.
//
// Written from the specification alone, with Map, bigint and whole-table scans: no wheel, no retire queue, no row, no
// index. Due records are found by looking at all of them and bucket lengths by counting, so that nothing here shares a
// mechanism with the engine it judges. Order of checks is the order of the lines. Deciding whether a command may be
// logged at all (retry cache, lsn space) belongs to model.ts; this file starts where a record is applied.
import {U64_MAX} from './bytes.ts';
import type {ReservationState, ResourceState, ResultName, SlotOverflowKind} from './codes.ts';
import type {ClientRequest, Command} from './command.ts';
import {type ModelConfig, operationWindow} from './config.ts';

export interface Resource {
  resourceId: bigint;
  state: ResourceState;
  currentReservationId: bigint | null;
  version: bigint;
}

export interface Reservation {
  reservationId: bigint;
  holderId: bigint;
  state: ReservationState;
  leaseEpoch: bigint;
  createdLsn: bigint;
  deadlineSlot: bigint;
  releasedLsn: bigint | null;
  retireAfterSlot: bigint | null;
  /** Resource ids in request order. */
  members: bigint[];
}

export interface Operation {
  operationId: bigint;
  fingerprint: string;
  result: ResultName;
  reservationId: bigint | null;
  deadlineSlot: bigint | null;
  appliedLsn: bigint;
  retireAfterSlot: bigint;
}

/** Everything a snapshot would hold, as data that structuredClone can copy. */
export interface State {
  lastAppliedLsn: bigint | null;
  lastRequestSlot: bigint | null;
  maxRetiredReservationId: bigint | null;
  resources: Map<bigint, Resource>;
  reservations: Map<bigint, Reservation>;
  operations: Map<bigint, Operation>;
}

export interface Committed {
  kind: 'committed';
  appliedLsn: bigint;
  result: ResultName;
  reservationId: bigint | null;
  deadlineSlot: bigint | null;
  fromRetryCache: boolean;
}

export interface SlotOverflow {
  kind: 'slot_overflow';
  overflow: SlotOverflowKind;
  requestSlot: bigint;
  delta: bigint;
}

export interface Expiry {
  reservationId: bigint;
  deadlineSlot: bigint;
}

interface Outcome {
  result: ResultName;
  reservationId: bigint | null;
  deadlineSlot: bigint | null;
}

interface At {
  lsn: bigint;
  slot: bigint;
}

export function emptyState(): State {
  return {
    lastAppliedLsn: null,
    lastRequestSlot: null,
    maxRetiredReservationId: null,
    resources: new Map(),
    reservations: new Map(),
    operations: new Map(),
  };
}

function only(result: ResultName): Outcome {
  return {result, reservationId: null, deadlineSlot: null};
}

function overflowOf(overflow: SlotOverflowKind, requestSlot: bigint, delta: bigint): SlotOverflow | null {
  return requestSlot + delta > U64_MAX ? {kind: 'slot_overflow', overflow, requestSlot, delta} : null;
}

export class StateMachine {
  readonly config: ModelConfig;
  readonly state: State;

  constructor(config: ModelConfig, state: State = emptyState()) {
    this.config = config;
    this.state = state;
  }

  /** Slot arithmetic that a client command would need at this slot; null when all of it fits. */
  clientSlotOverflow(command: Command, slot: bigint): SlotOverflow | null {
    let first: SlotOverflow | null = null;
    if (command.kind === 'reserve' || command.kind === 'reserve_bundle') {
      first = overflowOf('deadline', slot, command.ttlSlots);
    }
    if (command.kind === 'release' || command.kind === 'release_fenced' || command.kind === 'reclaim') {
      first = this.historySlotOverflow(slot);
    }
    return first ?? overflowOf('operation_window', slot, operationWindow(this.config));
  }

  historySlotOverflow(slot: bigint): SlotOverflow | null {
    return overflowOf('reservation_history', slot, this.config.reservationHistoryWindowSlots);
  }

  /** The answer a known operation gives at this slot, or null if the request is new there. */
  recall(request: ClientRequest, slot: bigint): Committed | null {
    const known = this.state.operations.get(request.operationId);
    if (known === undefined || known.retireAfterSlot < slot) return null;
    const {appliedLsn} = known;
    const outcome = known.fingerprint === request.fingerprint ? known : only('operation_conflict');
    const {result, reservationId, deadlineSlot} = outcome;
    return {kind: 'committed', appliedLsn, result, reservationId, deadlineSlot, fromRetryCache: true};
  }

  applyClient(lsn: bigint, slot: bigint, request: ClientRequest): Committed | SlotOverflow {
    const overflow = this.clientSlotOverflow(request.command, slot);
    if (overflow !== null) return overflow;
    this.#advance({lsn, slot});
    const known = this.recall(request, slot);
    if (known !== null) return known;
    const {operations} = this.state;
    if (operations.size >= this.config.maxOperations) {
      return {kind: 'committed', appliedLsn: lsn, fromRetryCache: false, ...only('operation_table_full')};
    }
    const outcome = this.#run(request.command, {lsn, slot});
    operations.set(request.operationId, {
      operationId: request.operationId,
      fingerprint: request.fingerprint,
      ...outcome,
      appliedLsn: lsn,
      retireAfterSlot: slot + operationWindow(this.config),
    });
    return {kind: 'committed', appliedLsn: lsn, fromRetryCache: false, ...outcome};
  }

  /** The internal command: not stored for retries. */
  applyExpire(lsn: bigint, slot: bigint, expiry: Expiry): Committed | SlotOverflow {
    const overflow = this.historySlotOverflow(slot);
    if (overflow !== null) return overflow;
    this.#advance({lsn, slot});
    const outcome = this.#expire(expiry, {lsn, slot});
    return {kind: 'committed', appliedLsn: lsn, fromRetryCache: false, ...outcome};
  }

  /** Reserved reservations whose deadline is not after the slot, in the order a tick expires them. */
  due(slot: bigint): Expiry[] {
    const due: Expiry[] = [];
    for (const {state, reservationId, deadlineSlot} of this.state.reservations.values()) {
      if (state === 'reserved' && deadlineSlot <= slot) due.push({reservationId, deadlineSlot});
    }
    return due.sort((left, right) => {
      if (left.deadlineSlot !== right.deadlineSlot) return left.deadlineSlot < right.deadlineSlot ? -1 : 1;
      return left.reservationId < right.reservationId ? -1 : 1;
    });
  }

  /** What is said of a reservation id that is not in the table. */
  absence(reservationId: bigint): 'reservation_retired' | 'reservation_not_found' {
    const watermark = this.state.maxRetiredReservationId;
    const ofThisShard = reservationId >> 64n === this.config.shardId;
    return ofThisShard && watermark !== null && reservationId <= watermark
      ? 'reservation_retired'
      : 'reservation_not_found';
  }

  #advance({lsn, slot}: At): void {
    const {state} = this;
    if (state.lastAppliedLsn !== null && lsn <= state.lastAppliedLsn) throw new Error(`lsn ${lsn} goes back`);
    if (state.lastRequestSlot !== null && slot < state.lastRequestSlot) throw new Error(`slot ${slot} goes back`);
    const timeMoved = slot !== state.lastRequestSlot;
    state.lastAppliedLsn = lsn;
    state.lastRequestSlot = slot;
    // No record can fall due while time stands still: each is written with a retire slot that is not in the past.
    if (timeMoved) this.#retire(slot);
  }

  #retire(slot: bigint): void {
    const {state} = this;
    for (const {reservationId, retireAfterSlot} of state.reservations.values()) {
      if (retireAfterSlot === null || retireAfterSlot >= slot) continue;
      state.reservations.delete(reservationId);
      const watermark = state.maxRetiredReservationId;
      if (watermark === null || reservationId > watermark) state.maxRetiredReservationId = reservationId;
    }
    for (const {operationId, retireAfterSlot} of state.operations.values()) {
      if (retireAfterSlot < slot) state.operations.delete(operationId);
    }
  }

  #run(command: Command, at: At): Outcome {
    switch (command.kind) {
      case 'create_resource':
        return this.#createResource(command.resourceId);
      case 'reserve':
        return this.#reserve([command.resourceId], command.holderId, command.ttlSlots, at);
      case 'reserve_bundle':
        return this.#reserve(command.resourceIds, command.holderId, command.ttlSlots, at);
      case 'confirm':
        return this.#confirm(command.reservationId, command.holderId, null);
      case 'confirm_fenced':
        return this.#confirm(command.reservationId, command.holderId, command.leaseEpoch);
      case 'release':
        return this.#release(command.reservationId, command.holderId, null, at);
      case 'release_fenced':
        return this.#release(command.reservationId, command.holderId, command.leaseEpoch, at);
      case 'revoke':
        return this.#revoke(command.reservationId);
      case 'reclaim':
        return this.#reclaim(command.reservationId, at);
    }
  }

  #createResource(resourceId: bigint): Outcome {
    const {resources} = this.state;
    if (resources.has(resourceId)) return only('already_exists');
    if (resources.size >= this.config.maxResources) return only('resource_table_full');
    resources.set(resourceId, {resourceId, state: 'available', currentReservationId: null, version: 0n});
    return only('ok');
  }

  #reserve(members: bigint[], holderId: bigint, ttlSlots: bigint, {lsn, slot}: At): Outcome {
    const {config, state} = this;
    if (members.length === 0 || members.length > config.maxBundleSize) return only('bundle_too_large');
    if (ttlSlots === 0n || ttlSlots > config.maxTtlSlots) return only('ttl_out_of_range');
    for (const [index, resourceId] of members.entries()) {
      if (members.indexOf(resourceId) < index) return only('resource_busy');
      const resource = state.resources.get(resourceId);
      if (resource === undefined) return only('resource_not_found');
      if (resource.state !== 'available') return only('resource_busy');
    }
    if (state.reservations.size >= config.maxReservations) return only('reservation_table_full');
    const deadlineSlot = slot + ttlSlots;
    if (deadlineSlot > U64_MAX) return only('slot_overflow');
    if (this.#bucketLength(deadlineSlot) >= config.maxExpirationBucketLen) return only('expiration_index_full');

    const reservation: Reservation = {
      reservationId: (config.shardId << 64n) | lsn,
      holderId,
      state: 'reserved',
      leaseEpoch: 1n,
      createdLsn: lsn,
      deadlineSlot,
      releasedLsn: null,
      retireAfterSlot: null,
      members: [...members],
    };
    state.reservations.set(reservation.reservationId, reservation);
    this.#setMembers(reservation, 'reserved');
    return {result: 'ok', reservationId: reservation.reservationId, deadlineSlot};
  }

  #bucketLength(deadlineSlot: bigint): number {
    const buckets = this.config.maxTtlSlots + 1n;
    let length = 0;
    for (const other of this.state.reservations.values()) {
      if (other.state === 'reserved' && other.deadlineSlot % buckets === deadlineSlot % buckets) length += 1;
    }
    return length;
  }

  /** The reservation a holder may act on, or the refusal. */
  #held(reservationId: bigint, holderId: bigint, leaseEpoch: bigint | null): Reservation | Outcome {
    const reservation = this.state.reservations.get(reservationId);
    if (reservation === undefined) return only(this.absence(reservationId));
    if (reservation.retireAfterSlot !== null) return only('reservation_retired');
    if (reservation.holderId !== holderId) return only('holder_mismatch');
    if (leaseEpoch !== null && reservation.leaseEpoch !== leaseEpoch) return only('stale_epoch');
    return reservation;
  }

  #confirm(reservationId: bigint, holderId: bigint, leaseEpoch: bigint | null): Outcome {
    const reservation = this.#held(reservationId, holderId, leaseEpoch);
    if ('result' in reservation) return reservation;
    if (reservation.state !== 'reserved') return only('invalid_state');
    reservation.state = 'confirmed';
    this.#setMembers(reservation, 'confirmed');
    return only('ok');
  }

  #release(reservationId: bigint, holderId: bigint, leaseEpoch: bigint | null, at: At): Outcome {
    const reservation = this.#held(reservationId, holderId, leaseEpoch);
    if ('result' in reservation) return reservation;
    if (reservation.state !== 'reserved' && reservation.state !== 'confirmed') return only('invalid_state');
    reservation.leaseEpoch += 1n;
    this.#end(reservation, 'released', at);
    return only('ok');
  }

  #revoke(reservationId: bigint): Outcome {
    const reservation = this.state.reservations.get(reservationId);
    if (reservation === undefined) return only(this.absence(reservationId));
    if (reservation.retireAfterSlot !== null) return only('reservation_retired');
    if (reservation.state !== 'confirmed') return only('invalid_state');
    reservation.leaseEpoch += 1n;
    reservation.state = 'revoking';
    this.#setMembers(reservation, 'revoking');
    return only('ok');
  }

  #reclaim(reservationId: bigint, at: At): Outcome {
    const reservation = this.state.reservations.get(reservationId);
    if (reservation === undefined) return only(this.absence(reservationId));
    if (reservation.retireAfterSlot !== null) return only('reservation_retired');
    if (reservation.state !== 'revoking') return only('invalid_state');
    this.#end(reservation, 'revoked', at);
    return only('ok');
  }

  #expire({reservationId, deadlineSlot}: Expiry, at: At): Outcome {
    const reservation = this.state.reservations.get(reservationId);
    if (reservation === undefined) return only('reservation_not_found');
    if (reservation.deadlineSlot !== deadlineSlot) return only('noop');
    if (reservation.state !== 'reserved') return only('noop');
    reservation.leaseEpoch += 1n;
    this.#end(reservation, 'expired', at);
    return only('ok');
  }

  #end(reservation: Reservation, state: 'released' | 'expired' | 'revoked', {lsn, slot}: At): void {
    reservation.state = state;
    reservation.releasedLsn = lsn;
    reservation.retireAfterSlot = slot + this.config.reservationHistoryWindowSlots;
    this.#setMembers(reservation, 'available');
  }

  #setMembers(reservation: Reservation, resourceState: ResourceState): void {
    for (const resourceId of reservation.members) {
      const resource = this.state.resources.get(resourceId);
      if (resource === undefined) throw new Error(`member ${resourceId} is gone`);
      resource.state = resourceState;
      resource.currentReservationId = resourceState === 'available' ? null : reservation.reservationId;
      resource.version += 1n;
    }
  }
}
