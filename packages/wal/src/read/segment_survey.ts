/**
 * The header of a segment as a survey takes it: believed where it verifies, and else for as much as frames can prove.
 *
 * Invariant: what is returned without a problem is an intact header that follows the one before. A salt under which
 * frames verify is the right one, whatever else in the header is damaged, so frames are looked for all the same.
 */

import {guardIo, isWalError} from '../errors.ts';
import {type FileIo, readFully} from '../file_io.ts';
import {BLOCK_BYTES_MIN, SEGMENT, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {
  decodeSegmentHeader,
  firstLsnOf,
  firstLsnOfName,
  isBlockSize,
  type SegmentInfo,
} from '../format/segment_header.ts';

/** What frames are looked for in: an intact header, or as much of a damaged one as can be tried. */
export interface SurveyedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly salt: number;
  readonly isRecycled: boolean;
}

export interface SurveyedSegment {
  readonly file: SurveyedFile;
  /** Null where the header does not verify. */
  readonly info: SegmentInfo | null;
  readonly problem: string | null;
  /** False where the file cannot hold frames that this program reads. */
  readonly isReadable: boolean;
}

/** Reads the header of an open file; `before` is that of the last intact segment. Throws `io`. */
export function surveySegment(io: FileIo, handle: number, name: string, before: SegmentInfo | null): SurveyedSegment {
  const sizeBytes = guardIo(`reading ${name}`, () => io.size(handle));
  const block = new Uint8Array(SEGMENT_HEADER_BYTES);
  const length = guardIo(`reading ${name}`, () => readFully(io, handle, block, 0, SEGMENT_HEADER_BYTES, 0));
  const view = new DataView(block.buffer);
  const stated = view.getUint32(SEGMENT.BLOCK_BYTES, true);
  const blockBytes = isBlockSize(stated) ? stated : BLOCK_BYTES_MIN;
  const file = {name, sizeBytes, blockBytes, salt: view.getInt32(SEGMENT.SALT, true), isRecycled: false};
  const unreadable = (problem: string): SurveyedSegment => ({file, info: null, problem, isReadable: false});
  if (length < SEGMENT_HEADER_BYTES) return unreadable('the file is shorter than its header');
  try {
    const info = decodeSegmentHeader(block, name, sizeBytes);
    if (info !== null) return {file: info, info, problem: chainProblem(info, before), isReadable: true};
  } catch (error) {
    if (!isWalError(error)) throw error;
    return unreadable(error.message);
  }
  const problem = block.every(byte => byte === 0) ? 'its header is blank' : 'its header is damaged';
  return {file, info: null, problem, isReadable: true};
}

function chainProblem(info: SegmentInfo, before: SegmentInfo | null): string | null {
  const lsn = firstLsnOf(info);
  if (lsn !== firstLsnOfName(info.name)) return `its header says that it begins at lsn ${lsn}`;
  if (before === null) return null;
  if (before.uuid.some((byte, index) => byte !== info.uuid[index])) return 'it is of another log than the one before';
  return info.ordinal > before.ordinal ? null : `it is number ${info.ordinal}, and follows number ${before.ordinal}`;
}
