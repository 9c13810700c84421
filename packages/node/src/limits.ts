/**
 * A configuration from the few numbers that people choose; everything else follows, with defaults that are documented
 * where they stand. Durations are given in slots of a stated length, because that is what the state machine counts.
 */
import type {DatabaseConfig} from './config.ts';

/** What people choose. Counts are u32; slots u64. */
export interface DatabaseLimits {
  maxResources: number;
  /** Live reservations and those that ended within the last minute. */
  maxReservations: number;
  /** Must hold rate x the time for which operations are remembered, one minute unless set. */
  maxOperations: number;
  /** Longest hold; {@link slotsOfHold} gives it from a length of time. */
  maxTtlSlots: bigint | number;
  /** Most resources of one bundle; 16, or maxResources if that is less. */
  maxBundleSize?: number;
  /** For how long an operation is remembered and a retry gets the first answer; one minute. */
  operationWindowSlots?: bigint | number;
  /** High half of every reservation id; 0. */
  shardId?: bigint;
}

const REMEMBERED_MS = 60_000;
const BUNDLE_SIZE = 16;

/**
 * The longest hold, in slots, of a database whose holds may be as long as this: one more than last so long. A hold ends up
 * to a slot early when it was taken late in a slot, and who must have all of it (`ttl_ms` over HTTP) asks for one more.
 */
export function slotsOfHold(ms: number, slotDurationMs: number): bigint {
  return BigInt(Math.ceil(ms / slotDurationMs)) + 1n;
}

/** The whole configuration for these limits, for slots of the given duration. */
export function configOfLimits(limits: DatabaseLimits, slotDurationMs: number): DatabaseConfig {
  const remembered = BigInt(Math.max(1, Math.ceil(REMEMBERED_MS / slotDurationMs)));
  const maxTtlSlots = BigInt(limits.maxTtlSlots);
  const maxBundleSize = limits.maxBundleSize ?? Math.min(BUNDLE_SIZE, limits.maxResources);
  return {
    core: {
      shardId: limits.shardId ?? 0n,
      maxResources: limits.maxResources,
      maxReservations: limits.maxReservations,
      maxOperations: limits.maxOperations,
      maxBundleSize,
      maxTtlSlots,
      maxClientRetryWindowSlots: remembered,
      reservationHistoryWindowSlots: remembered < maxTtlSlots ? remembered : maxTtlSlots,
      maxExpirationBucketLen: limits.maxReservations,
      operationWindowSlots:
        limits.operationWindowSlots === undefined ? remembered : BigInt(limits.operationWindowSlots),
    },
    engine: {
      maxSubmissionQueue: 65_536,
      // The longest command: a bundle of the largest size.
      maxCommandBytes: Math.max(4096, 64 + 16 * maxBundleSize),
      maxExpirationsPerTick: 10_000,
    },
  };
}
