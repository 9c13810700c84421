// Small valid configurations from a seed, and positions to start from.
//
// Small, because limits are where the answers differ; valid, because what an engine refuses to open is tested elsewhere.

import {U64_MAX} from './model/bytes.ts';
import type {ModelConfig} from './model/config.ts';
import type {ModelStart} from './model/model.ts';
import {Random} from './random.ts';

const BUNDLE_BYTES = 59;
const LONGEST_OTHER_COMMAND_BYTES = 73;

function biggestCommand(maxBundleSize: number): number {
  return Math.max(LONGEST_OTHER_COMMAND_BYTES, BUNDLE_BYTES + 16 * maxBundleSize);
}

export function randomConfig(seed: bigint): ModelConfig {
  const random = new Random(seed).fork('config');
  const maxResources = random.pick([1, 3, 6, 12, 24, 40]);
  const maxBundleSize = random.between(1, Math.min(maxResources, 6));
  const maxReservations = random.pick([1, 4, 12, 30, 60, 60]);
  const ttl = random.pick([1, 2, 5, 12, 12, 32, 32, 100, 1000]);
  const history = random.pick([0, 1, Math.min(4, ttl), Math.floor(ttl / 2), ttl]);
  const hugeWindow = random.chance(5) ? U64_MAX - BigInt(random.between(2_000, 20_000)) : null;
  const retry = hugeWindow ?? BigInt(random.pick([0, 1, 3, 10, 50]));
  const ownWindow = random.chance(35) ? BigInt(random.pick([1, 2, 6, 20, 200])) : null;
  return {
    shardId: random.pick([0n, 0n, 1n, random.u64(), U64_MAX]),
    maxResources,
    maxReservations,
    maxBundleSize,
    maxOperations: random.pick([1, 20, 60, 400, 400, 400, 400, 400]),
    maxTtlSlots: BigInt(ttl),
    maxClientRetryWindowSlots: retry,
    reservationHistoryWindowSlots: BigInt(history),
    maxExpirationBucketLen: Math.min(maxReservations, random.pick([1, 2, 4, maxReservations, maxReservations])),
    operationWindowSlots: ownWindow,
    maxSubmissionQueue: random.between(1, 8),
    maxCommandBytes: biggestCommand(maxBundleSize) + random.pick([0, 16, 16, 100]),
    maxExpirationsPerTick: random.pick([1, 2, 5, 16]),
  };
}

/** Null for an empty directory; one seed in eight begins where the last lsn is near. */
export function randomStart(seed: bigint): ModelStart | null {
  const random = new Random(seed).fork('start');
  const choice = random.below(16);
  if (choice < 2) return {lsn: U64_MAX - BigInt(random.between(1, 150)), slot: BigInt(random.below(100))};
  if (choice === 2) return {lsn: BigInt(random.between(1, 1_000_000)), slot: random.u64() >> 16n};
  return null;
}
