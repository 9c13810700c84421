/**
 * Responses with more fields than a parameter list should have: reservation found, lease found and metrics. The caller
 * fills a reused record, lanes in an Int32Array and small values beside them, and the writer puts the frame (without
 * length prefix) at an offset and returns where it ends. No allocation, no bigint, no range check.
 */
import {RESPONSE} from './constants.ts';
import {putOptU64} from './response_writers.ts';

/** Where values stand in {@link LeaseRegisters.words}: first lane of each, low lane first. */
export const LEASE_LANES = {
  RESERVATION_ID: 0,
  RESOURCE_ID: 4,
  HOLDER_ID: 8,
  LEASE_EPOCH: 12,
  CREATED_LSN: 14,
  DEADLINE_SLOT: 16,
  RELEASED_LSN: 18,
  RETIRE_AFTER_SLOT: 20,
} as const;

/** A reservation as its readers see it, reused. The resource is that of its first member. */
export class LeaseRegisters {
  /** Lanes as {@link LEASE_LANES} says. */
  readonly words: Int32Array = new Int32Array(22);
  /** One of core's RESERVATION_STATE. */
  state: number = 0;
  hasReleasedLsn: boolean = false;
  hasRetireAfterSlot: boolean = false;
  memberCount: number = 0;
}

/** Where values stand in {@link MetricsRegisters.words}: first lane of each, low lane first. */
export const METRICS_LANES = {
  LOADED_SNAPSHOT_LSN: 0,
  REPLAYED_WAL_LAST_LSN: 2,
  ACTIVE_SNAPSHOT_LSN: 4,
  LAST_APPLIED_LSN: 6,
  LAST_REQUEST_SLOT: 8,
  LOGICAL_SLOT_LAG: 10,
} as const;

/** The metrics of the wire, reused. Counts are u32, the percentage u8. */
export class MetricsRegisters {
  /** Lanes as {@link METRICS_LANES} says. */
  readonly words: Int32Array = new Int32Array(12);
  queueDepth: number = 0;
  queueCapacity: number = 0;
  acceptingWrites: boolean = false;
  /** One of STARTUP_KIND. */
  startupKind: number = 0;
  hasLoadedSnapshotLsn: boolean = false;
  replayedWalFrameCount: number = 0;
  hasReplayedWalLastLsn: boolean = false;
  hasActiveSnapshotLsn: boolean = false;
  hasLastAppliedLsn: boolean = false;
  hasLastRequestSlot: boolean = false;
  expirationBacklog: number = 0;
  operationTableUsed: number = 0;
  operationTableCapacity: number = 0;
  operationTableUtilizationPct: number = 0;
}

function putLanes(view: DataView, offset: number, words: Int32Array, at: number, lanes: number): number {
  for (let lane = 0; lane < lanes; lane++) view.setInt32(offset + 4 * lane, words[at + lane] as number, true);
  return offset + 4 * lanes;
}

function putOptLanes2(view: DataView, offset: number, present: boolean, words: Int32Array, at: number): number {
  return putOptU64(view, offset, present, words[at] as number, words[at + 1] as number);
}

/** Created lsn, deadline, released lsn and retire slot: how both answers about a reservation go on. */
function putHistory(view: DataView, offset: number, lease: LeaseRegisters): number {
  const words = lease.words;
  let at = putLanes(view, offset, words, LEASE_LANES.CREATED_LSN, 4);
  at = putOptLanes2(view, at, lease.hasReleasedLsn, words, LEASE_LANES.RELEASED_LSN);
  return putOptLanes2(view, at, lease.hasRetireAfterSlot, words, LEASE_LANES.RETIRE_AFTER_SLOT);
}

/** Reservation found (tag 6). The lease epoch and the member count are not in it. */
export function putReservationFound(view: DataView, offset: number, lease: LeaseRegisters): number {
  view.setUint8(offset, RESPONSE.RESERVATION_FOUND);
  const at = putLanes(view, offset + 1, lease.words, LEASE_LANES.RESERVATION_ID, 12);
  view.setUint8(at, lease.state);
  return putHistory(view, at + 1, lease);
}

/** Head of lease found (tag 17); `lease.memberCount` resource ids follow, each put with putU128. */
export function putLeaseFound(view: DataView, offset: number, lease: LeaseRegisters): number {
  view.setUint8(offset, RESPONSE.LEASE_FOUND);
  return putLeaseEntry(view, offset + 1, lease);
}

/** The same without its tag: a lease as an entry of a page. */
export function putLeaseEntry(view: DataView, offset: number, lease: LeaseRegisters): number {
  const words = lease.words;
  let at = putLanes(view, offset, words, LEASE_LANES.RESERVATION_ID, 4);
  at = putLanes(view, at, words, LEASE_LANES.HOLDER_ID, 4);
  view.setUint8(at, lease.state);
  at = putLanes(view, at + 1, words, LEASE_LANES.LEASE_EPOCH, 2);
  at = putHistory(view, at, lease);
  view.setInt32(at, lease.memberCount, true);
  return at + 4;
}

/** Metrics (tag 10). */
export function putMetrics(view: DataView, offset: number, metrics: MetricsRegisters): number {
  const words = metrics.words;
  view.setUint8(offset, RESPONSE.METRICS);
  view.setInt32(offset + 1, metrics.queueDepth, true);
  view.setInt32(offset + 5, metrics.queueCapacity, true);
  view.setUint8(offset + 9, metrics.acceptingWrites ? 1 : 0);
  view.setUint8(offset + 10, metrics.startupKind);
  let at = putOptLanes2(view, offset + 11, metrics.hasLoadedSnapshotLsn, words, METRICS_LANES.LOADED_SNAPSHOT_LSN);
  view.setInt32(at, metrics.replayedWalFrameCount, true);
  at = putOptLanes2(view, at + 4, metrics.hasReplayedWalLastLsn, words, METRICS_LANES.REPLAYED_WAL_LAST_LSN);
  at = putOptLanes2(view, at, metrics.hasActiveSnapshotLsn, words, METRICS_LANES.ACTIVE_SNAPSHOT_LSN);
  at = putOptLanes2(view, at, metrics.hasLastAppliedLsn, words, METRICS_LANES.LAST_APPLIED_LSN);
  at = putOptLanes2(view, at, metrics.hasLastRequestSlot, words, METRICS_LANES.LAST_REQUEST_SLOT);
  at = putLanes(view, at, words, METRICS_LANES.LOGICAL_SLOT_LAG, 2);
  view.setInt32(at, metrics.expirationBacklog, true);
  view.setInt32(at + 4, metrics.operationTableUsed, true);
  view.setInt32(at + 8, metrics.operationTableCapacity, true);
  view.setUint8(at + 12, metrics.operationTableUtilizationPct);
  return at + 13;
}
