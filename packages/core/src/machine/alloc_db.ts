/**
 * The state machine: owns the tables, the clock of slots and the position in the log, and applies one command at a time.
 *
 * A caller decodes a command into `command` (see `decodeClient`), asks `findRetry` whether it is a repeat, checks slot
 * arithmetic with `overflowOf`, and, once the command has its place in the log, calls `applyClient`. Replay does the same
 * from the log's bytes, so that the same history gives the same state bit by bit. Answers are never made up elsewhere.
 *
 * Not here: what a command does (one file each beside this one), durability, the queue, reads (view.ts).
 */
import {assert} from '../assert.ts';
import {decodeClientCommand, decodeInternalCommand} from '../codec/command_decoder.ts';
import {CommandRegisters, type DecodeStatus} from '../command.ts';
import {type CoreConfig, operationWindowOf, validateCoreConfig} from '../config.ts';
import {KeyHash} from '../hash.ts';
import type {Outcome} from '../outcome.ts';
import {RESULT} from '../result.ts';
import type {SnapshotReader} from '../snapshot/snapshot_reader.ts';
import {SWEPT_MAX} from '../table/key_index.ts';
import {OperationTable} from '../table/operation_table.ts';
import {ReservationTable} from '../table/reservation_table.ts';
import {ResourceTable} from '../table/resource_table.ts';
import {RetireQueue} from '../table/retire_queue.ts';
import {TimingWheel} from '../table/timing_wheel.ts';
import {hiOf, loOf, ltU64} from '../words.ts';
import {runCommand} from './dispatch.ts';
import {expire} from './expire.ts';
import {Lookahead} from './lookahead.ts';
import {RetryCache} from './retry_cache.ts';

const {OPERATION_TABLE_FULL} = RESULT;

/** After so many commands, up to SWEPT_MAX rows of each table are removed for good: more than were added meanwhile. */
const SWEEP_EVERY = 32;

/** Lanes of a u64 of the configuration. */
export interface Lanes {
  readonly lo: number;
  readonly hi: number;
}

function lanesOf(value: bigint): Lanes {
  return {lo: loOf(value), hi: hiOf(value)};
}

export class AllocDb {
  readonly config: CoreConfig;
  readonly resources: ResourceTable;
  readonly reservations: ReservationTable;
  readonly operations: OperationTable;
  readonly wheel: TimingWheel;
  readonly retireQueue: RetireQueue;
  readonly shard: Lanes;
  readonly maxTtl: Lanes;
  readonly historyWindow: Lanes;
  readonly operationWindow: Lanes;
  /** The decoded command; filled by the decode functions, read by apply. */
  readonly command: CommandRegisters = new CommandRegisters();
  /** Resource rows of the bundle at hand. */
  readonly memberRows: Int32Array;
  /** Scratch of slot sums, two words. */
  readonly sum: Int32Array = new Int32Array(2);
  /** Lsn and slot of the command that is being applied. */
  lsnLo: number = 0;
  lsnHi: number = 0;
  slotLo: number = 0;
  slotHi: number = 0;
  /** Lsn of the last applied command; 0 while there is none. */
  lastLsnLo: number = 0;
  lastLsnHi: number = 0;
  /** Slot of the last applied command; 0 while there is none. */
  lastSlotLo: number = 0;
  lastSlotHi: number = 0;
  /** True once a snapshot or a command has set the slot. */
  hasSlot: boolean = false;
  /** The snapshot that is being read, if any; see snapshot_reader.ts for what commands owe it. */
  snapshot: SnapshotReader | null = null;
  /** Reads ahead for commands that come together; to use it or not changes nothing but time. */
  readonly lookahead: Lookahead;
  private readonly retryCache: RetryCache;
  private readonly sweptRows: Int32Array = new Int32Array(SWEPT_MAX);
  /** Commands since rows were removed. */
  private unswept: number = 0;

  /** `hashSeed` is eight random words, the same for the life of the data; the configuration must be valid. */
  constructor(config: CoreConfig, hashSeed: Int32Array) {
    assert(validateCoreConfig(config).length === 0, 'configuration was validated');
    const hash = new KeyHash(hashSeed);
    this.config = config;
    this.resources = new ResourceTable(config.maxResources, hash);
    this.reservations = new ReservationTable(config.maxReservations, config.maxBundleSize);
    this.operations = new OperationTable(config.maxOperations, hash);
    this.wheel = new TimingWheel(Number(config.maxTtlSlots) + 1, config.maxExpirationBucketLen, this.reservations);
    this.retireQueue = new RetireQueue(this.reservations);
    this.memberRows = new Int32Array(config.maxBundleSize).fill(0);
    this.shard = lanesOf(config.shardId);
    this.maxTtl = lanesOf(config.maxTtlSlots);
    this.historyWindow = lanesOf(config.reservationHistoryWindowSlots);
    this.operationWindow = lanesOf(operationWindowOf(config));
    this.lookahead = new Lookahead(this);
    this.retryCache = new RetryCache(this);
  }

  /** True while no command was applied and no snapshot loaded. */
  get isEmpty(): boolean {
    return this.lastLsnLo === 0 && this.lastLsnHi === 0;
  }

  /** Reservations that count against the capacity: live ones, and terminal ones that are not retired. */
  get reservationsUsed(): number {
    return this.reservations.stored - this.retireQueue.unswept;
  }

  /** Decodes a client payload into `command`. */
  decodeClient(view: DataView, offset: number, length: number): DecodeStatus {
    return decodeClientCommand(view, offset, length, this.command);
  }

  /** Decodes an internal payload into `command`. */
  decodeInternal(view: DataView, offset: number, length: number): DecodeStatus {
    return decodeInternalCommand(view, offset, length, this.command);
  }

  /**
   * Looks the decoded command's operation up as of a slot (at least the last applied one). When it is remembered, fills
   * `out` with the first answer, or with operation_conflict if the command differs, and returns true.
   */
  findRetry(slotLo: number, slotHi: number, out: Outcome): boolean {
    return this.retryCache.find(this.command, slotLo, slotHi, out);
  }

  /**
   * Applies the decoded client command at its place in the log. The caller has decoded it and found no overflow; lsn
   * exceeds the last one and slot is not below the last one.
   */
  applyClient(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number, out: Outcome): void {
    if (this.findRetry(slotLo, slotHi, out)) {
      this.advance(lsnLo, lsnHi, slotLo, slotHi);
      this.sweep();
      return;
    }
    this.applyFresh(lsnLo, lsnHi, slotLo, slotHi, out);
  }

  /**
   * {@link applyClient} for a command of which `findRetry` has just said, at this slot, that it is not remembered: the
   * engine has asked before it logged the command, and the lookup need not be done twice.
   */
  applyFresh(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number, out: Outcome): void {
    this.advance(lsnLo, lsnHi, slotLo, slotHi);
    out.appliedLsnLo = lsnLo;
    out.appliedLsnHi = lsnHi;
    out.fromRetryCache = false;
    out.granted = false;
    if (this.operations.used >= this.operations.capacity) out.code = OPERATION_TABLE_FULL;
    else {
      out.code = runCommand(this, out);
      this.retryCache.remember(out, this.slotLo, this.slotHi);
    }
    this.sweep();
  }

  /** Applies the decoded internal command (expire) at its place in the log. */
  applyInternal(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number, out: Outcome): void {
    this.advance(lsnLo, lsnHi, slotLo, slotHi);
    out.appliedLsnLo = lsnLo;
    out.appliedLsnHi = lsnHi;
    out.fromRetryCache = false;
    out.granted = false;
    out.code = expire(this);
    this.sweep();
  }

  /** Starts from an otherwise empty state at the given position; used when a snapshot is loaded. */
  restorePosition(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number): void {
    this.lastLsnLo = lsnLo;
    this.lastLsnHi = lsnHi;
    this.lastSlotLo = slotLo;
    this.lastSlotHi = slotHi;
    this.hasSlot = lsnLo !== 0 || lsnHi !== 0;
  }

  private advance(lsnLo: number, lsnHi: number, slotLo: number, slotHi: number): void {
    assert(ltU64(this.lastLsnLo, this.lastLsnHi, lsnLo, lsnHi), 'lsn rises');
    assert(!ltU64(slotLo, slotHi, this.lastSlotLo, this.lastSlotHi), 'slot does not fall');
    this.lsnLo = this.lastLsnLo = lsnLo;
    this.lsnHi = this.lastLsnHi = lsnHi;
    this.slotLo = slotLo;
    this.slotHi = slotHi;
    if (slotLo !== this.lastSlotLo || slotHi !== this.lastSlotHi) {
      this.retireQueue.retireBefore(slotLo, slotHi);
      this.operations.retireBefore(slotLo, slotHi);
    }
    this.lastSlotLo = slotLo;
    this.lastSlotHi = slotHi;
    this.hasSlot = true;
  }

  /** Last in every command: until then the place that `findRetry` found in the operations' index must stay. */
  private sweep(): void {
    if (++this.unswept < SWEEP_EVERY) return;
    this.unswept = 0;
    this.operations.sweep(SWEPT_MAX);
    this.sweepReservations(SWEPT_MAX);
  }

  /** Frees the rows of up to `limit` retired reservations, 64 at most. */
  sweepReservations(limit: number): void {
    const {sweptRows, reservations, snapshot} = this;
    const count = this.retireQueue.takeRetired(sweptRows, Math.min(limit, sweptRows.length));
    if (count > 1) reservations.touch(sweptRows, count);
    for (let i = 0; i < count; i++) {
      if (snapshot !== null) snapshot.saveReservation(sweptRows[i]);
      reservations.remove(sweptRows[i]);
    }
  }
}
