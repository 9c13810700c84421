/**
 * What a server runs with when nothing else is said: sized for a laptop, and explained in the words of whoever reads the
 * first lines it prints. Slots are 100 ms unless set otherwise; operations are remembered for 60 s, because retries need
 * only the time for which clients really retry, and the operation table must hold rate x window.
 */
import {
  BUNDLE_HEADER_BYTES,
  configOfLimits,
  type DatabaseConfig,
  memoryBytesOf,
  operationWindowOf,
  slotsOfHold,
} from '@allocdb/node';

const HOLD_MS = 600_000;

/** The configuration for new directories, for slots of the given duration. */
export function defaultConfig(slotDurationMs: number): DatabaseConfig {
  const limits = {
    maxResources: 100_000,
    maxReservations: 200_000,
    maxOperations: 1_000_000,
    maxTtlSlots: slotsOfHold(HOLD_MS, slotDurationMs),
  };
  return configOfLimits(limits, slotDurationMs);
}

/** What a configuration means, one line a thing. */
export function explainConfig(config: DatabaseConfig, slotDurationMs: number): string[] {
  const {core} = config;
  const seconds = (slots: bigint): string => `${(Number(slots) * slotDurationMs) / 1000} s`;
  // What every hold of that many slots has at least, whenever in a slot it begins.
  const hold = core.maxTtlSlots > 1n ? core.maxTtlSlots - 1n : 1n;
  const window = operationWindowOf(core);
  const rate = Math.floor(core.maxOperations / ((Number(window) * slotDurationMs) / 1000));
  return [
    `capacity: ${grouped(core.maxResources)} resources, ${grouped(core.maxReservations)} reservations, bundles to ${bundleSizeMax(config)}, holds to ${seconds(hold)}`,
    `retries: an operation is remembered for ${seconds(window)}; ${grouped(core.maxOperations)} of them carry ${grouped(rate)} operations/s without end, more for a while`,
    `memory: tables take ${grouped(Math.ceil(memoryBytesOf(core) / 2 ** 20))} MiB, all of it from the start`,
  ];
}

/** A bundle longer than a command may be cannot be submitted. */
function bundleSizeMax({core, engine}: DatabaseConfig): number {
  return Math.min(core.maxBundleSize, Math.floor((engine.maxCommandBytes - BUNDLE_HEADER_BYTES) / 16));
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
