/**
 * What a log counts about itself.
 */

/** Counters since opening, and gauges. Times are in milliseconds of the injected clock. */
export interface WalMetrics {
  readonly frames: number;
  readonly records: number;
  readonly bytesWritten: number;
  readonly syncs: number;
  readonly lastSyncMs: number;
  /** What a sync takes when nothing is in its way, estimated low; decides between blocking and the thread pool. */
  readonly unhinderedSyncMs: number;
  readonly segments: number;
  /** Segments that were begun since opening. */
  readonly rolls: number;
  readonly sparesReady: number;
  /** Readers and archivers that hold the log, or yield; and the lowest lsn that one of them holds. */
  readonly pins: number;
  readonly oldestPinnedLsn: bigint | null;
}
