/**
 * Whether the server lives and can do its work. Liveness is that the event loop turns, and nothing else: whoever gets an
 * answer has it. Readiness is a list of what is in the way, each with a code that scripts can match and a sentence.
 *
 * There is no state "recovering": the directory is recovered before any port listens, within seconds, since what there is
 * to replay is bounded by the checkpoints. Until then a connection is refused, which every prober takes for "not ready".
 */
import type {EngineMetrics, EngineState} from '@allocdb/node';

/** What can keep a server from being ready. */
export const UNREADY_REASONS = [
  'shutting_down',
  'halted',
  'lsn_exhausted',
  'storage_full',
  'operation_table',
  'queue_full',
] as const;
/** One of {@link UNREADY_REASONS}. */
export type UnreadyReason = (typeof UNREADY_REASONS)[number];

/** Whether the server is ready; the form that the HTTP port takes. */
export interface Readiness {
  readonly ready: boolean;
  /** A line each, `code: sentence`; empty when ready. */
  readonly reasons: readonly string[];
  readonly codes: readonly UnreadyReason[];
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** What health is judged by. */
export interface HealthHost {
  state(): EngineState;
  metrics(): EngineMetrics;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

/** Part of the operation table beyond which new work should go elsewhere, while there is still room for retries. */
const OPERATION_TABLE_FULL_AT = 0.95;
/**
 * For how long a command that was refused for want of disk space counts, unless one has been taken since. Without an end
 * to it nobody would send the command that finds space again.
 */
const STORAGE_FULL_MS = 30_000;

export class Health {
  readonly #host: HealthHost;
  #isShuttingDown: boolean = false;
  #storageRefusals: number = 0;
  /** When refusals for want of space were seen last, and what was applied last then. */
  #storageFull: {readonly seenMs: number; readonly lsn: bigint | null} | null = null;

  constructor(host: HealthHost) {
    this.#host = host;
  }

  /** From now on the server is not ready. */
  beginShutdown(): void {
    this.#isShuttingDown = true;
  }

  /** The event loop turns. */
  liveness(): {readonly live: true} {
    return {live: true};
  }

  readiness(): Readiness {
    const metrics = this.#host.metrics();
    const state = this.#host.state();
    const found = new Map<UnreadyReason, string>();
    if (this.#isShuttingDown || state === 'closed') found.set('shutting_down', 'the server is shutting down');
    if (state === 'halted') found.set('halted', 'writing the log failed; look at the disk and restart the server');
    else if (!metrics.acceptingWrites) found.set('lsn_exhausted', 'the last lsn was given out: it can only be read');
    if (this.#isStorageFull(metrics)) found.set('storage_full', 'commands are refused because the disk is full');
    const {used, capacity} = metrics.operations;
    if (used >= capacity * OPERATION_TABLE_FULL_AT) {
      found.set('operation_table', `the table of operations is nearly full: ${used} of ${capacity}`);
    }
    if (metrics.queueDepth >= metrics.queueCapacity) {
      found.set('queue_full', `${metrics.queueDepth} commands wait for the disk, as many as may`);
    }
    return {
      ready: found.size === 0,
      reasons: [...found].map(([code, sentence]) => `${code}: ${sentence}`),
      codes: [...found.keys()],
      details: {
        state,
        acceptingWrites: metrics.acceptingWrites,
        durableLsn: metrics.durableLsn === null ? null : String(metrics.durableLsn),
        queueDepth: metrics.queueDepth,
        operationTableUsed: used,
        operationTableCapacity: capacity,
      },
    };
  }

  #isStorageFull(metrics: EngineMetrics): boolean {
    const refusals = metrics.refusals.find(({reason}) => reason === 'storage_full')?.count ?? 0;
    if (refusals > this.#storageRefusals) {
      this.#storageRefusals = refusals;
      this.#storageFull = {seenMs: this.#host.now(), lsn: metrics.lastAppliedLsn};
    }
    const seen = this.#storageFull;
    if (seen === null || seen.lsn !== metrics.lastAppliedLsn) return false;
    return this.#host.now() - seen.seenMs < STORAGE_FULL_MS;
  }
}
