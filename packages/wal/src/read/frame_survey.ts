/**
 * Every frame that can be told in one segment, whatever has become of the bytes between them, and what is wrong with it.
 *
 * Invariant: a frame without a problem has header and records as they were written, in this very place, and follows the
 * intact frame before it, as far as one is known. A header that holds says where its frame ends, also where the records
 * do not hold; without one, the next block may begin a frame. Nothing here ends a walk; `frame_walker.ts` is the judge.
 */

import {isWalError} from '../errors.ts';
import {FRAME_HEADER_BYTES, FRAME_KIND, MARKER_BYTES, roundUp, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {bodyIsIntact, FrameHead, HEAD, readFrameHead} from '../format/frame_header.ts';
import {Lanes, toBigint, valuesLeft} from '../format/words.ts';
import type {ReadWindow} from './read_window.ts';
import {RecordView} from './record_view.ts';
import type {SurveyedFile} from './segment_survey.ts';

/** Where the log has come to: what the next data frame must say, where that is known. */
export interface SurveyPlace {
  /** Lsn of the next record. */
  next: bigint | null;
  /** Header checksum of the data frame before. */
  link: number | null;
}

/** A frame; `lost` are the lsns that are missing before it. */
export interface SurveyedFrame {
  readonly is: 'frame';
  readonly offset: number;
  readonly bytes: number;
  readonly problem: string | null;
  readonly lost: {readonly from: bigint; readonly to: bigint} | null;
}

/** A frame, or bytes that are none. */
export type FrameFinding =
  | SurveyedFrame
  | {readonly is: 'unreadable'; readonly offset: number; readonly bytes: number; readonly why: string};

export class FrameSurvey {
  /** The header of the frame that was found last, and where that frame lies in the window. */
  readonly head: FrameHead = new FrameHead();
  frameIndex = 0;
  readonly #window: ReadWindow;
  readonly #frameBytesMax: number;
  readonly #record: RecordView = new RecordView();

  constructor(window: ReadWindow, frameBytesMax: number) {
    this.#window = window;
    this.#frameBytesMax = frameBytesMax;
  }

  /** The frames of the file that the window is attached to. `head` and the window are valid until the next step. */
  *frames(file: SurveyedFile, place: SurveyPlace): Generator<FrameFinding, void> {
    const {blockBytes, sizeBytes} = file;
    let position = SEGMENT_HEADER_BYTES;
    let runStart = -1;
    const rest = (why: string): FrameFinding => {
      const offset = runStart < 0 ? position : runStart;
      return {is: 'unreadable', offset, bytes: sizeBytes - offset, why};
    };
    try {
      while (position + blockBytes <= sizeBytes) {
        const at = this.#window.at(position, blockBytes);
        if (at < 0) return yield rest('the file is shorter than it was');
        const found = this.#headAt(at, position / blockBytes, file.salt);
        const isRun = found === HEAD.NONE && !this.#window.isZero(at, blockBytes);
        if (isRun && runStart < 0) runStart = position;
        if (!isRun && runStart >= 0) {
          yield unreadable(file, runStart, position);
          runStart = -1;
        }
        if (found === HEAD.NONE) position += blockBytes;
        else {
          const frame = this.#frameAt(file, position, found, place);
          yield frame;
          position += frame.bytes;
        }
      }
    } catch (error) {
      if (!isWalError(error)) throw error;
      return yield rest(error.message);
    }
    if (position < sizeBytes) yield rest('the file ends within a block');
    else if (runStart >= 0) yield unreadable(file, runStart, position);
  }

  #headAt(at: number, block: number, salt: number): number {
    const {bytes, view} = this.#window;
    return readFrameHead(this.head, bytes, view, at, block, salt);
  }

  #frameAt({blockBytes, sizeBytes}: SurveyedFile, offset: number, found: number, place: SurveyPlace): SurveyedFrame {
    const {head} = this;
    const wrong = (problem: string, bytes: number): SurveyedFrame => {
      return {is: 'frame', offset, bytes, problem, lost: null};
    };
    if (found === HEAD.UNSUPPORTED) return wrong('it is of an unknown version or kind', blockBytes);
    const left = sizeBytes - offset;
    // A length of 32 bits does not survive being rounded up.
    if (head.bodyBytes > left || roundUp(FRAME_HEADER_BYTES + head.bodyBytes, blockBytes) > left) {
      return wrong('it would end behind its segment', blockBytes);
    }
    const bytes = roundUp(FRAME_HEADER_BYTES + head.bodyBytes, blockBytes);
    if (!hasPossibleCounts(head)) return wrong('no writer makes such a frame', bytes);
    const {lost, problem} = takePlace(head, place);
    if (bytes > this.#frameBytesMax) return {...wrong('it exceeds maxReadFrameBytes', bytes), lost};
    this.frameIndex = this.#window.at(offset, bytes);
    if (this.frameIndex < 0) return {...wrong('the file is shorter than it was', bytes), lost};
    const isIntact = bodyIsIntact(head, this.#window.bytes, this.frameIndex, bytes);
    if (!isIntact) return {...wrong('its records fail their checksum', bytes), lost};
    if (!this.#recordsFill()) return {...wrong('its records do not fill it', bytes), lost};
    return {is: 'frame', offset, bytes, problem, lost};
  }

  #recordsFill(): boolean {
    const {head, frameIndex} = this;
    if (head.kind !== FRAME_KIND.DATA) return true;
    const record = this.#record;
    record.bytes = this.#window.bytes;
    record.view = this.#window.view;
    const start = frameIndex + FRAME_HEADER_BYTES;
    const end = start + head.bodyBytes;
    let at = start;
    for (let left = head.records; left > 0 && at >= 0; left--) at = record.readAt(at, end, NO_LSN);
    return at === end;
  }
}

const NO_LSN: Lanes = new Lanes();

/** Moves the place behind a frame whose header is intact; says what is missing before it, or why it cannot stand here. */
function takePlace(head: FrameHead, place: SurveyPlace): Pick<SurveyedFrame, 'problem' | 'lost'> {
  const {next, link} = place;
  const isData = head.kind === FRAME_KIND.DATA;
  const lsn = toBigint(head.lsnLo, head.lsnHi);
  // A control frame names the last lsn before it.
  const first = isData ? lsn : lsn + 1n;
  if (next !== null && first < next) {
    return {problem: `it belongs before lsn ${first}, and the log has come to lsn ${next - 1n}`, lost: null};
  }
  const lost = next !== null && first > next ? {from: next, to: first - 1n} : null;
  const follows = lost !== null || link === null || !isData || head.link === link;
  place.next = first + BigInt(isData ? head.records : 0);
  if (isData) place.link = head.checksum;
  else if (lost !== null) place.link = null;
  return {problem: follows ? null : 'it follows another frame than the one before it', lost};
}

function hasPossibleCounts({kind, records, bodyBytes, lsnLo, lsnHi}: FrameHead): boolean {
  if (kind === FRAME_KIND.DATA) return records > 0 && records <= valuesLeft(lsnLo, lsnHi);
  return records === 0 && bodyBytes === (kind === FRAME_KIND.SNAPSHOT ? MARKER_BYTES : 0);
}

function unreadable({isRecycled}: SurveyedFile, offset: number, end: number): FrameFinding {
  const why = isRecycled
    ? "no frame: of the file's earlier life, or damaged"
    : 'no frame: damaged, or a write that was not finished';
  return {is: 'unreadable', offset, bytes: end - offset, why};
}
