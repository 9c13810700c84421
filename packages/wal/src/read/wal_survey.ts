/**
 * What can still be told of a log directory, from its first segment to its last, however damaged: for people who look
 * for what is left. Where `wal_dump.ts` ends with the first damage, this names it and goes on.
 *
 * Changes nothing, takes no lock, and throws only where the directory itself cannot be listed. Memory is bounded by one
 * frame. Beside a writer the last entries may be of a moment in the middle of a write.
 */

import {guardIo, isWalError, type WalError} from '../errors.ts';
import {joinPath} from '../file_io.ts';
import {BLOCK_BYTES_MAX, FRAME_HEADER_BYTES, FRAME_KIND, roundUp} from '../format/format.ts';
import {
  decodeMarker,
  firstLsnOf,
  firstLsnOfName,
  isSegmentName,
  type SegmentInfo,
  type SnapshotMarker,
} from '../format/segment_header.ts';
import {Lanes, toBigint, U64_MAX} from '../format/words.ts';
import {nodeFileIo} from '../fs/node_file_io.ts';
import {READ_FRAME_BYTES} from '../log_options.ts';
import {describe, type WalRecovery} from '../recovery/log_open.ts';
import {FrameSurvey, type SurveyedFrame, type SurveyPlace} from './frame_survey.ts';
import {ReadWindow} from './read_window.ts';
import {type LogRecord, RecordView} from './record_view.ts';
import {type SurveyedSegment, surveySegment} from './segment_survey.ts';
import {type FrameKindName, KIND_NAMES} from './wal_dump.ts';
import {type ReadWalOptions, scanReadOnly} from './wal_reader.ts';

export interface SurveyOptions extends ReadWalOptions {
  /** First and last lsn of interest: frames and records without one of these are left out. Default: all. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** The records of each intact data frame too. Default false. */
  readonly records?: boolean;
}

/**
 * - `segment`: begins; with a `problem` its header cannot be believed: `firstLsn` is then that of its name, and frames are
 *   told as far as what stands in the header proves them
 * - `missing`: no frame has these lsns, though a later one is there
 * - `frame`: `lsn` is its first record's, for a control frame the last one before it; `bytes` with padding. With a
 *   `problem` its header is intact and it is not
 * - `record`: of the intact data frame before
 * - `unreadable`: bytes that are no frame and not zero
 * - `end`: what opening would find, or what it would refuse the log for; where `from` or `to` was given, of the last
 *   segment alone
 */
export type SurveyEntry =
  | {
      readonly kind: 'segment';
      readonly name: string;
      readonly bytes: number;
      readonly firstLsn: bigint | null;
      readonly ordinal: bigint | null;
      readonly isRecycled: boolean;
      readonly marker: SnapshotMarker | null;
      readonly problem: string | null;
    }
  | {readonly kind: 'missing'; readonly segment: string; readonly from: bigint; readonly to: bigint}
  | {
      readonly kind: 'frame';
      readonly segment: string;
      readonly offset: number;
      readonly bytes: number;
      readonly frame: FrameKindName | null;
      readonly lsn: bigint;
      readonly records: number;
      readonly syncedLsn: bigint;
      readonly marker: SnapshotMarker | null;
      readonly problem: string | null;
    }
  | {readonly kind: 'record'; readonly segment: string; readonly record: LogRecord}
  | {
      readonly kind: 'unreadable';
      readonly segment: string;
      readonly offset: number;
      readonly bytes: number;
      readonly why: string;
    }
  | {readonly kind: 'end'; readonly recovery: WalRecovery | null; readonly error: WalError | null};

/** Everything that can be told, in order; the last entry is `end`. Throws `missing_log` or `io` for no directory. */
export function* surveyWal(options: SurveyOptions): Generator<SurveyEntry, void> {
  const {dir, io = nodeFileIo, from = 0n} = options;
  const names = guardIo(`listing ${dir}`, () => io.list(dir)).filter(isSegmentName);
  const survey = new Survey(options);
  // Names alone say where to begin.
  const first = names.findLastIndex(name => (firstLsnOfName(name) ?? from + 1n) <= from);
  for (const name of names.slice(Math.max(0, first))) yield* survey.segment(name);
  const verify = options.from === undefined && options.to === undefined ? 'all' : 'tail';
  try {
    const recovery = describe(scanReadOnly(options, verify));
    yield {kind: 'end', recovery, error: null};
  } catch (error) {
    if (!isWalError(error)) throw error;
    yield {kind: 'end', recovery: null, error};
  }
}

class Survey {
  readonly #options: SurveyOptions;
  readonly #window: ReadWindow;
  readonly #frames: FrameSurvey;
  readonly #place: SurveyPlace = {next: null, link: null};
  readonly #view: RecordView = new RecordView();
  #before: SegmentInfo | null = null;

  constructor(options: SurveyOptions) {
    this.#options = options;
    const frameBytesMax = roundUp(options.maxReadFrameBytes ?? READ_FRAME_BYTES, BLOCK_BYTES_MAX);
    this.#window = new ReadWindow(options.io ?? nodeFileIo, frameBytesMax);
    this.#frames = new FrameSurvey(this.#window, frameBytesMax);
  }

  *segment(name: string): Generator<SurveyEntry, void> {
    const {dir, io = nodeFileIo, to = U64_MAX} = this.#options;
    const named = firstLsnOfName(name);
    if (named !== null && named > to) return;
    let handle = -1;
    try {
      handle = guardIo(`opening ${name}`, () => io.open(joinPath(dir, name), 'read'));
      const segment = surveySegment(io, handle, name, this.#before);
      this.#before = segment.info ?? this.#before;
      yield segmentEntry(segment, named);
      if (segment.isReadable) yield* this.#content(segment, handle, named);
    } catch (error) {
      if (!isWalError(error)) throw error;
      const unknown = {bytes: 0, firstLsn: named, ordinal: null, isRecycled: false, marker: null};
      yield {kind: 'segment', name, ...unknown, problem: error.message};
    } finally {
      if (handle >= 0) io.close(handle);
    }
  }

  *#content({file, info}: SurveyedSegment, handle: number, named: bigint | null): Generator<SurveyEntry, void> {
    const place = this.#place;
    const {from = 0n, to = U64_MAX} = this.#options;
    if (place.next === null) {
      place.next = info === null ? named : firstLsnOf(info);
      place.link = info?.link ?? null;
    }
    this.#window.attach(handle, file.sizeBytes);
    for (const finding of this.#frames.frames(file, place)) {
      if (finding.is === 'unreadable') {
        const {offset, bytes, why} = finding;
        yield {kind: 'unreadable', segment: file.name, offset, bytes, why};
        continue;
      }
      const {head} = this.#frames;
      const lsn = toBigint(head.lsnLo, head.lsnHi);
      const isData = head.kind === FRAME_KIND.DATA;
      if (finding.lost !== null) yield {kind: 'missing', segment: file.name, ...finding.lost};
      if (finding.problem === null && lsn > to) return;
      if (finding.problem === null && (isData ? lsn + BigInt(head.records) <= from : lsn < from)) continue;
      yield this.#frameEntry(file.name, finding);
      if (this.#options.records === true && isData && finding.problem === null) yield* this.#records(file.name);
    }
  }

  #frameEntry(segment: string, {offset, bytes, problem}: SurveyedFrame): SurveyEntry {
    const {head, frameIndex} = this.#frames;
    const isMarker = head.kind === FRAME_KIND.SNAPSHOT && problem === null;
    return {
      kind: 'frame',
      segment,
      offset,
      bytes,
      frame: KIND_NAMES.get(head.kind) ?? null,
      lsn: toBigint(head.lsnLo, head.lsnHi),
      records: head.records,
      syncedLsn: toBigint(head.syncedLo, head.syncedHi),
      marker: isMarker ? decodeMarker(this.#window.bytes, frameIndex + FRAME_HEADER_BYTES) : null,
      problem,
    };
  }

  *#records(segment: string): Generator<SurveyEntry, void> {
    const view = this.#view;
    const {head, frameIndex} = this.#frames;
    const {from = 0n, to = U64_MAX} = this.#options;
    view.bytes = this.#window.bytes;
    view.view = this.#window.view;
    const lsn = new Lanes();
    lsn.set(head.lsnLo, head.lsnHi);
    const start = frameIndex + FRAME_HEADER_BYTES;
    for (let at = start, left = head.records; left > 0; left--) {
      at = view.readAt(at, start + head.bodyBytes, lsn);
      lsn.add(1);
      if (view.lsn >= from && view.lsn <= to) {
        yield {kind: 'record', segment, record: view.toRecord()};
      }
    }
  }
}

function segmentEntry({file, info, problem}: SurveyedSegment, named: bigint | null): SurveyEntry {
  const {name, sizeBytes: bytes, isRecycled} = file;
  const firstLsn = info === null ? named : firstLsnOf(info);
  const {ordinal, marker} = info ?? {ordinal: null, marker: null};
  return {kind: 'segment', name, bytes, firstLsn, ordinal, isRecycled, marker, problem};
}
