// What must hold of the model's state between any two commands.
//
// Invariants of mechanisms the model does not have (wheel order, free lists, key indexes, retire queues) have no
// counterpart here; bucket bounds and the logical side of retirement do. Violations are returned as text, all of them.
import {type ModelConfig, operationWindow} from './config.ts';
import type {Reservation, Resource, State} from './state.ts';

const LIVE_STATES: readonly string[] = ['reserved', 'confirmed', 'revoking'];

function checkResource(resource: Resource, state: State, violate: (text: string) => void): void {
  const name = `resource ${resource.resourceId}`;
  if (resource.state === 'available') {
    if (resource.currentReservationId !== null) violate(`${name} is available but points at a reservation`);
    return;
  }
  if (resource.version === 0n) violate(`${name} changed state without a version`);
  const owner =
    resource.currentReservationId === null ? undefined : state.reservations.get(resource.currentReservationId);
  if (owner === undefined) {
    violate(`${name} is ${resource.state} without a reservation in the table`);
    return;
  }
  if (owner.state !== resource.state) violate(`${name} is ${resource.state}, its reservation ${owner.state}`);
  if (!owner.members.includes(resource.resourceId)) violate(`${name} is not a member of the reservation it points at`);
}

function checkReservation(reservation: Reservation, state: State, violate: (text: string) => void): void {
  const name = `reservation ${reservation.reservationId}`;
  const {members, releasedLsn, retireAfterSlot} = reservation;
  if (members.length === 0) violate(`${name} has no members`);
  if (new Set(members).size !== members.length) violate(`${name} has a member twice`);
  if (reservation.leaseEpoch < 1n) violate(`${name} has epoch ${reservation.leaseEpoch}`);
  const owned = [...state.resources.values()].filter(row => row.currentReservationId === reservation.reservationId);
  if (LIVE_STATES.includes(reservation.state)) {
    if (releasedLsn !== null || retireAfterSlot !== null) violate(`${name} is live and has a release`);
    if (owned.length !== members.length) violate(`${name} lists ${members.length} members and owns ${owned.length}`);
    if (reservation.state === 'revoking' && reservation.leaseEpoch < 2n) violate(`${name} kept its epoch when revoked`);
    return;
  }
  if (owned.length !== 0) violate(`${name} is terminal and owns ${owned.length} resources`);
  if (reservation.leaseEpoch < 2n) violate(`${name} ended without a new epoch`);
  if (releasedLsn === null || retireAfterSlot === null) {
    violate(`${name} is terminal without a release`);
    return;
  }
  if (releasedLsn <= reservation.createdLsn) violate(`${name} ended before it began`);
  if (state.lastAppliedLsn === null || releasedLsn > state.lastAppliedLsn) violate(`${name} ended in the future`);
  if (state.lastRequestSlot === null || retireAfterSlot < state.lastRequestSlot) violate(`${name} should be retired`);
}

function checkBuckets(config: ModelConfig, state: State, violate: (text: string) => void): void {
  const lengths = new Map<bigint, number>();
  for (const reservation of state.reservations.values()) {
    if (reservation.state !== 'reserved') continue;
    const bucket = reservation.deadlineSlot % (config.maxTtlSlots + 1n);
    lengths.set(bucket, (lengths.get(bucket) ?? 0) + 1);
  }
  for (const [bucket, length] of lengths) {
    if (length > config.maxExpirationBucketLen) violate(`bucket ${bucket} holds ${length}`);
  }
}

function checkWatermark(config: ModelConfig, state: State, violate: (text: string) => void): void {
  const watermark = state.maxRetiredReservationId;
  if (watermark === null) return;
  if (watermark >> 64n !== config.shardId) violate('the watermark is of another shard');
  const lsn = watermark & ((1n << 64n) - 1n);
  if (state.lastAppliedLsn === null || lsn > state.lastAppliedLsn) violate('the watermark is after the last lsn');
}

/** Every violation found, as text; empty when all is well. */
export function modelInvariants(config: ModelConfig, state: State): string[] {
  const violations: string[] = [];
  const violate = (text: string): void => {
    violations.push(text);
  };
  const last = state.lastAppliedLsn ?? 0n;
  if ((state.lastAppliedLsn === null) !== (state.lastRequestSlot === null)) violate('lsn and slot begin together');
  if (state.resources.size > config.maxResources) violate('too many resources');
  if (state.reservations.size > config.maxReservations) violate('too many reservations');
  if (state.operations.size > config.maxOperations) violate('too many operations');
  for (const [id, resource] of state.resources) {
    if (id !== resource.resourceId) violate(`resource ${resource.resourceId} is filed under ${id}`);
    checkResource(resource, state, violate);
  }
  for (const [id, reservation] of state.reservations) {
    if (id !== reservation.reservationId) violate(`reservation ${reservation.reservationId} is filed under ${id}`);
    if (id !== ((config.shardId << 64n) | reservation.createdLsn)) violate(`reservation ${id} and its lsn disagree`);
    if (reservation.createdLsn > last) violate(`reservation ${id} was created after the last lsn`);
    if (reservation.members.length > config.maxBundleSize) violate(`reservation ${id} has too many members`);
    checkReservation(reservation, state, violate);
  }
  for (const [id, operation] of state.operations) {
    if (id !== operation.operationId) violate(`operation ${operation.operationId} is filed under ${id}`);
    if (operation.appliedLsn > last) violate(`operation ${id} was applied after the last lsn`);
    const age = operation.retireAfterSlot - (state.lastRequestSlot ?? 0n);
    if (age < 0n || age > operationWindow(config)) violate(`operation ${id} is outside its window`);
  }
  checkBuckets(config, state, violate);
  checkWatermark(config, state, violate);
  return violations;
}
