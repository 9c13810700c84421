/**
 * Walks the frames of a chain of segments in order, in bounded memory.
 *
 * Invariant: a segment is left only when the next one begins with exactly the lsn and the link that this one ended
 * with, so a segment behind another proves everything before it. The last segment ends where its frames end.
 */

import {guardIo, systemCode, WalError} from '../errors.ts';
import {type FileIo, joinPath} from '../file_io.ts';
import {BLOCK_BYTES_MAX, roundUp, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {firstLsnOf, type SegmentInfo} from '../format/segment_header.ts';
import {FrameWalker} from './frame_walker.ts';
import {ReadWindow} from './read_window.ts';

export interface LogWalkerOptions {
  readonly io: FileIo;
  readonly dir: string;
  /** At least one; walking begins at `startIndex`. */
  readonly segments: readonly SegmentInfo[];
  readonly startIndex: number;
  /** Where the last segment ends for this walk; bytes behind it are not looked at. */
  readonly lastLimit: number;
  readonly maxReadFrameBytes: number;
}

export class LogWalker {
  readonly frames: FrameWalker;
  readonly #options: LogWalkerOptions;
  #index: number;
  #handle = -1;

  constructor(options: LogWalkerOptions) {
    this.#options = options;
    this.#index = options.startIndex;
    const frameBytesMax = roundUp(options.maxReadFrameBytes, BLOCK_BYTES_MAX);
    const segment = this.#segment();
    this.frames = new FrameWalker(new ReadWindow(options.io, frameBytesMax), frameBytesMax, segment);
    this.frames.next.set(segment.firstLo, segment.firstHi);
    this.frames.link = segment.link;
    this.#enter();
  }

  /** Advances to the next frame of the chain; false at the end of the last segment. */
  step(): boolean {
    while (!this.frames.step()) {
      if (this.#index === this.#options.segments.length - 1) return false;
      this.#index++;
      this.#checkJoint();
      this.#enter();
    }
    return true;
  }

  close(): void {
    if (this.#handle < 0) return;
    this.#options.io.close(this.#handle);
    this.#handle = -1;
  }

  #segment(): SegmentInfo {
    return this.#options.segments[this.#index] as SegmentInfo;
  }

  #enter(): void {
    this.close();
    const {io, dir, segments, lastLimit} = this.#options;
    const segment = this.#segment();
    this.#handle = openSegment(io, dir, segment.name);
    const limit = this.#index === segments.length - 1 ? lastLimit : segment.sizeBytes;
    this.frames.window.attach(this.#handle, limit);
    this.frames.enter(segment, SEGMENT_HEADER_BYTES, limit);
  }

  #checkJoint(): void {
    const {frames} = this;
    const {name, firstLo, firstHi, link} = this.#segment();
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
