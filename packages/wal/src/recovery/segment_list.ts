/**
 * What a log directory holds: its segments in order, verified against their names and against each other.
 *
 * Invariant: the list returned is one chain by uuid, ordinal and rising first lsns. Only the last name may lack an
 * intact header, and only if nothing at all stands behind it: that is what a crash can leave of a new segment.
 * Reads headers only; frames are walked in `log_walker.ts`.
 */

import {guardIo, ioError, systemCode, WalError} from '../errors.ts';
import {type FileIo, joinPath, readFully} from '../file_io.ts';
import {type CleanFile, readCleanFile} from '../format/clean_file.ts';
import {BLOCK_BYTES_MAX, FILE, SEGMENT_HEADER_BYTES} from '../format/format.ts';
import {
  decodeSegmentHeader,
  firstLsnOf,
  firstLsnOfName,
  isSegmentName,
  isSpareName,
  type SegmentInfo,
} from '../format/segment_header.ts';
import {ReadWindow} from '../read/read_window.ts';

export interface SegmentList {
  readonly segments: SegmentInfo[];
  /** A last segment without header and content, to be removed; null where there is none. */
  readonly blankLast: string | null;
  /** Unfinished files of an earlier writer, to be removed. */
  readonly leftovers: string[];
  readonly clean: CleanFile | null;
  readonly hasCleanFile: boolean;
}

export function listSegments(io: FileIo, dir: string): SegmentList {
  const names = listNames(io, dir);
  const segmentNames = names.filter(isSegmentName);
  const segments: SegmentInfo[] = [];
  let blankLast: string | null = null;
  for (const [index, name] of segmentNames.entries()) {
    const first = firstLsnOfName(name);
    if (first === null) throw new WalError('corruption', 'a segment name that no writer makes', {segment: name});
    const isLast = index === segmentNames.length - 1;
    const info = guardIo(`reading ${name}`, () => readSegmentInfo(io, dir, name, isLast));
    if (info === null) {
      blankLast = name;
      break;
    }
    checkChain(segments.at(-1), info, first);
    segments.push(info);
  }
  return {
    segments,
    blankLast,
    leftovers: names.filter(name => isSpareName(name) || name === FILE.CLEAN_TEMPORARY),
    clean: guardIo('reading the clean file', () => readCleanFile(io, dir, names)),
    hasCleanFile: names.includes(FILE.CLEAN),
  };
}

function listNames(io: FileIo, dir: string): string[] {
  try {
    return io.list(dir);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new WalError('missing_log', `${dir} is not there`, {cause: error});
    throw ioError(`listing ${dir}`, error);
  }
}

function readSegmentInfo(io: FileIo, dir: string, name: string, isLast: boolean): SegmentInfo | null {
  const handle = io.open(joinPath(dir, name), 'read');
  try {
    const sizeBytes = io.size(handle);
    const block = new Uint8Array(Math.min(SEGMENT_HEADER_BYTES, sizeBytes));
    readFully(io, handle, block, 0, block.length, 0);
    const info = decodeSegmentHeader(block, name, sizeBytes);
    if (info !== null) return info;
    if (isLast && isBlankBehindHeader(io, handle, sizeBytes)) return null;
    throw new WalError('corruption', 'the header of a segment is damaged', {
      segment: name,
      offset: 0,
      evidence: isLast ? 'content stands behind it' : 'another segment follows',
    });
  } finally {
    io.close(handle);
  }
}

function isBlankBehindHeader(io: FileIo, handle: number, sizeBytes: number): boolean {
  const window = new ReadWindow(io, BLOCK_BYTES_MAX);
  window.attach(handle, sizeBytes);
  let position = SEGMENT_HEADER_BYTES;
  for (; position + BLOCK_BYTES_MAX <= sizeBytes; position += BLOCK_BYTES_MAX) {
    if (!window.isZero(window.at(position, BLOCK_BYTES_MAX), BLOCK_BYTES_MAX)) return false;
  }
  const rest = new Uint8Array(Math.max(0, sizeBytes - position));
  readFully(io, handle, rest, 0, rest.length, position);
  return rest.every(byte => byte === 0);
}

function checkChain(before: SegmentInfo | undefined, info: SegmentInfo, nameFirst: bigint): void {
  const segment = info.name;
  if (firstLsnOf(info) !== nameFirst) {
    const evidence = `its header says that it begins at lsn ${firstLsnOf(info)}`;
    throw new WalError('corruption', 'a segment was renamed', {segment, offset: 0, evidence});
  }
  if (before === undefined) return;
  if (before.uuid.some((byte, index) => byte !== info.uuid[index])) {
    throw new WalError('corruption', 'a segment of another log', {segment, offset: 0, evidence: 'another log uuid'});
  }
  if (info.ordinal === before.ordinal + 1n) return;
  const evidence = `segment ${before.ordinal} is followed by segment ${info.ordinal}`;
  if (info.ordinal > before.ordinal) throw new WalError('missing_segment', 'a segment is missing', {segment, evidence});
  throw new WalError('corruption', 'segments are out of order', {segment, offset: 0, evidence});
}
