/**
 * What a log directory holds, piece by piece, for people and tools that look into it: segments, frames, records, and
 * where it stops being a log.
 *
 * Changes nothing and never throws for what it finds: damage is the last entry. Memory is bounded by one frame.
 */

import {isWalError, type WalError} from '../errors.ts';
import {FRAME_HEADER_BYTES, FRAME_KIND} from '../format/format.ts';
import {decodeMarker, firstLsnOf, type SegmentInfo, type SnapshotMarker} from '../format/segment_header.ts';
import {Lanes, toBigint} from '../format/words.ts';
import {nodeFileIo} from '../fs/node_file_io.ts';
import {READ_FRAME_BYTES} from '../log_options.ts';
import {scanLog} from '../recovery/log_scan.ts';
import {listSegments} from '../recovery/segment_list.ts';
import type {FrameWalker} from './frame_walker.ts';
import {LogWalker} from './log_walker.ts';
import {type LogRecord, RecordView} from './record_view.ts';
import type {ReadWalOptions} from './wal_reader.ts';

export interface DumpOptions extends Pick<ReadWalOptions, 'dir' | 'io' | 'maxReadFrameBytes'> {
  /** The records of each data frame too. Default false. */
  readonly records?: boolean;
}

export type FrameKindName = 'data' | 'idle' | 'seal' | 'snapshot';

export const KIND_NAMES: ReadonlyMap<number, FrameKindName> = new Map([
  [FRAME_KIND.DATA, 'data'],
  [FRAME_KIND.IDLE, 'idle'],
  [FRAME_KIND.SEAL, 'seal'],
  [FRAME_KIND.SNAPSHOT, 'snapshot'],
]);

/**
 * - `segment`: begins; `marker` is the last snapshot marker before it
 * - `frame`: `lsn` is its first record's, for a control frame the last one before it; `bytes` with padding
 * - `record`: of the data frame before
 * - `skipped`: bytes between two frames that are no frame; only control frames can be missing there
 * - `end`: the log ends here; `dirtyBytes` behind it are an unfinished write that opening would cut off
 * - `damage`: what opening would refuse it for
 */
export type DumpEntry =
  | {
      readonly kind: 'segment';
      readonly name: string;
      readonly ordinal: bigint;
      readonly firstLsn: bigint;
      readonly bytes: number;
      readonly blockBytes: number;
      readonly isRecycled: boolean;
      readonly marker: SnapshotMarker | null;
    }
  | {
      readonly kind: 'frame';
      readonly segment: string;
      readonly offset: number;
      readonly bytes: number;
      readonly frame: FrameKindName;
      readonly lsn: bigint;
      readonly records: number;
      readonly syncedLsn: bigint;
      readonly marker: SnapshotMarker | null;
    }
  | {readonly kind: 'record'; readonly record: LogRecord}
  | {readonly kind: 'skipped'; readonly segment: string; readonly offset: number; readonly bytes: number}
  | {readonly kind: 'end'; readonly segment: string; readonly offset: number; readonly dirtyBytes: number}
  | {readonly kind: 'damage'; readonly error: WalError};

/** Everything in a directory, in order; ends with `end` or `damage`. An empty directory yields nothing. */
export function* dumpWal(options: DumpOptions): Generator<DumpEntry, void> {
  try {
    yield* dump(options);
  } catch (error) {
    if (!isWalError(error)) throw error;
    yield {kind: 'damage', error};
  }
}

function* dump({
  dir,
  io = nodeFileIo,
  maxReadFrameBytes = READ_FRAME_BYTES,
  records,
}: DumpOptions): Generator<DumpEntry> {
  const {segments} = listSegments(io, dir);
  const last = segments.at(-1);
  if (last === undefined) return;
  const walker = new LogWalker({io, dir, maxReadFrameBytes}, {segments, lastLimit: last.sizeBytes}, 0);
  const {frames} = walker;
  let segment: SegmentInfo | null = null;
  let skippedBytes = 0;
  try {
    while (walker.step()) {
      while (segment !== frames.segment) {
        segment = segments[segment === null ? 0 : segments.indexOf(segment) + 1] as SegmentInfo;
        yield segmentEntry(segment);
      }
      if (frames.skippedBytes > skippedBytes) {
        const bytes = frames.skippedBytes - skippedBytes;
        yield {kind: 'skipped', segment: segment.name, offset: frames.frameOffset - bytes, bytes};
        skippedBytes = frames.skippedBytes;
      }
      yield frameEntry(frames);
      if (records === true && frames.head.kind === FRAME_KIND.DATA) yield* recordEntries(frames);
    }
    if (segment === null) yield segmentEntry(last);
    // What only the whole directory can tell: the clean file, and a last segment without content.
    scanLog({io, dir, maxReadFrameBytes, floor: 0n, firstLsn: 1n, verify: 'tail'});
    const dirtyBytes = frames.dirtyEnd - frames.position;
    yield {kind: 'end', segment: frames.segment.name, offset: frames.position, dirtyBytes};
  } finally {
    walker.close();
  }
}

function segmentEntry(segment: SegmentInfo): DumpEntry {
  const {name, ordinal, sizeBytes, blockBytes, isRecycled, marker} = segment;
  return {
    kind: 'segment',
    name,
    ordinal,
    firstLsn: firstLsnOf(segment),
    bytes: sizeBytes,
    blockBytes,
    isRecycled,
    marker,
  };
}

function frameEntry({segment, frameOffset, frameBytes, frameIndex, head, window}: FrameWalker): DumpEntry {
  const isMarker = head.kind === FRAME_KIND.SNAPSHOT;
  return {
    kind: 'frame',
    segment: segment.name,
    offset: frameOffset,
    bytes: frameBytes,
    frame: KIND_NAMES.get(head.kind) as FrameKindName,
    lsn: toBigint(head.lsnLo, head.lsnHi),
    records: head.records,
    syncedLsn: toBigint(head.syncedLo, head.syncedHi),
    marker: isMarker ? decodeMarker(window.bytes, frameIndex + FRAME_HEADER_BYTES) : null,
  };
}

function* recordEntries(frames: FrameWalker): Generator<DumpEntry> {
  const {head, window, frameIndex} = frames;
  const view = new RecordView();
  view.bytes = window.bytes;
  view.view = window.view;
  const lsn = new Lanes();
  lsn.set(head.lsnLo, head.lsnHi);
  let at = frameIndex + FRAME_HEADER_BYTES;
  const end = at + head.bodyBytes;
  for (let left = head.records; left > 0; left--) {
    at = view.readAt(at, end, lsn);
    if (at < 0) break;
    lsn.add(1);
    yield {kind: 'record', record: view.toRecord()};
  }
  if (at !== end) frames.fail('corruption', 'the records of a frame do not fill it', `frame at ${frames.frameOffset}`);
}
