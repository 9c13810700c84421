/**
 * Random requests and responses for property tests: every type, every closed set, edge values of every width. Not here:
 * malformed bytes, which the tests make by cutting and patching encoded frames.
 */
import {OVERFLOW_NAMES, RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, RESULT_NAMES} from '@allocdb/core';
import fc from 'fast-check';
import {
  type ApiRequest,
  type ApiResponse,
  STARTUP_KIND_NAMES,
  type SubmissionFailure,
  type SubmitResponse,
} from '../src/index.ts';

const U64_MAX = (1n << 64n) - 1n;
const U128_MAX = (1n << 128n) - 1n;

const edges = (max: bigint): fc.Arbitrary<bigint> =>
  fc.oneof(fc.bigInt(0n, max), fc.constantFrom(0n, 1n, max, max >> 1n, 0xffff_ffffn, 0x8000_0000n));
export const u64: fc.Arbitrary<bigint> = edges(U64_MAX);
export const u128: fc.Arbitrary<bigint> = edges(U128_MAX);
const u32 = fc.oneof(fc.integer({min: 0, max: 0xffff_ffff}), fc.constantFrom(0, 0x8000_0000, 0xffff_ffff));
const u16 = fc.oneof(fc.integer({min: 0, max: 0xffff}), fc.constantFrom(0, 0xffff));
const u8 = fc.integer({min: 0, max: 255});
const opt64 = fc.option(u64);
const opt128 = fc.option(u128);
const payload = fc.uint8Array({maxLength: 80});

function nameOf<Name extends string>(names: readonly Name[]): fc.Arbitrary<Exclude<Name, '' | 'none'>> {
  return fc.constantFrom(...(names.slice(1) as Exclude<Name, '' | 'none'>[]));
}

export const anyRequest: fc.Arbitrary<ApiRequest> = fc.oneof(
  fc.record({type: fc.constant('submit' as const), requestSlot: u64, payload}),
  fc.record({
    type: fc.constant('submit_batch' as const),
    requestSlot: u64,
    payloads: fc.array(payload, {maxLength: 8}),
  }),
  fc.record({type: fc.constant('get_resource' as const), requiredLsn: opt64, resourceId: u128}),
  fc.record({
    type: fc.constantFrom('get_reservation' as const, 'get_lease' as const),
    requiredLsn: opt64,
    currentSlot: u64,
    reservationId: u128,
  }),
  fc.record({
    type: fc.constantFrom('get_metrics' as const, 'tick_expirations' as const),
    currentWallClockSlot: u64,
  }),
  fc.record({
    type: fc.constant('scan_resources' as const),
    requiredLsn: opt64,
    state: fc.option(nameOf(RESOURCE_STATE_NAMES)),
    position: u64,
    limit: u16,
  }),
  fc.record({
    type: fc.constant('scan_reservations' as const),
    requiredLsn: opt64,
    currentSlot: u64,
    holderId: opt128,
    state: fc.option(nameOf(RESERVATION_STATE_NAMES)),
    position: u64,
    limit: u16,
  }),
);

export const anyFailure: fc.Arbitrary<SubmissionFailure> = fc.oneof(
  fc.record({code: fc.constantFrom('engine_halted' as const, 'storage_failure' as const, 'storage_full' as const)}),
  fc.record({
    code: fc.constant('invalid_request' as const),
    reason: fc.constantFrom('buffer_too_short' as const, 'invalid_layout' as const),
  }),
  fc.record({
    code: fc.constant('invalid_request' as const),
    reason: fc.constant('invalid_command_tag' as const),
    commandTag: u8,
  }),
  fc.record({code: fc.constant('slot_overflow' as const), kind: nameOf(OVERFLOW_NAMES), requestSlot: u64, delta: u64}),
  fc.record({code: fc.constant('command_too_large' as const), encodedLen: u64, maxCommandBytes: u64}),
  fc.record({code: fc.constant('lsn_exhausted' as const), lastAppliedLsn: u64}),
  fc.record({code: fc.constant('overloaded' as const), queueDepth: u32, queueCapacity: u32}),
);

const anySubmit: fc.Arbitrary<SubmitResponse> = fc.oneof(
  fc.record({
    type: fc.constant('submit_committed' as const),
    appliedLsn: u64,
    resultCode: nameOf(RESULT_NAMES),
    reservationId: opt128,
    deadlineSlot: opt64,
    fromRetryCache: fc.boolean(),
  }),
  fc.record({type: fc.constant('submit_rejected' as const), failure: anyFailure}),
);

const history = {
  state: nameOf(RESERVATION_STATE_NAMES),
  createdLsn: u64,
  deadlineSlot: u64,
  releasedLsn: opt64,
  retireAfterSlot: opt64,
};

const shownResource = {
  resourceId: u128,
  state: nameOf(RESOURCE_STATE_NAMES),
  currentReservationId: opt128,
  version: u64,
};

const shownLease = {
  reservationId: u128,
  holderId: u128,
  leaseEpoch: u64,
  resourceIds: fc.array(u128, {maxLength: 6}),
  ...history,
};

const page = {lastAppliedLsn: opt64, next: opt64};

export const anyResponse: fc.Arbitrary<ApiResponse> = fc.oneof(
  anySubmit,
  fc.record({type: fc.constant('resource_found' as const), ...shownResource}),
  fc.record({type: fc.constantFrom('resource_not_found' as const, 'resource_engine_halted' as const)}),
  fc.record({
    type: fc.constantFrom(
      'reservation_not_found' as const,
      'reservation_retired' as const,
      'reservation_engine_halted' as const,
    ),
  }),
  fc.record({
    type: fc.constantFrom('resource_fence_not_applied' as const, 'reservation_fence_not_applied' as const),
    requiredLsn: u64,
    lastAppliedLsn: opt64,
  }),
  fc.record({
    type: fc.constant('reservation_found' as const),
    reservationId: u128,
    resourceId: u128,
    holderId: u128,
    ...history,
  }),
  fc.record({type: fc.constant('lease_found' as const), ...shownLease}),
  fc.record({
    type: fc.constant('resources_page' as const),
    resources: fc.array(fc.record(shownResource), {maxLength: 4}),
    ...page,
  }),
  fc.record({
    type: fc.constant('reservations_page' as const),
    leases: fc.array(fc.record(shownLease), {maxLength: 3}),
    ...page,
  }),
  fc.record({
    type: fc.constant('metrics' as const),
    queueDepth: u32,
    queueCapacity: u32,
    acceptingWrites: fc.boolean(),
    startupKind: nameOf(STARTUP_KIND_NAMES),
    loadedSnapshotLsn: opt64,
    replayedWalFrameCount: u32,
    replayedWalLastLsn: opt64,
    activeSnapshotLsn: opt64,
    lastAppliedLsn: opt64,
    lastRequestSlot: opt64,
    logicalSlotLag: u64,
    expirationBacklog: u32,
    operationTableUsed: u32,
    operationTableCapacity: u32,
    operationTableUtilizationPct: u8,
  }),
  fc.record({type: fc.constant('tick_applied' as const), processedCount: u32, lastAppliedLsn: opt64}),
  fc.record({type: fc.constant('tick_rejected' as const), failure: anyFailure}),
  fc.record({type: fc.constant('batch_result' as const), results: fc.array(anySubmit, {maxLength: 5})}),
);
