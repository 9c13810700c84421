/**
 * The configuration under which the workload runs: two million operations whose window is so short that the table turns
 * over within a second or two, and a history window of ten slots.
 *
 * A third of nine tenths of the commands end a reservation, which then stays for eleven slots at most. With slots of
 * 100 ms, 600,000 reservations carry 1.8 million commands per second; 200,000 would refuse from 600,000 per second on,
 * and the figure would be one of refusals. Operations: 2,000,000 rows carry 1.8 million commands per second likewise.
 */
import type {DatabaseConfig} from '@allocdb/node';

/** Length of a slot in the servers that are measured. */
export const SLOT_MS = 100;
/** Slots for which the workload's reserves ask: five minutes. */
export const TTL_SLOTS = 3000;
/** Slots for which an operation is remembered and a terminal reservation kept. */
export const WINDOW_SLOTS = 10;
/** Resources of a server that is measured. */
export const SERVER_RESOURCES = 100_000;

const OPERATIONS = 2_000_000;
const RESERVATIONS = 600_000;

export function workloadConfig(resources: number): DatabaseConfig {
  return {
    core: {
      shardId: 0n,
      maxResources: resources,
      maxReservations: RESERVATIONS,
      maxOperations: OPERATIONS,
      maxBundleSize: 1,
      maxTtlSlots: BigInt(2 * TTL_SLOTS),
      maxClientRetryWindowSlots: BigInt(WINDOW_SLOTS),
      reservationHistoryWindowSlots: BigInt(WINDOW_SLOTS),
      maxExpirationBucketLen: RESERVATIONS,
      operationWindowSlots: BigInt(WINDOW_SLOTS),
    },
    engine: {maxSubmissionQueue: 65_536, maxCommandBytes: 4096, maxExpirationsPerTick: 10_000},
  };
}
