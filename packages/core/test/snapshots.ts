/**
 * Snapshots in memory, for tests: read in slices of a chosen size, and loaded again with blocks of the same slices, the
 * way a file of them would be.
 */
import {
  type AllocDb,
  bigintOfU128,
  SNAPSHOT_ORDER,
  SnapshotLoader,
  type SnapshotPosition,
  SnapshotReader,
} from '../src/index.ts';

export interface Block {
  section: number;
  words: Int32Array;
  records: number;
}

export interface Snapshot {
  position: SnapshotPosition;
  blocks: Block[];
  digest: bigint;
}

/** One read of a section into room for `room` words, copied out; null at the section's end. */
export function readBlock(reader: SnapshotReader, section: number, room: number): Block | null {
  const out = new Int32Array(room);
  const words = reader.read(section, out);
  return words === 0 ? null : {section, words: out.slice(0, words), records: reader.records};
}

/** The whole state at once, in blocks of at most `room` words. */
export function takeSnapshot(db: AllocDb, room?: number): Snapshot {
  const reader = new SnapshotReader(db);
  const blocks: Block[] = [];
  for (const section of SNAPSHOT_ORDER) {
    for (;;) {
      const block = readBlock(reader, section, room ?? reader.recordWordsMax);
      if (block === null) break;
      blocks.push(block);
    }
  }
  reader.end();
  return {position: reader.position, blocks, digest: bigintOfU128(reader.digest.lanes, 0)};
}

/** Loads into `db`, which must be fresh. Returns what the loader says, and the sum over the records it was given. */
export function loadInto(db: AllocDb, snapshot: Snapshot): {problem: string | null; digest: bigint} {
  const loader = new SnapshotLoader(db, snapshot.position);
  let problem: string | null = null;
  for (const {section, words, records} of snapshot.blocks) {
    problem ??= loader.add(section, words, words.length, records);
  }
  problem ??= loader.finish();
  return {problem, digest: bigintOfU128(loader.digest.lanes, 0)};
}

/** All words of a section, whatever the blocks were. */
export function sectionWords(blocks: readonly Block[], section: number): number[] {
  return blocks.filter(block => block.section === section).flatMap(block => [...block.words]);
}
