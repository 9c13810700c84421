/**
 * Sizes of the scenario `checkpoint`: a state so full, and windows so long, that the tables stay about full while the
 * load goes on at its rate. Operations leave at the rate at which they come, and so do terminal reservations; the rest of
 * the reservations are kept by others and do not end.
 */
import type {DatabaseConfig} from '@allocdb/node';
import type {PopulationPlan} from './population.ts';
import type {WorkloadSize} from './workload.ts';
import {HOT_RESOURCES} from './workload.ts';
import {SLOT_MS, TTL_SLOTS, WINDOW_SLOTS} from './workload_config.ts';

const SIZE = {resources: 1e6, reservations: 1e6, operations: 10e6} as const;
const CONNECTIONS = 16;
const LANES_MAX = 512;
/** Parts of the reservations: kept by others, ended and remembered, and at most in the hands of lanes. */
const KEPT = 0.85;
const REMEMBERED = 0.12;
const IN_HANDS = 0.02;
/** Room above all of these, and above the operations: for what is made up after a stall of so many seconds. */
const ROOM = 1.1;
const STALL_SECONDS = 2;
/** Nothing that others keep ends within hours. */
const KEPT_SLOTS = 90_000;
const TTL_MAX_SLOTS = 100_000n;
/** Part of the commands that end a reservation. */
const ENDING = 0.3;

/** What to build, how to serve it, and what to load it with. */
export interface CheckpointPlan {
  readonly config: DatabaseConfig;
  readonly population: PopulationPlan;
  readonly connections: number;
  /** Lanes of each connection. */
  readonly lanes: number;
  readonly over: Omit<WorkloadSize, 'lanes'>;
}

function sizesOf(scale: number): {resources: number; reservations: number; operations: number} {
  const of = (size: number): number => Math.round(size * scale);
  return {
    resources: Math.max(4000, of(SIZE.resources)),
    reservations: Math.max(4000, of(SIZE.reservations)),
    operations: Math.max(40_000, of(SIZE.operations)),
  };
}

function configOf(scale: number, rate: number, operationSlots: number, historySlots: number): DatabaseConfig {
  const {resources, reservations, operations} = sizesOf(scale);
  const maxReservations = Math.ceil(ROOM * reservations + ENDING * STALL_SECONDS * rate);
  return {
    core: {
      shardId: 0n,
      maxResources: resources,
      maxReservations,
      maxOperations: Math.ceil(operations + STALL_SECONDS * rate),
      maxBundleSize: 1,
      maxTtlSlots: TTL_MAX_SLOTS,
      maxClientRetryWindowSlots: BigInt(operationSlots),
      reservationHistoryWindowSlots: BigInt(historySlots),
      maxExpirationBucketLen: maxReservations,
      operationWindowSlots: BigInt(operationSlots),
    },
    engine: {maxSubmissionQueue: 65_536, maxCommandBytes: 4096, maxExpirationsPerTick: 10_000},
  };
}

/** The same tables with windows so short that they turn over at any rate: to find the highest one. */
export function shortWindows(scale: number): DatabaseConfig {
  return configOf(scale, 0, WINDOW_SLOTS, WINDOW_SLOTS);
}

/** The plan for so many arrivals per second. */
export function checkpointPlan(scale: number, rate: number): CheckpointPlan {
  const {resources, reservations, operations} = sizesOf(scale);
  const perSlot = (rate * SLOT_MS) / 1000;
  const operationSlots = Math.max(1, Math.floor(operations / perSlot));
  const historySlots = Math.max(1, Math.floor((REMEMBERED * reservations) / (ENDING * perSlot)) - 1);
  const lanes = Math.max(1, Math.min(LANES_MAX, Math.floor((IN_HANDS * reservations) / CONNECTIONS)));
  // The resources behind those that others keep: half for the filling, half for the load, which must not share any.
  const kept = Math.min(Math.floor(KEPT * reservations), resources - HOT_RESOURCES - 4 * CONNECTIONS * lanes);
  const keptEnd = HOT_RESOURCES + kept;
  const middle = keptEnd + Math.floor((resources - keptEnd) / 2);
  return {
    config: configOf(scale, rate, operationSlots, historySlots),
    population: {
      resources,
      kept: {first: HOT_RESOURCES, end: keptEnd, ttlSlots: KEPT_SLOTS, confirmed: Math.floor(kept / 2)},
      operations,
      over: {first: keptEnd, end: middle},
      perSlot,
      checkpoint: true,
    },
    connections: CONNECTIONS,
    lanes,
    over: {firstResource: middle, resources, firstOperation: operations, ttlSlots: TTL_SLOTS},
  };
}
