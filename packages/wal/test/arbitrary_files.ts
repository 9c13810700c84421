/**
 * Files for a log directory that say anything: bytes at random, and headers and frames whose checksums are right while
 * their fields are not. Weighted so that many pass one check and meet the next.
 */

import fc from 'fast-check';
import {crc32c} from '../src/index.ts';

const ANY_U32 = fc.oneof(
  fc.nat({max: 5}),
  fc.nat({max: 2 ** 32 - 1}),
  fc.constantFrom(512, 4096, 2 ** 31, 2 ** 32 - 1),
);
export const ANY_LSN: fc.Arbitrary<bigint> = fc.oneof(
  {weight: 4, arbitrary: fc.bigInt({min: 0n, max: 3n})},
  {weight: 1, arbitrary: fc.bigInt({min: 0n, max: 2n ** 64n - 1n})},
);

interface AnyFrame {
  readonly kind: number;
  readonly lsn: bigint;
  readonly records: number;
  readonly bodyBytes: number;
  readonly synced: bigint;
  readonly link: number;
  readonly body: Uint8Array;
}

interface AnyHeader {
  readonly version: number;
  readonly blockBytes: number;
  readonly ordinal: bigint;
  readonly firstLsn: bigint;
  readonly flags: number;
  readonly marker: bigint;
}

/** Mostly this, sometimes anything. */
function mostly<T>(usual: fc.Arbitrary<T>, any: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({weight: 6, arbitrary: usual}, {weight: 1, arbitrary: any});
}

const ANY_FRAME: fc.Arbitrary<AnyFrame> = fc
  .record({
    kind: mostly(fc.integer({min: 1, max: 4}), fc.nat({max: 255})),
    lsn: ANY_LSN,
    records: ANY_U32,
    bodyBytes: fc.option(ANY_U32),
    synced: ANY_LSN,
    link: mostly(fc.constant(0), ANY_U32),
    body: mostly(fc.constant(new Uint8Array(0)), fc.uint8Array({maxLength: 900})),
  })
  .map(frame => ({...frame, bodyBytes: frame.bodyBytes ?? frame.body.length}));

const ANY_HEADER: fc.Arbitrary<AnyHeader> = fc.record({
  version: mostly(fc.constant(1), ANY_U32),
  blockBytes: mostly(fc.constant(512), fc.oneof(fc.constantFrom(1024, 4096), ANY_U32)),
  ordinal: ANY_LSN,
  firstLsn: ANY_LSN,
  flags: mostly(fc.constantFrom(0, 1), ANY_U32),
  marker: ANY_LSN,
});

const ANY_NAME = fc.oneof(
  ANY_LSN.map(nameOf),
  fc.constantFrom('clean', 'clean.tmp', 'wal-spare-0.tmp', 'wal-.seg', 'LOCK', 'wal-00000000000000000001.seg'),
);

const SALT = 77;
const FRAME_BYTES = 1024;

/** A segment with these frames, one in each 1024 bytes, and something behind them. */
export function segmentOf(header: AnyHeader, frames: readonly AnyFrame[], junk: Uint8Array): Uint8Array {
  const content = new Uint8Array(16_384);
  const view = new DataView(content.buffer);
  content.set(new TextEncoder().encode('ADBWALSG'), 0);
  view.setUint32(8, header.version, true);
  view.setUint32(12, header.blockBytes, true);
  view.setBigUint64(32, header.ordinal, true);
  view.setBigUint64(40, header.firstLsn, true);
  view.setInt32(48, SALT, true);
  view.setUint32(56, header.flags, true);
  view.setBigUint64(64, header.marker, true);
  view.setInt32(4092, crc32c(content, 0, 4092, 0), true);
  for (const [index, frame] of frames.entries()) writeFrame(content, 4096 + index * FRAME_BYTES, frame);
  content.set(junk, 4096 + frames.length * FRAME_BYTES);
  return content;
}

function writeFrame(content: Uint8Array, at: number, frame: AnyFrame): void {
  const view = new DataView(content.buffer, at, FRAME_BYTES);
  view.setUint32(0, 0x464c4157, true);
  view.setUint16(4, 1, true);
  view.setUint8(6, frame.kind);
  view.setBigUint64(8, frame.lsn, true);
  view.setUint32(16, frame.records, true);
  view.setUint32(20, frame.bodyBytes, true);
  view.setBigUint64(24, frame.synced, true);
  view.setUint32(32, frame.link, true);
  view.setUint32(36, at / 512, true);
  content.set(frame.body, at + 48);
  const padded = Math.ceil((48 + frame.bodyBytes) / 512) * 512 - 48;
  view.setInt32(40, crc32c(content, at + 48, Math.min(padded, content.length - at - 48), 0), true);
  view.setInt32(44, crc32c(content, at, 44, SALT), true);
}

function nameOf(firstLsn: bigint): string {
  return `wal-${firstLsn.toString().padStart(20, '0')}.seg`;
}

const ANY_SEGMENT = fc
  .tuple(ANY_HEADER, fc.array(ANY_FRAME, {maxLength: 4}), fc.uint8Array({maxLength: 2000}))
  .map(([header, frames, junk]) => ({name: nameOf(header.firstLsn), bytes: segmentOf(header, frames, junk)}));

/** A segment under the name it should have, or anything under any name. */
export const ANY_FILE: fc.Arbitrary<{readonly name: string; readonly bytes: Uint8Array}> = mostly(
  ANY_SEGMENT,
  fc
    .tuple(
      ANY_NAME,
      fc.oneof(
        fc.uint8Array({maxLength: 6000}),
        ANY_SEGMENT.map(({bytes}) => bytes),
      ),
    )
    .map(([name, bytes]) => ({name, bytes})),
);
