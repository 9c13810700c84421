/**
 * Pauses between attempts: each at most twice the one before, up to a maximum, and of random length, so that clients
 * that failed together do not come back together.
 */
import type {RetryPolicy} from './options.ts';

/** Milliseconds to wait after `failures` failures in a row (1 or more): between half of the step and all of it. */
export function backoffMs(failures: number, policy: RetryPolicy): number {
  const step = Math.min(policy.maxBackoffMs, policy.initialBackoffMs * 2 ** (failures - 1));
  return Math.ceil(step * (0.5 + Math.random() / 2));
}
