/**
 * What a snapshot file holds, sound or damaged: its header, how many records of each section are there and intact, the
 * digest that they give, and, on request, records of a section by name. Read-only; what is wrong is said, not thrown.
 *
 * Not here: whether the records agree with each other and with the log (storage/verify_directory.ts).
 */
import {bigintOfU128, hiOf, loOf, StateDigest} from '@allocdb/core';
import {type FileIo, nodeFileIo} from '@allocdb/wal';
import {openErrorOf} from '../storage/data_directory.ts';
import {TRAILER_SECTION} from '../storage/snapshot_format.ts';
import {digestOfTrailer, type SnapshotBlock, SnapshotBlocks, type SnapshotHeader} from './snapshot_blocks.ts';
import {
  decodeRecord,
  recordWords,
  SECTION_NAMES,
  SECTION_NUMBERS,
  type SectionName,
  type SnapshotRecord,
  sectionName,
} from './snapshot_records.ts';

/** What of a snapshot to show. */
export interface InspectSnapshotOptions {
  /** Records of this section; none unless given. */
  readonly section?: SectionName;
  /** Most records. Default 100. */
  readonly limit?: number;
  /** High half of reservation ids, which a snapshot does not hold. Default 0. */
  readonly shardId?: bigint;
  readonly io?: FileIo;
}

/** One section: what the header promises and what is there. */
export interface SectionInspection {
  readonly name: SectionName;
  /** By the header; null where it cannot be believed. */
  readonly expected: bigint | null;
  /** Records in intact blocks. */
  readonly found: bigint;
  readonly blocks: number;
  /** Blocks that fail their checksum, by what they say they are of. */
  readonly damagedBlocks: number;
}

/** What was found in a snapshot file. Sound if `problems` is empty. */
export interface SnapshotInspection {
  readonly bytes: number;
  readonly header: SnapshotHeader | null;
  readonly problems: readonly string[];
  readonly sections: readonly SectionInspection[];
  /** By the header, by the trailer, and summed over the records; null where it cannot be told. */
  readonly digest: {readonly header: bigint | null; readonly trailer: bigint | null; readonly records: bigint | null};
  readonly records: readonly SnapshotRecord[];
}

const RECORDS_SHOWN = 100;

/** Looks into a snapshot file. Throws OpenError `io` where it cannot be opened or read. */
export function inspectSnapshot(file: string, options: InspectSnapshotOptions = {}): SnapshotInspection {
  try {
    using blocks = new SnapshotBlocks(options.io ?? nodeFileIo, file);
    return new Inspection(blocks, options).run();
  } catch (error) {
    throw openErrorOf(error, file);
  }
}

class Inspection {
  private readonly file: SnapshotBlocks;
  private readonly options: InspectSnapshotOptions;
  private readonly problems: string[] = [];
  private readonly records: SnapshotRecord[] = [];
  private readonly counts: Record<SectionName, {found: bigint; blocks: number; damagedBlocks: number}> = {
    resources: {found: 0n, blocks: 0, damagedBlocks: 0},
    reservations: {found: 0n, blocks: 0, damagedBlocks: 0},
    operations: {found: 0n, blocks: 0, damagedBlocks: 0},
  };
  private readonly digest: StateDigest = new StateDigest();
  private trailer: bigint | null = null;

  constructor(file: SnapshotBlocks, options: InspectSnapshotOptions) {
    this.file = file;
    this.options = options;
  }

  run(): SnapshotInspection {
    const {file, problems} = this;
    const {header} = file;
    if (file.headerProblem !== null) problems.push(file.headerProblem);
    for (const block of file.blocks()) this.take(block);
    if (file.endProblem !== null) problems.push(file.endProblem);
    const sections = SECTION_NAMES.map(name => ({name, expected: header?.[name] ?? null, ...this.counts[name]}));
    for (const {name, expected, found} of sections) {
      if (expected !== null && found !== expected) {
        problems.push(`${found} intact records of ${name}, the header counts ${expected}`);
      }
    }
    const records = header !== null && problems.length === 0 ? this.summed(header) : null;
    const digest = {header: header?.digest ?? null, trailer: this.trailer, records};
    for (const each of [this.trailer, records]) {
      if (header === null || each === null || each === header.digest) continue;
      problems.push(`${each === records ? 'its records give' : 'its trailer has'} another digest than its header`);
    }
    return {bytes: file.size, header, problems, sections, digest, records: this.records};
  }

  private take(block: SnapshotBlock): void {
    const {offset, section} = block;
    const name = sectionName(section);
    if (!block.isIntact) {
      this.problems.push(`the block at ${offset} fails its checksum`);
      if (name !== null) this.counts[name].damagedBlocks++;
    } else if (section === TRAILER_SECTION) this.trailer = digestOfTrailer(block);
    else if (name === null) this.problems.push(`the block at ${offset} is of an unknown section, ${section}`);
    else this.takeRecords(block, name);
  }

  private takeRecords({offset, words, records}: SnapshotBlock, name: SectionName): void {
    const {section, limit = RECORDS_SHOWN, shardId = 0n} = this.options;
    const count = this.counts[name];
    count.blocks++;
    let at = 0;
    for (let i = 0; i < records; i++) {
      const length = recordWords(name, words, at);
      if (length === 0) break;
      this.digest.add(SECTION_NUMBERS[name], words, at, length);
      if (name === section && this.records.length < limit) this.records.push(decodeRecord(name, words, at, shardId));
      count.found++;
      at += length;
    }
    if (at !== words.length) this.problems.push(`the records of the block at ${offset} do not fill it`);
  }

  /** The digest of the records and the position. */
  private summed({lsn, slot, retiredWatermark}: SnapshotHeader): bigint {
    this.digest.addPosition({
      lsnLo: loOf(lsn),
      lsnHi: hiOf(lsn),
      slotLo: loOf(slot),
      slotHi: hiOf(slot),
      watermarkLo: loOf(retiredWatermark),
      watermarkHi: hiOf(retiredWatermark),
    });
    return bigintOfU128(this.digest.lanes, 0);
  }
}
