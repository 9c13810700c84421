/**
 * The states of all resources, a byte each, in the order of their creation: what a picture of a hundred thousand of them
 * needs, once a second, without a page of entries for every thousand. Copied in slices between which commands are applied,
 * so it is no one moment's state; what it shows is durable when it resolves.
 */
import {databaseError} from '@allocdb/api';
import {type AllocDb, bigintOfU64, copyStates} from '@allocdb/core';
import type {Scheduler} from '../clock.ts';

/** About a millisecond of cold memory. */
const ROWS_A_SLICE = 16_384;

/** What is asked of the engine. */
export interface StateMapHost {
  readonly db: AllocDb;
  readonly scheduler: Scheduler;
  /** Runs an action once everything through an lsn is durable; rejects when the engine halts. */
  whenDurable(lsn: bigint, action: () => void): Promise<void>;
}

/** A picture of the resources. */
export interface StateMap {
  /** Everything shown was so at this lsn or before it; null while nothing was ever committed. */
  readonly lsn: bigint | null;
  /** RESOURCE_STATE by row: position `i` of a scan is byte `i`. */
  readonly states: Uint8Array;
}

/**
 * Copies the states; resources that are created meanwhile may be missing. Rejects with AllocDbError `engine_halted`: what
 * was copied may then never have been.
 */
export async function readStateMap({db, scheduler, whenDurable}: StateMapHost): Promise<StateMap> {
  const states = new Uint8Array(db.resources.count);
  for (let row = 0; row < states.length; row += ROWS_A_SLICE) {
    if (row > 0) await new Promise<void>(resolve => scheduler.endOfTurn(resolve));
    copyStates(db, row, states.subarray(row, row + ROWS_A_SLICE));
  }
  const lsn = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  try {
    await whenDurable(lsn, () => undefined);
  } catch {
    throw databaseError({code: 'engine_halted'}, []);
  }
  return {lsn: lsn === 0n ? null : lsn, states};
}
