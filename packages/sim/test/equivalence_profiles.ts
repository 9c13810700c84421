/**
 * What a run of the equivalence is about: a configuration, a position to begin at, and how its stream is biased. Half of
 * the profiles put one thing at its limit, because a seed that does much of one thing finds what an average over all
 * never reaches; `any` takes whatever the generator of the package draws.
 */
import {type ModelConfig, type ModelStart, operationWindow, Random, randomConfig, randomStart} from '@allocdb/sim';

const U64_MAX = 2n ** 64n - 1n;
const BUNDLE_HEADER_BYTES = 59;

export const PROFILES = [
  'any',
  'large_bundles',
  'full_tables',
  'short_windows',
  'end_of_time',
  'end_of_lsns',
  'lsn_2_32',
  'few_operations',
  'small_ticks',
] as const;
export type ProfileName = (typeof PROFILES)[number];

export interface Profile {
  readonly name: ProfileName;
  readonly config: ModelConfig;
  readonly start: ModelStart | null;
  /** Operation ids come from so many, over and over; null for a new one each time, but for repeats. */
  readonly operationIds: number | null;
  readonly disturbed: boolean;
}

/** Profiles come in turn, so that a few seeds have them all. */
export function profileOf(seed: bigint): Profile {
  const name = PROFILES[Number(seed % BigInt(PROFILES.length))] ?? 'any';
  const random = new Random(seed).fork('profile');
  const config = configOf(name, randomConfig(seed), random);
  return {
    name,
    config,
    start: startOf(name, config, seed, random),
    operationIds: name === 'few_operations' ? random.between(4, 60) : null,
    disturbed: random.chance(35),
  };
}

function configOf(name: ProfileName, base: ModelConfig, random: Random): ModelConfig {
  switch (name) {
    case 'large_bundles': {
      const maxResources = random.pick([40, 120, 260]);
      const maxBundleSize = random.between(maxResources >> 2, maxResources);
      const maxCommandBytes = BUNDLE_HEADER_BYTES + 16 * (maxBundleSize + random.pick([0, 1]));
      return {...base, maxResources, maxBundleSize, maxCommandBytes, maxOperations: 400, operationWindowSlots: 30n};
    }
    case 'full_tables': {
      const maxReservations = random.pick([1, 2, 5]);
      const maxExpirationBucketLen = random.between(1, maxReservations);
      const maxOperations = random.pick([1, 2, 3, 8, 400]);
      const operationWindowSlots = BigInt(random.pick([1, 4, 20]));
      return {...base, maxReservations, maxExpirationBucketLen, maxOperations, operationWindowSlots};
    }
    case 'short_windows':
      return {
        ...base,
        maxTtlSlots: random.pick([1n, 1n, 2n]),
        reservationHistoryWindowSlots: random.pick([0n, 1n]),
        maxClientRetryWindowSlots: random.pick([0n, 1n]),
        operationWindowSlots: random.pick([null, 1n, 2n]),
        maxOperations: 400,
      };
    case 'end_of_time':
      return {...base, maxClientRetryWindowSlots: BigInt(random.below(5)), maxOperations: 400};
    case 'few_operations':
      return {...base, operationWindowSlots: BigInt(random.pick([1, 2, 6, 20])), maxOperations: 400};
    case 'small_ticks':
      return {
        ...base,
        maxExpirationsPerTick: random.pick([1, 1, 2, 3]),
        maxReservations: 60,
        maxExpirationBucketLen: 60,
        maxResources: 40,
        maxTtlSlots: random.pick([2n, 12n, 1000n]),
        reservationHistoryWindowSlots: random.pick([0n, 1n, 2n]),
        operationWindowSlots: 20n,
        maxOperations: 400,
      };
    default:
      return base;
  }
}

function startOf(name: ProfileName, config: ModelConfig, seed: bigint, random: Random): ModelStart | null {
  switch (name) {
    case 'any':
      return randomStart(seed);
    case 'end_of_time': {
      const left = operationWindow(config) + config.maxTtlSlots + BigInt(random.below(600));
      return {lsn: BigInt(random.between(1, 100)), slot: left > U64_MAX ? 0n : U64_MAX - left};
    }
    case 'end_of_lsns':
      return {lsn: U64_MAX - BigInt(random.between(1, 500)), slot: BigInt(random.below(100))};
    case 'lsn_2_32':
      return {lsn: 2n ** 32n - BigInt(random.between(1, 200)), slot: 2n ** 32n - BigInt(random.below(60))};
    default:
      return null;
  }
}
