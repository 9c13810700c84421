/**
 * Walks the frames of one segment and judges the first damage it meets.
 *
 * Invariant: `next` is the lsn that the next data frame must have and `link` the checksum it must carry; a frame is
 * returned only with every byte verified. Where no intact frame begins, the rest of the segment is searched: a frame
 * with the expected lsn continues the log (control frames may be lost between), and any frame that was written when
 * the missing lsn was already durable makes the damage corruption. With neither, the segment ends at `position`.
 * Telling a torn write from a damaged one by later evidence follows Alagappan et al. (Protocol-Aware Recovery for
 * Consensus-Based Storage, 2018), here with the evidence inside the log itself.
 * What lies behind this segment, and what the caller knows from elsewhere, is judged in `log_walker.ts` and `log_scan.ts`.
 */

import {WalError} from '../errors.ts';
import {FRAME_HEADER_BYTES, FRAME_KIND, MARKER_BYTES, roundUp} from '../format/format.ts';
import {bodyIsIntact, FrameHead, HEAD, readFrameHead} from '../format/frame_header.ts';
import type {SegmentInfo} from '../format/segment_header.ts';
import {Lanes, lessThan, toBigint, valuesLeft} from '../format/words.ts';
import type {ReadWindow} from './read_window.ts';

export class FrameWalker {
  readonly window: ReadWindow;
  readonly next: Lanes = new Lanes();
  link = 0;
  segment: SegmentInfo;
  /** Where the next frame is expected; after the end of the segment, where it would be written. */
  position = 0;
  /** Header, offset in the file, index in the window and padded size of the frame that `step` returned. */
  readonly head: FrameHead = new FrameHead();
  frameOffset = 0;
  frameIndex = 0;
  frameBytes = 0;
  /**
   * After the end: where the last block ends that a torn write left, or `position`. In a recycled segment only headers
   * under its own salt count; everything else may be of an earlier life.
   */
  dirtyEnd = 0;
  /** After the end, in a recycled segment: where those headers are. */
  readonly tornHeaders: number[] = [];
  /** The last data frame of this segment, and whether a later control frame proves it. */
  lastDataOffset = -1;
  lastDataBytes = 0;
  proven = true;
  sealed = false;
  /** Bytes stepped over because a control frame in them was damaged or never arrived. */
  skippedBytes = 0;
  readonly #frameBytesMax: number;
  readonly #before: Lanes = new Lanes();
  #limit = 0;

  constructor(window: ReadWindow, frameBytesMax: number, segment: SegmentInfo) {
    this.window = window;
    this.#frameBytesMax = frameBytesMax;
    this.segment = segment;
  }

  /** Begins a segment whose handle the window is attached to; frames are expected in [`from`, `limit`). */
  enter(segment: SegmentInfo, from: number, limit: number): void {
    this.segment = segment;
    this.position = from;
    this.#limit = limit;
    this.lastDataOffset = -1;
    this.proven = true;
    this.sealed = false;
  }

  /** The segment has grown: frames are expected up to `limit` now. */
  continueTo(limit: number): void {
    this.#limit = limit;
  }

  /** Advances to the next frame; false at the end of the segment. Throws on corruption, gap or an unknown version. */
  step(): boolean {
    this.dirtyEnd = this.position;
    this.tornHeaders.length = 0;
    const found = this.#headAt(this.position);
    if (found === HEAD.INTACT) {
      this.#checkPlace();
      if (this.#accept(this.position)) return true;
      this.#noteTorn(this.position, HEAD.INTACT);
      return this.#search(this.dirtyEnd);
    }
    return this.#search(this.position);
  }

  fail(code: 'corruption' | 'gap' | 'too_large', message: string, evidence: string): never {
    const lsn = this.next.isZero() ? {} : {lsn: this.next.toBigint()};
    throw new WalError(code, message, {segment: this.segment.name, offset: this.position, evidence, ...lsn});
  }

  #headAt(position: number): number {
    const {blockBytes, salt, name} = this.segment;
    if (position + blockBytes > this.#limit) return HEAD.NONE;
    const at = this.window.at(position, blockBytes);
    if (at < 0) return HEAD.NONE;
    const block = position / blockBytes;
    const found = readFrameHead(this.head, this.window.bytes, this.window.view, at, block, salt);
    if (found === HEAD.UNSUPPORTED) {
      throw new WalError('unsupported_version', 'a frame of an unknown version', {segment: name, offset: position});
    }
    return found;
  }

  /** An intact frame right where the next one belongs must be the next one: no crash leaves another there. */
  #checkPlace(): void {
    const {head, next} = this;
    if (head.kind === FRAME_KIND.DATA) {
      const lsn = toBigint(head.lsnLo, head.lsnHi);
      if (!next.equals(head.lsnLo, head.lsnHi)) this.fail('gap', 'lsns are not dense', `a frame begins at lsn ${lsn}`);
      if (head.link !== this.link)
        this.fail('corruption', 'broken link', `the frame at lsn ${lsn} follows another one`);
    } else if (!next.before(this.#before).equals(head.lsnLo, head.lsnHi)) {
      this.fail('corruption', 'frames are missing', `a control frame was written after lsn ${this.#headLsn()}`);
    }
  }

  #accept(position: number): boolean {
    const {head} = this;
    // A length of 32 bits does not survive being rounded up.
    if (head.bodyBytes > this.#limit) return false;
    const frameBytes = roundUp(FRAME_HEADER_BYTES + head.bodyBytes, this.segment.blockBytes);
    if (position + frameBytes > this.#limit) return false;
    if (frameBytes > this.#frameBytesMax) {
      this.fail('too_large', 'a frame exceeds maxReadFrameBytes', `it has ${frameBytes} bytes`);
    }
    const at = this.window.at(position, frameBytes);
    if (at < 0 || !bodyIsIntact(head, this.window.bytes, at, frameBytes)) return false;
    this.#checkCounts();
    this.skippedBytes += position - this.position;
    this.frameOffset = position;
    this.frameIndex = at;
    this.frameBytes = frameBytes;
    this.position = position + frameBytes;
    if (head.kind === FRAME_KIND.DATA) {
      this.next.add(head.records);
      this.link = head.checksum;
      this.lastDataOffset = position;
      this.lastDataBytes = frameBytes;
    }
    this.proven = head.kind !== FRAME_KIND.DATA;
    this.sealed = head.kind === FRAME_KIND.SEAL;
    return true;
  }

  #checkCounts(): void {
    const {kind, records, bodyBytes, lsnLo, lsnHi} = this.head;
    const fits =
      kind === FRAME_KIND.DATA
        ? records > 0 && records <= valuesLeft(lsnLo, lsnHi)
        : records === 0 && bodyBytes === (kind === FRAME_KIND.SNAPSHOT ? MARKER_BYTES : 0);
    if (!fits) this.fail('corruption', 'a frame that no writer makes', `kind ${kind} with ${records} records`);
  }

  #search(from: number): boolean {
    const {blockBytes} = this.segment;
    for (let position = from; position + blockBytes <= this.#limit; position += blockBytes) {
      const at = this.window.at(position, blockBytes);
      if (at < 0) break;
      if (this.window.isZero(at, blockBytes)) continue;
      const found = this.#headAt(position);
      this.#noteTorn(position, found);
      if (found === HEAD.INTACT && this.#continuesAt(position)) return true;
    }
    return false;
  }

  #noteTorn(position: number, found: number): void {
    if (found === HEAD.NONE && this.segment.isRecycled) return;
    this.dirtyEnd = position + this.segment.blockBytes;
    if (this.segment.isRecycled) this.tornHeaders.push(position);
  }

  #continuesAt(position: number): boolean {
    const {head, next} = this;
    if (next.isZero()) return false;
    const isExpected = next.equals(head.lsnLo, head.lsnHi) && head.link === this.link;
    if (head.kind === FRAME_KIND.DATA && isExpected) return this.#accept(position);
    if (!lessThan(head.syncedLo, head.syncedHi, next.lo, next.hi)) {
      const synced = toBigint(head.syncedLo, head.syncedHi);
      this.fail('corruption', 'a durable frame is damaged', `the frame at ${position} proves lsn ${synced}`);
    }
    return false;
  }

  #headLsn(): bigint {
    return toBigint(this.head.lsnLo, this.head.lsnHi);
  }
}
