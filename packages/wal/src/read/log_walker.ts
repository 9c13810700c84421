/**
 * Walks the frames of a chain of segments in order, in bounded memory.
 *
 * Invariant: a segment is left only when the next one begins with exactly the lsn and the link that this one ended
 * with, so a segment behind another proves everything before it. The last segment ends where its frames end.
 * The chain may grow, and lose its oldest segments, while it is walked (`extend`).
 */

import {guardIo, systemCode, WalError} from '../errors.ts';
import {type FileIo, joinPath} from '../file_io.ts';
import {BLOCK_BYTES_MAX, roundUp, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {firstLsnOf, type SegmentInfo} from '../format/segment_header.ts';
import {FrameWalker} from './frame_walker.ts';
import {ReadWindow} from './read_window.ts';

/** Segments that follow one another; at least one. */
export interface LogChain {
  readonly segments: readonly SegmentInfo[];
  /** Where the last segment ends for this walk; bytes behind it are not looked at. */
  readonly lastLimit: number;
}

export interface LogWalkerOptions {
  readonly io: FileIo;
  readonly dir: string;
  readonly maxReadFrameBytes: number;
}

export class LogWalker {
  readonly frames: FrameWalker;
  readonly #options: LogWalkerOptions;
  #chain: LogChain;
  #handle = -1;

  constructor(options: LogWalkerOptions, chain: LogChain, startIndex: number) {
    this.#options = options;
    this.#chain = chain;
    const frameBytesMax = roundUp(options.maxReadFrameBytes, BLOCK_BYTES_MAX);
    const segment = chain.segments[startIndex] as SegmentInfo;
    this.frames = new FrameWalker(new ReadWindow(options.io, frameBytesMax), frameBytesMax, segment);
    this.frames.next.set(segment.firstLo, segment.firstHi);
    this.frames.link = segment.link;
    this.#enter(segment);
  }

  /** Advances to the next frame of the chain; false at the end of the last segment. */
  step(): boolean {
    while (!this.frames.step()) {
      const {segments} = this.#chain;
      const next = segments[segments.indexOf(this.frames.segment) + 1];
      if (next === undefined) return false;
      this.#checkJoint(next);
      this.#enter(next);
    }
    return true;
  }

  /**
   * The chain as it is now. It still holds the segment that is being walked, or one that took its place, or, where that
   * one was read to its end, the one that follows.
   */
  extend(chain: LogChain): void {
    this.#chain = chain;
    const {segment, next, link} = this.frames;
    if (chain.segments.includes(segment)) {
      this.frames.window.attach(this.#handle, this.#limitOf(segment));
      this.frames.continueTo(this.#limitOf(segment));
      return;
    }
    const successor =
      chain.segments.find(({ordinal}) => ordinal === segment.ordinal) ??
      chain.segments.find(({firstLo, firstHi, link: before}) => next.equals(firstLo, firstHi) && before === link);
    if (successor === undefined) {
      throw new WalError('missing_segment', 'a segment is gone', {segment: segment.name});
    }
    this.#enter(successor);
  }

  close(): void {
    if (this.#handle < 0) return;
    this.#options.io.close(this.#handle);
    this.#handle = -1;
  }

  #limitOf(segment: SegmentInfo): number {
    const {segments, lastLimit} = this.#chain;
    return segment === segments.at(-1) ? lastLimit : segment.sizeBytes;
  }

  #enter(segment: SegmentInfo): void {
    this.close();
    const {io, dir} = this.#options;
    this.#handle = openSegment(io, dir, segment.name);
    const limit = this.#limitOf(segment);
    this.frames.window.attach(this.#handle, limit);
    this.frames.enter(segment, SEGMENT_HEADER_BYTES, limit);
  }

  #checkJoint({name, firstLo, firstHi, link}: SegmentInfo): void {
    const {frames} = this;
    if (!frames.next.equals(firstLo, firstHi)) {
      frames.fail('corruption', 'frames are missing before the next segment', `${name} follows`);
    }
    if (link !== frames.link) frames.fail('corruption', 'broken link', `${name} follows another frame`);
  }
}

function openSegment(io: FileIo, dir: string, name: string): number {
  return guardIo(`opening ${name}`, () => {
    try {
      return io.open(joinPath(dir, name), 'read');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      throw new WalError('missing_segment', 'a segment is gone', {segment: name, cause: error});
    }
  });
}

/** Index of the segment that holds `lsn`, which must not lie before the first one. */
export function segmentIndexOf(segments: readonly SegmentInfo[], lsn: bigint): number {
  let index = segments.length - 1;
  while (index > 0 && firstLsnOf(segments[index] as SegmentInfo) > lsn) index--;
  return index;
}
