/**
 * The log of a multi-model store: one append for each type of record, with the scope that it belongs to.
 *
 * Appends are synchronous, encode into the open frame and return the lsn; nothing is durable before `commit`. A full frame
 * throws `frame_full` as in `Wal`; `whenRoom` commits and goes on instead. Reading back is in `replay.ts`.
 */

import type {RecordScope} from '../format/scope.ts';
import type {WalOptions} from '../log_options.ts';
import {appendTyped, whenRoom} from '../records/append_typed.ts';
import type {RecordType} from '../records/record_type.ts';
import {Wal} from '../wal.ts';
import type {CalvinApplied, LsnMsAnchor, TemporalPurge} from './control_types.ts';
import {nodedbTypes} from './record_types.ts';
import {type ReplayHandlers, type ReplayOptions, type ReplayReport, replay} from './replay.ts';
import type {TransactionMember} from './transaction.ts';

/** Whose a collection is. */
export type Owner = Pick<RecordScope, 'tenant' | 'database'>;

/**
 * Every append throws `too_large` (`RecordError`) or `RangeError` for a value that its type cannot store, and what
 * `Wal.appendRecord` throws; a refused append takes no lsn.
 */
export class WalManager {
  readonly wal: Wal;

  constructor(wal: Wal) {
    this.wal = wal;
  }

  /** Opens or begins the log; throws as `Wal.open` does. */
  static open(options: WalOptions): WalManager {
    return new WalManager(Wal.open(options));
  }

  appendPut(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.Put, payload, scope);
  }

  appendDelete(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.Delete, payload, scope);
  }

  appendVectorPut(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.VectorPut, payload, scope);
  }

  appendVectorDelete(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.VectorDelete, payload, scope);
  }

  appendVectorParams(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.VectorParams, payload, scope);
  }

  appendCrdtDelta(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.CrdtDelta, payload, scope);
  }

  appendTimeseriesBatch(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.TimeseriesBatch, payload, scope);
  }

  appendLogBatch(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.LogBatch, payload, scope);
  }

  appendArrayPut(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.ArrayPut, payload, scope);
  }

  appendArrayDelete(scope: RecordScope, payload: Uint8Array): bigint {
    return this.#append(nodedbTypes.ArrayDelete, payload, scope);
  }

  /** One record: after any crash all members are there, or none. They share its scope and its lsn. */
  appendTransaction(scope: RecordScope, members: readonly TransactionMember[]): bigint {
    return this.#append(nodedbTypes.Transaction, members, scope);
  }

  /** Of the node, so without a scope. `SurrogateAllocator` appends these; two writers of them would give out ids twice. */
  appendSurrogateAlloc(hi: number): bigint {
    return this.#append(nodedbTypes.SurrogateAlloc, {hi});
  }

  /** Of the node, so without a scope. */
  appendSurrogateBind(surrogate: number, collection: string, key: Uint8Array): bigint {
    return this.#append(nodedbTypes.SurrogateBind, {surrogate, collection, key});
  }

  appendCheckpoint(scope: RecordScope, lsn: bigint): bigint {
    return this.#append(nodedbTypes.Checkpoint, {lsn}, scope);
  }

  /** From the next replay on, writes to this collection with an lsn below `purgeLsn` are dropped. */
  appendCollectionTombstone(owner: Owner, collection: string, purgeLsn: bigint): bigint {
    return this.#append(nodedbTypes.CollectionTombstoned, {collection, purgeLsn}, ownerScope(owner));
  }

  /** Of the node, so without a scope. */
  appendLsnMsAnchor(anchor: LsnMsAnchor): bigint {
    return this.#append(nodedbTypes.LsnMsAnchor, anchor);
  }

  /** A note beside the data. The record that a purge must not go without is `AuditLog.purge`. */
  appendTemporalPurge(owner: Owner, purge: TemporalPurge): bigint {
    return this.#append(nodedbTypes.TemporalPurge, purge, ownerScope(owner));
  }

  /** The vshard stands in the scope too, so that its records can be read alone. */
  appendCalvinApplied(applied: CalvinApplied): bigint {
    return this.#append(nodedbTypes.CalvinApplied, applied, {tenant: 0n, database: 0n, vshard: applied.vshard});
  }

  /** Everything appended so far is durable when this resolves; those who commit in one turn share a sync. */
  commit(): Promise<void> {
    return this.wal.commit();
  }

  /**
   * `const lsn = await manager.whenRoom(() => manager.appendPut(scope, document))`: runs one append, committing first
   * where the open frame is full. When it resolves the record is appended and, like any other, not yet durable.
   */
  whenRoom<T>(append: () => T): Promise<T> {
    return whenRoom(this.wal, append);
  }

  /** Hands the durable records to the handlers; see `replay`. */
  replay(handlers: ReplayHandlers, options: ReplayOptions): ReplayReport {
    return replay(this.wal, handlers, options);
  }

  /** Commits, seals and closes the log. */
  close(): Promise<void> {
    return this.wal.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #append<T>(type: RecordType<T>, value: T, scope?: RecordScope): bigint {
    return appendTyped(this.wal, type, value, scope === undefined ? {} : {scope});
  }
}

function ownerScope({tenant, database}: Owner): RecordScope {
  return {tenant, database, vshard: 0};
}
