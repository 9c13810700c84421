/**
 * Which records a reader wants: by lsn, by type, by scope. Decided on the bytes, so that what is not wanted costs nothing.
 */

import {type RecordScope, readScope} from '../format/scope.ts';
import {U64_MAX} from '../format/words.ts';

/** What to read. Frames are verified whether or not anything in them is wanted. */
export interface ReadOptions {
  /** First lsn. Default: the first of the log. */
  readonly from?: bigint;
  /** Last lsn. Default: as far as the log goes. */
  readonly to?: bigint;
  /** Only records of these types. Default: all. */
  readonly types?: Iterable<number>;
  /** Only records with a scope that agrees in every field given here. Default: all, those without a scope too. */
  readonly scope?: Partial<RecordScope>;
}

export class RecordFilter {
  readonly to: bigint;
  readonly #types: ReadonlySet<number> | null;
  readonly #scope: Partial<RecordScope> | null;

  constructor(options: ReadOptions) {
    this.to = options.to ?? U64_MAX;
    this.#types = options.types === undefined ? null : new Set(options.types);
    this.#scope = options.scope ?? null;
  }

  /** Whether a record of this type, whose scope begins at `scopeOffset` or which has none (-1), is wanted. */
  takes(type: number, view: DataView, scopeOffset: number): boolean {
    if (this.#types !== null && !this.#types.has(type)) return false;
    return this.#scope === null || (scopeOffset >= 0 && this.#scopeAgrees(this.#scope, view, scopeOffset));
  }

  #scopeAgrees(wanted: Partial<RecordScope>, view: DataView, offset: number): boolean {
    const {tenant, database, vshard} = wanted;
    if (tenant === undefined && database === undefined && vshard === undefined) return true;
    const scope = readScope(view, offset);
    return (
      (tenant === undefined || tenant === scope.tenant) &&
      (database === undefined || database === scope.database) &&
      (vshard === undefined || vshard === scope.vshard)
    );
  }
}
