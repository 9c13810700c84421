// One process of the simulated machine: files, clock and engine, and how it comes up.
//
// Opening is retried as a supervisor would: where a call failed because the schedule said so, the fault is cleared first;
// where the process died while opening, the next one begins with what that has left. A directory that is refused although
// no call failed is a violation: nothing that the simulated disk does damages what was proven.
import {type DatabaseConfig, isOpenError, SingleNodeEngine, type SlotPolicy, TRUST_REQUEST_SLOTS} from '@allocdb/node';
import type {SimDisk} from '@allocdb/wal/testing';
import type {ModelConfig} from '../model/config.ts';
import type {Armed} from './faults.ts';
import type {RunState} from './run_state.ts';
import type {Settings} from './schedule.ts';
import {SimScheduler} from './sim_scheduler.ts';
import {Violation} from './violation.ts';
import {WatchedIo} from './watched_io.ts';

export const DIR = '/data';
const SNAPSHOT_DIR: string = `${DIR}/snapshots`;
/** How far ahead of the clock a stated slot may run, where it is bounded. */
const SLOT_ADVANCE = 5n;

export interface SimProcess {
  readonly io: WatchedIo;
  readonly scheduler: SimScheduler;
  readonly engine: SingleNodeEngine;
  /** Lsn that opening recovered through. */
  readonly recoveredLsn: bigint;
  readonly hasSnapshot: boolean;
  readonly snapshotLsn: bigint;
  /** The slot that counts for a stated one, by the clock as it was when the turn began. */
  readonly stated: (slot: bigint) => bigint;
}

export function databaseConfig(config: ModelConfig): DatabaseConfig {
  const {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick, ...core} = config;
  return {core, engine: {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick}};
}

/** The process, or the files of one that died or failed while opening. */
export function openOnce(run: RunState, disk: SimDisk, armed: Armed): SimProcess | WatchedIo {
  const {config, settings} = run.schedule;
  const io = new WatchedIo(disk, armed);
  const scheduler = new SimScheduler(disk);
  const slots = newSlots(run, settings);
  scheduler.onTurn = slots.look;
  const snapshots = snapshotsOf(disk);
  let engine: SingleNodeEngine;
  try {
    engine = SingleNodeEngine.open({
      dir: DIR,
      io,
      scheduler,
      // A directory that is there must not need to be told what it is.
      config: isCreated(disk) && run.counts.openings % 2 === 1 ? null : databaseConfig(config),
      slots: db => slots.policy(db.hasSlot ? u64(db.lastSlotLo, db.lastSlotHi) : 0n),
      commitMode: settings.commitMode,
      segmentBytes: settings.segmentBytes,
      maxFrameBytes: settings.maxFrameBytes,
      idleMarkerMs: settings.idleMarkerMs,
      checkpoint: {
        everyLogBytes: settings.everyLogBytes,
        bytesPerSecond: settings.bytesPerSecond,
        retainLogBytes: settings.retainLogBytes,
      },
    });
  } catch (error) {
    if (io.isDead) return io;
    if (isOpenError(error) && error.code === 'io' && io.causeOf(error) !== null) return io;
    throw new Violation('open', error instanceof Error ? error.message : String(error), error);
  }
  io.life = 'running';
  const {db} = engine;
  const [newest] = snapshots.filter(lsn => !run.rotten.has(lsn));
  const recoveredLsn = u64(db.lastLsnLo, db.lastLsnHi);
  const found = {recoveredLsn, hasSnapshot: newest !== undefined, snapshotLsn: newest ?? 0n};
  io.publishedLsn = newest === undefined || newest === 0n ? null : newest;
  io.watch.startAt(recoveredLsn);
  io.isLogOver = () => engine.directory.wal.failure !== null || engine.haltCause !== null;
  return {io, scheduler, engine, ...found, stated: slots.stated};
}

export function u64(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

function isCreated(disk: SimDisk): boolean {
  try {
    return disk.list(DIR).includes('CONFIG');
  } catch {
    return false;
  }
}

export function snapshotPath(lsn: bigint): string {
  return `${SNAPSHOT_DIR}/snapshot-${String(lsn).padStart(20, '0')}.snap`;
}

/** Lsns of the snapshots that lie there under their final names, newest first. */
export function snapshotsOf(disk: SimDisk): bigint[] {
  try {
    const lsns = disk.list(SNAPSHOT_DIR).map(name => /^snapshot-(\d+)\.snap$/.exec(name)?.[1]);
    return lsns
      .filter(lsn => lsn !== undefined)
      .map(BigInt)
      .sort((a, b) => (a < b ? 1 : -1));
  } catch {
    return [];
  }
}

interface Slots {
  readonly policy: (lastSlot: bigint) => SlotPolicy;
  /** A turn begins. */
  readonly look: () => void;
  readonly stated: (slot: bigint) => bigint;
}

function newSlots({draw}: RunState, {slots}: Settings): Slots {
  if (slots === 'trust') return {policy: () => TRUST_REQUEST_SLOTS, look: () => undefined, stated: slot => slot};
  // What the engine is told, and what it must know: an engine that does not ask must not move what is expected of it.
  let told = 0n;
  let present = 0n;
  const now = (): bigint => {
    if (draw.clock > told) told = draw.clock;
    return told;
  };
  const look = (): void => {
    if (draw.clock > present) present = draw.clock;
  };
  const policy = (lastSlot: bigint): SlotPolicy => {
    told = lastSlot;
    present = lastSlot;
    look();
    const isServer = slots === 'server';
    return {clock: {now}, maxSlotAdvance: isServer ? null : SLOT_ADVANCE, ignoreRequestSlots: isServer};
  };
  const stated = (slot: bigint): bigint => {
    if (slots === 'server') return present;
    return slot > present + SLOT_ADVANCE ? present + SLOT_ADVANCE : slot;
  };
  return {policy, look, stated};
}
