/**
 * The log as its users see it: one object over the write path, the reader and the files of one directory.
 *
 * Built on the raw path of `raw_log.ts`; here are opening and closing, whole commits, reading and truncation. What a record
 * means is the caller's business.
 */

import {ioError, isDiskFull, WalError} from './errors.ts';
import type {DirectoryLock} from './file_io.ts';
import {writeCleanFile} from './format/clean_file.ts';
import {FRAME_KIND, MARKER_DIGEST_BYTES, RECORD_FLAG, RECORD_NOTE_SHIFT} from './format/format.ts';
import {SCOPE_WORDS, scopeToWords} from './format/scope.ts';
import {highWord, lowWord, toBigint, U64_MAX} from './format/words.ts';
import {type ResolvedWalOptions, resolveOptions, type WalOptions} from './log_options.ts';
import {ReadableLog} from './readable_log.ts';
import {type OpenedLog, openLog, type WalRecovery} from './recovery/log_open.ts';
import {CommitPump} from './write/commit_pump.ts';

import {type RecordInput, refusal} from './write/record_input.ts';
import {STATUS, type Status} from './write/status.ts';

const TYPE_MAX = 0xffff;
const NOTE_MAX = 0xff;

/**
 * A durable log of records with dense, rising lsns, open for writing by exactly one process.
 *
 * Where the ideas come from: one sync for all who wait is the group commit of DeWitt et al. (Implementation Techniques
 * for Main Memory Database Systems, 1984); lsns and the log before the data, Mohan et al. (ARIES, 1992); never trying a
 * failed sync again, Rebello et al. (Can Applications Recover from fsync Failures?, 2020).
 *
 * After a failed write or sync every method but `close`, `abandon` and the getters throws the same `failed` error, and
 * what was not yet durable is in doubt until the log is opened again.
 */
export class Wal extends ReadableLog {
  /** What opening found and did. */
  readonly recovery: WalRecovery;
  readonly #lock: DirectoryLock | null;
  readonly #pump: CommitPump;
  readonly #scope: Int32Array = new Int32Array(SCOPE_WORDS);
  #closed = false;

  private constructor(options: ResolvedWalOptions, opened: OpenedLog) {
    super(opened.writer, opened.meter, opened.spares, options);
    this.recovery = opened.recovery;
    this.#lock = opened.lock;
    this.#pump = new CommitPump(opened.writer, opened.meter, options.idleMarkerMs);
  }

  /**
   * Opens or begins the log in a directory. On return everything the log holds is durable.
   *
   * Throws `locked`, `corruption`, `gap`, `missing_segment`, `missing_log`, `unsupported_version`, `too_large`,
   * `storage_full` (a new log only) or `io`; then nothing but the lock file has been touched, except for `io`.
   */
  static open(options: WalOptions): Wal {
    const resolved = resolveOptions(options);
    return new Wal(resolved, openLog(resolved));
  }

  /**
   * Appends one record and returns its lsn; durable after the next commit. Throws what `append` refuses: `frame_full`
   * or `pending_full` (commit, then again), `too_large`, `storage_full`, `too_many_segments` (truncate) or `lsn_exhausted`;
   * `RangeError` for a type that is no u16, a note that is no u8, a stamp that is no u64, and a scope out of its widths.
   */
  appendRecord(record: RecordInput): bigint {
    const {type, payload, stamp = 0n, required = true, note = 0, scope} = record;
    if (!Number.isInteger(type) || type < 0 || type > TYPE_MAX) throw new RangeError('a record type is a u16');
    if (!Number.isInteger(note) || note < 0 || note > NOTE_MAX) throw new RangeError('a note is a u8');
    if (stamp < 0n || stamp > U64_MAX) throw new RangeError('a stamp is a u64');
    const lsn = this.writer.stage.next.toBigint();
    const flags = (required ? RECORD_FLAG.REQUIRED : 0) | (note << RECORD_NOTE_SHIFT);
    const [lo, hi] = [lowWord(stamp), highWord(stamp)];
    let status: Status;
    if (scope === undefined) status = this.append(type, flags, lo, hi, payload, 0, payload.length);
    else {
      scopeToWords(scope, this.#scope);
      status = this.appendScoped(type, flags, lo, hi, this.#scope, payload, 0, payload.length);
    }
    if (status !== STATUS.OK) throw refusal(status);
    return lsn;
  }

  /** Everything appended is durable on return. Throws `busy` while a frame is in flight on the thread pool. */
  commitSync(): void {
    this.writer.writeFrozenSync();
    if (this.writer.stage.freeze()) this.writer.writeFrozenSync();
  }

  /** Everything appended so far is durable when this resolves. Callers of one turn share a frame and its sync. */
  commit(): Promise<void> {
    return this.#pump.commit();
  }

  /**
   * Notes in the log that a snapshot through this lsn exists and what the state's 16-byte digest was; durable on return.
   * `STORAGE_FULL` and `LSN_EXHAUSTED` where no room is left for it. Throws `busy` while a frame is frozen.
   */
  writeSnapshotMarkerSync(lsnLo: number, lsnHi: number, digest: Uint8Array): Status {
    if (digest.length !== MARKER_DIGEST_BYTES) throw new RangeError('a digest has 16 bytes');
    if ((lsnLo | lsnHi) === 0) throw new RangeError('a snapshot marker needs an lsn');
    return this.writer.writeMarkerSync({lsn: toBigint(lsnLo, lsnHi), digest: digest.slice()});
  }

  /** Proves the last frame, so that damage to it is never taken for a torn write. Call when idle; not synced. */
  markIdle(): boolean {
    this.writer.assertUsable();
    return this.writer.prove(FRAME_KIND.IDLE);
  }

  /** One bounded step of preparing the next segment, for drivers without background work. */
  prepareStep(maxBytes: number): 'ready' | 'more' | 'full' {
    this.writer.assertIdle();
    return this.spares.readyCount > 0 ? 'ready' : this.writer.guard(() => this.spares.fillStep(maxBytes));
  }

  /**
   * Removes whole segments that hold only lsns below this one, never the active one, at most `limit`; durable on
   * return. Returns how many. Each takes a sync of the directory.
   */
  truncateBefore(lsn: bigint, limit: number = Number.POSITIVE_INFINITY): number {
    this.writer.assertUsable();
    return this.writer.guard(() => this.writer.segments.truncateBefore(lsn, limit));
  }

  /** `closeSync` after the frame in flight; however it ends, no call on a file is under way when the promise settles. */
  async close(): Promise<void> {
    await this.#pump.drained();
    try {
      this.closeSync();
    } finally {
      await this.spares.settled();
    }
  }

  /**
   * Commits what is appended, seals the log, marks it as cleanly closed and gives the lock back; idempotent. Throws
   * `busy` while a frame is in flight, and `failed` when the last commit fails. A failed log is only given back.
   */
  closeSync(): void {
    if (this.#closed) return;
    try {
      if (this.failure === null) {
        this.commitSync();
        this.writer.prove(FRAME_KIND.SEAL);
        this.#leaveCleanFile();
      }
    } catch (error) {
      if (this.writer.inFlight) throw error;
      this.abandon();
      throw error;
    }
    this.abandon();
  }

  /**
   * Gives files and lock back and writes nothing: what was not committed is lost. Idempotent. Throws `busy` while a frame
   * is in flight, since its file must not be closed under it.
   */
  abandon(): void {
    if (this.#closed) return;
    if (this.writer.inFlight) throw new WalError('busy', 'a frame is being written');
    this.#closed = true;
    this.#pump.stop();
    this.writer.end();
    this.writer.segments.release();
    this.spares.release();
    this.#lock?.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A full disk costs the clean file only; the seal says the same. */
  #leaveCleanFile(): void {
    const {io, dir} = this.options;
    const clean = {uuid: this.writer.segments.uuid, lastLsn: this.durableLsn};
    try {
      writeCleanFile(io, dir, clean);
    } catch (error) {
      if (!isDiskFull(error)) throw ioError('marking the log as closed', error);
    }
  }
}
