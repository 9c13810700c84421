/**
 * Checkpoints while the engine runs: cut, copy out, wait until the log is durable through the cut, publish, mark it in
 * the log, drop snapshots but the newest two, cut the log behind the older of them. Commands go on meanwhile. The log
 * always reaches back to the previous snapshot, so that a rotten newest one costs a longer replay and nothing else.
 *
 * One at a time; a failure leaves the last snapshot in place and is thrown to whoever asked.
 */
import {type AllocDb, hiOf, loOf, writeU128} from '@allocdb/core';
import {type FileIo, joinPath, type Wal} from '@allocdb/wal';
import {type DataDirectory, snapshotLsns} from './data_directory.ts';
import {type PaceHost, Pacer} from './pacer.ts';
import {snapshotName} from './snapshot_format.ts';
import {type SnapshotInfo, SnapshotWriter} from './snapshot_writer.ts';

/** Snapshots that are kept. */
const KEPT_SNAPSHOTS = 2;

/** When and how checkpoints are made. */
export interface CheckpointOptions {
  /** Log bytes since the last checkpoint after which the next one begins by itself; null for never. */
  readonly everyLogBytes: number | null;
  /** Most bytes per second that writing a snapshot takes from the disk; of the event loop it takes a tenth at most. */
  readonly bytesPerSecond: number;
  /** Bytes of log to keep even where no recovery needs them: for audit, change feeds and restores. */
  readonly retainLogBytes: number;
}

/** What the engine does for a checkpoint. */
export interface CheckpointHost extends PaceHost {
  /**
   * Runs an action at a moment when the log is durable through an lsn and no frame is being written; resolves when it has
   * run, rejects when the engine halts.
   */
  whenDurable(lsn: bigint, action: () => void): Promise<void>;
  /** The snapshot of this lsn has its name now. */
  published(lsn: bigint): void;
}

/** A finished checkpoint. */
export interface CheckpointInfo extends SnapshotInfo {
  readonly durationMs: number;
}

export class Checkpointer {
  private readonly io: FileIo;
  private readonly snapshotDir: string;
  private readonly db: AllocDb;
  private readonly wal: Wal;
  private readonly options: CheckpointOptions;
  private readonly host: CheckpointHost;
  private running: Promise<CheckpointInfo> | null = null;
  private logBytesAtLast: number;
  private stopping: boolean = false;
  /** Finished since the engine opened. */
  count: number = 0;
  last: CheckpointInfo | null = null;
  private lastAtMs: number | null = null;
  /** For all copying beside the engine. */
  readonly pacer: Pacer;

  constructor(io: FileIo, directory: DataDirectory, options: CheckpointOptions, host: CheckpointHost) {
    this.io = io;
    this.snapshotDir = directory.snapshotDir;
    this.db = directory.db;
    this.wal = directory.wal;
    this.options = options;
    this.host = host;
    this.pacer = new Pacer(options.bytesPerSecond, host);
    this.logBytesAtLast = directory.wal.bytesWritten - directory.replayedLogBytes;
  }

  /** Milliseconds since the last one finished; null before the first. */
  get ageMs(): number | null {
    return this.lastAtMs === null ? null : this.host.now() - this.lastAtMs;
  }

  /** Log bytes written since the last checkpoint began; before the first, also those that opening had to replay. */
  get logBytesSince(): number {
    return this.wal.bytesWritten - this.logBytesAtLast;
  }

  /** True when the log has grown enough for a checkpoint by itself. */
  get isDue(): boolean {
    const {everyLogBytes} = this.options;
    return everyLogBytes !== null && this.running === null && !this.stopping && this.logBytesSince >= everyLogBytes;
  }

  /** Checkpoints that failed. */
  failures: number = 0;
  /** Told when a checkpoint begins, with its lsn, and how it ended. For logs; set by the owner. */
  onStart: (lsn: bigint) => void = () => undefined;
  onFinish: (outcome: CheckpointInfo | Error) => void = () => undefined;

  /** Publishes nothing from now on and removes nothing more; what is being written ends soon by itself. */
  giveUp(): void {
    this.stopping = true;
  }

  /** Gives up the checkpoint under way, if any; its unfinished file is removed. Resolves when that is done. */
  async stop(): Promise<void> {
    this.giveUp();
    await this.running?.catch(() => undefined);
  }

  /** Makes a checkpoint of the state as it is now, or joins the one under way. */
  run(): Promise<CheckpointInfo> {
    this.running ??= this.make()
      .then(
        info => {
          this.onFinish(info);
          return info;
        },
        (error: unknown) => {
          this.failures++;
          this.onFinish(error instanceof Error ? error : new Error(String(error)));
          throw error;
        },
      )
      .finally(() => {
        this.running = null;
      });
    return this.running;
  }

  private async make(): Promise<CheckpointInfo> {
    const started = this.host.now();
    this.logBytesAtLast = this.wal.bytesWritten;
    const writer = new SnapshotWriter(this.io, this.snapshotDir, this.db);
    this.onStart(writer.lsn);
    this.pacer.begin();
    const written = await writer.write((bytes, busyMs) => {
      this.assertGoing();
      return this.pacer.pay(bytes, busyMs);
    });
    await this.host.whenDurable(written.lsn, () => {
      this.assertGoing();
      writer.publish();
      this.host.published(written.lsn);
      if (written.lsn > 0n) this.mark(written);
    });
    await this.prune();
    const info = {...written, durationMs: this.host.now() - started};
    this.count++;
    this.last = info;
    this.lastAtMs = this.host.now();
    return info;
  }

  /** A log without room for the marker goes without: the digest stands in the snapshot too. */
  private mark(snapshot: SnapshotInfo): void {
    const digest = new Int32Array(4);
    writeU128(digest, 0, snapshot.digest);
    this.wal.writeSnapshotMarkerSync(loOf(snapshot.lsn), hiOf(snapshot.lsn), new Uint8Array(digest.buffer));
  }

  private assertGoing(): void {
    if (this.stopping) throw new Error('the checkpoint was given up because the engine is closing');
  }

  /** Snapshots on the thread pool: the pages of a large one take long to go. Of the log one file a turn. */
  private async prune(): Promise<void> {
    const {io, snapshotDir} = this;
    const lsns = snapshotLsns(io, snapshotDir);
    for (const lsn of lsns.slice(KEPT_SNAPSHOTS)) await io.unlinkAsync(joinPath(snapshotDir, snapshotName(lsn)));
    if (lsns.length > KEPT_SNAPSHOTS) await io.syncDirAsync(snapshotDir);
    const previous = lsns[KEPT_SNAPSHOTS - 1];
    if (previous === undefined) return;
    const needed = previous + 1n;
    const retained = this.firstRetainedLsn();
    while (!this.stopping && this.wal.truncateBefore(retained < needed ? retained : needed, 1) > 0) {
      await this.host.sleep(0);
    }
  }

  /** First lsn of the segment with which the newest ones reach the bytes to retain; 0 when all must stay. */
  private firstRetainedLsn(): bigint {
    let bytes = 0;
    for (const segment of this.wal.segments.reverse()) {
      bytes += segment.bytes;
      if (bytes >= this.options.retainLogBytes) return segment.firstLsn;
    }
    return 0n;
  }
}
