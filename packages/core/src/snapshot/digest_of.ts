/**
 * The digest of a whole state at once: for tests, verification and comparisons between replicas. It walks everything; a
 * checkpoint gets its digest on the way instead.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {bigintOfU128} from '../words.ts';
import {SNAPSHOT_ORDER} from './record_codec.ts';
import {SnapshotReader} from './snapshot_reader.ts';

/** The digest as a u128. No snapshot may be under way. */
export function digestOf(db: AllocDb): bigint {
  const reader = new SnapshotReader(db);
  const room = new Int32Array(Math.max(reader.recordWordsMax, 4096));
  for (const section of SNAPSHOT_ORDER) {
    while (reader.read(section, room) > 0);
  }
  reader.end();
  return bigintOfU128(reader.digest.lanes, 0);
}
