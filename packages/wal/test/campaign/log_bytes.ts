/**
 * A log directory looked at as bytes: which frames a segment holds, and whether two directories are the same.
 *
 * Offsets stand here as numbers of their own; of the sources it takes the disk, and the end of a log from a dump.
 */

import {dumpWal} from '../../src/index.ts';
import type {SimDisk} from '../../src/testing/index.ts';

export const HEADER_BYTES = 4096;
export const SECTOR_BYTES = 512;
export const DATA_FRAME = 1;

const FRAME_MAGIC = 0x464c4157;
const FRAME_HEADER_BYTES = 48;
/** Of the flags in a segment's header. */
const RECYCLED_OFFSET = 56;

export interface FramePlace {
  readonly start: number;
  readonly end: number;
  readonly kind: number;
}

/** The frames that stand one behind the other from the header block on, in blocks of 512 bytes. */
export function framesIn(content: Uint8Array): FramePlace[] {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const frames: FramePlace[] = [];
  for (let start = HEADER_BYTES; start < content.length; ) {
    if (view.getUint32(start, true) !== FRAME_MAGIC) break;
    const bytes = FRAME_HEADER_BYTES + view.getUint32(start + 20, true);
    const end = start + Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
    frames.push({start, end, kind: view.getUint8(start + 6)});
    start = end;
  }
  return frames;
}

/** Whether both hold the same names with the same bytes in this directory. */
export function holdSameBytes(one: SimDisk, other: SimDisk, dir: string): boolean {
  const names = one.list(dir);
  if (names.join() !== other.list(dir).join()) return false;
  return names.every(name => {
    const path = `${dir}/${name}`;
    return Buffer.compare(one.contentOf(path), other.contentOf(path)) === 0;
  });
}

/**
 * `holdSameBytes`, but for what lies behind the end of the log in a recycled segment: bytes of an earlier life, among them
 * a header that was half zeroed when the power went, are all alike there.
 */
export function holdSameLog(one: SimDisk, other: SimDisk, dir: string): boolean {
  if (holdSameBytes(one, other, dir)) return true;
  const [end, otherEnd] = [endOf(one, dir), endOf(other, dir)];
  const [copy, otherCopy] = [one.fork(), other.fork()];
  if (end === null || end.segment !== otherEnd?.segment || end.offset !== otherEnd.offset) return false;
  const path = `${dir}/${end.segment}`;
  if (copy.contentOf(path)[RECYCLED_OFFSET] !== 1) return false;
  for (const disk of [copy, otherCopy]) disk.replaceContent(path, disk.contentOf(path).subarray(0, end.offset));
  return holdSameBytes(copy, otherCopy, dir);
}

/** Where a log ends that is not torn; null for any other. */
function endOf(disk: SimDisk, dir: string): {segment: string; offset: number} | null {
  const last = [...dumpWal({dir, io: disk})].at(-1);
  return last?.kind === 'end' && last.dirtyBytes === 0 ? last : null;
}
