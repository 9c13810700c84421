/**
 * A state carried from one configuration into another: read as the canonical records of a snapshot, loaded into an empty
 * state machine of the other configuration, through the checks that a snapshot from a file goes through. Indexes, wheel
 * and rows come out as the new capacities have them; the records, and so the digest, stay as they are.
 */
import {type AllocDb, SNAPSHOT_ORDER, SnapshotLoader, SnapshotReader} from '@allocdb/core';
import {blockWords} from '../storage/snapshot_format.ts';
import type {Progress, Steps} from '../storage/steps.ts';

/** Fills `to`, freshly constructed, with the state of `from`. Returns null, or why it does not fit. */
export function* carryOverSteps(from: AllocDb, to: AllocDb, progress: Progress): Steps<string | null> {
  const reader = new SnapshotReader(from);
  try {
    const {resources, reservations, operations} = reader.counts;
    progress.begin('copy', 'records', resources + reservations + operations);
    const loader = new SnapshotLoader(to, reader.position);
    const words = new Int32Array(blockWords(reader.recordWordsMax));
    for (const section of SNAPSHOT_ORDER) {
      for (let count = reader.read(section, words); count > 0; count = reader.read(section, words)) {
        const problem = loader.add(section, words, count, reader.records);
        if (problem !== null) return problem;
        progress.add(reader.records);
        yield;
      }
    }
    return loader.finish() ?? differenceOf(reader, loader);
  } finally {
    reader.end();
  }
}

function differenceOf(reader: SnapshotReader, loader: SnapshotLoader): string | null {
  const isSame = loader.digest.lanes.every((lane, i) => lane === reader.digest.lanes[i]);
  return isSame ? null : 'its records do not give its digest';
}
