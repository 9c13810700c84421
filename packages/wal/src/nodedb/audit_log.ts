/**
 * The audit log: what was purged from history, and other entries, in a log of their own directory that is never truncated.
 *
 * Invariant: no purge runs before the entry that says so is durable, so every purge has one; an entry that could not be
 * written means that nothing was purged. After the purge a second entry says how much; a first one without a second is a
 * purge that failed, or was cut short by a crash, and may have been done in part.
 * There is no method that removes anything, and the log under it is not handed out.
 */

import type {RecordScope} from '../format/scope.ts';
import type {WalOptions} from '../log_options.ts';
import type {ReadOptions} from '../read/record_filter.ts';
import {appendTyped, whenRoom} from '../records/append_typed.ts';
import type {TypedRecord, TypedRecords} from '../records/record_registry.ts';
import type {RecordType} from '../records/record_type.ts';
import {Wal} from '../wal.ts';
import {type AuditNote, type AuditTypes, auditTypes, createAuditRegistry, type PurgeBegun} from './audit_types.ts';
import type {Owner} from './wal_manager.ts';

/** The first entry of a purge as it stands in the log. */
export type PurgeBegunEntry = TypedRecord<AuditTypes['PurgeBegun']>;

export class AuditLog {
  readonly #wal: Wal;

  private constructor(wal: Wal) {
    this.#wal = wal;
  }

  /** Opens or begins the audit log in a directory of its own; throws as `Wal.open` does. */
  static open(options: WalOptions): AuditLog {
    return new AuditLog(Wal.open(options));
  }

  /**
   * Writes that the purge begins, runs it, writes what it purged, and resolves to that count; both entries are durable then.
   * Rejects with what writing the first entry throws: `run` was not called. Rejects with what `run` throws: the purge is
   * among the `unfinished`. Rejects with what writing the second entry throws: the same, though the purge is done.
   */
  async purge(owner: Owner, purge: PurgeBegun, run: () => bigint | Promise<bigint>): Promise<bigint> {
    const stamp = await this.#write(auditTypes.PurgeBegun, purge, {scope: {...owner, vshard: 0}});
    const purgedCount = await run();
    await this.#write(auditTypes.TemporalPurge, {...purge, purgedCount}, {scope: {...owner, vshard: 0}, stamp});
    return purgedCount;
  }

  /** Writes any other entry; durable when it resolves to the entry's lsn. */
  note(entry: AuditNote): Promise<bigint> {
    return this.#write(auditTypes.AuditNote, entry, {});
  }

  /** The durable entries, oldest first. Leave the iteration or read to its end: it holds a file. */
  entries(options: Pick<ReadOptions, 'from' | 'to' | 'scope'> = {}): TypedRecords<AuditTypes[keyof AuditTypes]> {
    return createAuditRegistry().read(this.#wal.read(options));
  }

  /**
   * The purges that began and whose end is not written, oldest first, those under way among them. Run them again: a purge
   * of the same collection up to the same time or later, once done, ends those before it too.
   */
  unfinished(): PurgeBegunEntry[] {
    let begun: PurgeBegunEntry[] = [];
    for (const entry of this.entries()) {
      if (entry.type === 'PurgeBegun') begun.push(entry);
      else if (entry.type === 'TemporalPurge') begun = begun.filter(each => !endsWith(each, entry));
    }
    return begun;
  }

  /** Commits, seals and closes the log. */
  close(): Promise<void> {
    return this.#wal.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #write<T>(type: RecordType<T>, value: T, options: {scope?: RecordScope; stamp?: bigint}): Promise<bigint> {
    const lsn = await whenRoom(this.#wal, () => appendTyped(this.#wal, type, value, options));
    await this.#wal.commit();
    return lsn;
  }
}

function endsWith(begun: PurgeBegunEntry, done: TypedRecord<AuditTypes['TemporalPurge']>): boolean {
  const {scope, value} = begun;
  return (
    begun.lsn <= done.stamp &&
    value.engine === done.value.engine &&
    value.collection === done.value.collection &&
    value.cutoffMs <= done.value.cutoffMs &&
    scope?.tenant === done.scope?.tenant &&
    scope?.database === done.scope?.database
  );
}
