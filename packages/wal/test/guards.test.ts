/**
 * Bytes whose checksums are right and whose fields are not: each check behind the checksums, met by itself.
 * Only a mistake of a writer, or somebody who means it, leaves such bytes; what has to be noticed all the same is a later
 * format.
 */

import {expect, test} from 'vitest';
import {crc32c, readWal, verifyWal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {segmentOf} from './arbitrary_files.ts';
import {framesIn, HEADER_BYTES, SECTOR_BYTES} from './campaign/log_bytes.ts';
import {commitFrame, DIR, damage, errorOf, imageOf, openSmall, readAll, segmentNames} from './support.ts';

const SALT_AT = 48;
const SEGMENT_CHECKSUM_AT = 4092;
const FRAME_CHECKSUM_AT = 44;

/** Where the fields of a frame header stand. */
const FRAME = {VERSION: 4, KIND: 6, FLAGS: 7, LSN: 8, RECORDS: 16, BODY_BYTES: 20, LINK: 32} as const;

/** Three data frames of one record each, one sector each, an idle marker behind the second, nothing behind the last. */
function log(): {disk: SimDisk; name: string} {
  const disk = new SimDisk();
  const wal = openSmall(disk);
  commitFrame(wal, 1);
  commitFrame(wal, 1);
  wal.markIdle();
  commitFrame(wal, 1);
  wal.abandon();
  const name = segmentNames(disk)[0] as string;
  const kinds = framesIn(disk.contentOf(`${DIR}/${name}`)).map(({kind}) => kind);
  expect(kinds).toEqual([1, 1, 2, 1]);
  return {disk, name};
}

/** Changes the header of the frame that begins with the n-th sector behind the header block, and makes its checksum right again. */
function forgeFrame(disk: SimDisk, name: string, sector: number, change: (header: DataView) => void): void {
  damage(disk, name, content => {
    const salt = new DataView(content.buffer).getInt32(SALT_AT, true);
    const at = HEADER_BYTES + sector * SECTOR_BYTES;
    const header = new DataView(content.buffer, at, SECTOR_BYTES);
    change(header);
    header.setInt32(FRAME_CHECKSUM_AT, crc32c(content, at, FRAME_CHECKSUM_AT, salt), true);
  });
}

function forgeSegment(disk: SimDisk, name: string, change: (header: DataView) => void): void {
  damage(disk, name, content => {
    const header = new DataView(content.buffer);
    change(header);
    header.setInt32(SEGMENT_CHECKSUM_AT, crc32c(content, 0, SEGMENT_CHECKSUM_AT, 0), true);
  });
}

/** What opening and reading both say; neither may change anything. */
function refusalOf(disk: SimDisk): {code: string; message: string} {
  const image = imageOf(disk);
  const opened = errorOf(() => openSmall(disk));
  const read = errorOf(() => verifyWal({dir: DIR, io: disk}));
  expect([read.code, read.message]).toEqual([opened.code, opened.message]);
  expect(imageOf(disk)).toEqual(image);
  return opened;
}

test('a frame of a later version, with unknown flags or of an unknown kind is refused as such', () => {
  const later: ((header: DataView) => void)[] = [
    header => header.setUint16(FRAME.VERSION, 2, true),
    header => header.setUint8(FRAME.FLAGS, 1),
    header => header.setUint8(FRAME.KIND, 5),
    header => header.setUint8(FRAME.KIND, 0),
  ];
  for (const [index, change] of later.entries()) {
    const {disk, name} = log();
    forgeFrame(disk, name, 1, change);
    expect(refusalOf(disk).code, `case ${index}`).toBe('unsupported_version');
  }
});

test('a segment of a later version or with unknown flags is refused as such', () => {
  for (const [at, value] of [
    [8, 2],
    [56, 2],
    [56, 0x8000_0001],
  ] as const) {
    const {disk, name} = log();
    forgeSegment(disk, name, header => header.setUint32(at, value, true));
    expect(refusalOf(disk).code, `${value} at ${at}`).toBe('unsupported_version');
  }
});

test('a block with another magic is no header', () => {
  for (const at of [0, 4]) {
    const {disk, name} = log();
    forgeSegment(disk, name, header => header.setUint8(at, 0));
    expect(refusalOf(disk)).toMatchObject({code: 'corruption', message: expect.stringMatching(/header of a segment/)});
  }
});

test('a segment with an impossible block size is damaged', () => {
  for (const blockBytes of [0, 256, 513, 1536, 8192, 0x8000_0000]) {
    const {disk, name} = log();
    forgeSegment(disk, name, header => header.setUint32(12, blockBytes, true));
    expect(refusalOf(disk).code, `${blockBytes}`).toBe('corruption');
  }
});

test('a control frame written after other frames than those before it shows that some are missing', () => {
  const {disk, name} = log();
  forgeFrame(disk, name, 2, header => header.setBigUint64(FRAME.LSN, 5n, true));
  expect(refusalOf(disk)).toMatchObject({code: 'corruption', message: expect.stringMatching(/frames are missing/)});
});

test('a frame behind lost control frames that follows another frame does not continue the log', () => {
  const {disk, name} = log();
  forgeFrame(disk, name, 3, header => header.setInt32(FRAME.LINK, 12_345, true));
  damage(disk, name, content => content.fill(0, HEADER_BYTES + 2 * SECTOR_BYTES, HEADER_BYTES + 3 * SECTOR_BYTES));
  expect(openSmall(disk).recovery).toMatchObject({ending: 'torn', lastLsn: 2n});
});

test('a frame behind lost control frames that has another lsn does not continue the log', () => {
  const {disk, name} = log();
  forgeFrame(disk, name, 3, header => header.setBigUint64(FRAME.LSN, 4n, true));
  damage(disk, name, content => content.fill(0, HEADER_BYTES + 2 * SECTOR_BYTES, HEADER_BYTES + 3 * SECTOR_BYTES));
  expect(openSmall(disk).recovery).toMatchObject({ending: 'torn', lastLsn: 2n});
});

test('a frame with impossible counts is refused, though all its checksums hold', () => {
  const impossible: [number, (header: DataView) => void][] = [
    [1, header => header.setUint32(FRAME.RECORDS, 0, true)],
    [2, header => header.setUint32(FRAME.RECORDS, 1, true)],
    [2, header => header.setUint32(FRAME.BODY_BYTES, 8, true)],
  ];
  for (const [frame, change] of impossible) {
    const {disk, name} = log();
    forgeFrame(disk, name, frame, change);
    expect(refusalOf(disk)).toMatchObject({code: 'corruption', message: expect.stringMatching(/no writer makes/)});
  }
});

/** A log of one frame whose body ends with its only block, holding one record whose header claims this many bytes. */
function oneFrame(claimed: number): SimDisk {
  const body = new Uint8Array(SECTOR_BYTES - 48);
  new DataView(body.buffer).setUint32(4, claimed, true);
  const header = {version: 1, blockBytes: SECTOR_BYTES, ordinal: 1n, firstLsn: 1n, flags: 0, marker: 0n};
  const frame = {kind: 1, lsn: 1n, records: 1, bodyBytes: body.length, synced: 0n, link: 0, body};
  const disk = new SimDisk();
  disk.makeDir(DIR);
  const segment = segmentOf(header, [frame], new Uint8Array(0)).slice(0, HEADER_BYTES + SECTOR_BYTES);
  disk.replaceContent(`${DIR}/wal-00000000000000000001.seg`, segment);
  return disk;
}

test('a record that passes the end of its frame is never shown', () => {
  const whole = SECTOR_BYTES - 48 - 16;
  expect(readAll(readWal({dir: DIR, io: oneFrame(whole)})).lsns).toEqual([1n]);
  for (const claimed of [whole + 1, 2 ** 31, 2 ** 32 - 1]) {
    const cursor = readWal({dir: DIR, io: oneFrame(claimed)});
    expect(errorOf(() => cursor.next()).code, `${claimed}`).toBe('corruption');
    cursor.close();
  }
});

test("a record that would begin behind the last byte of the reader's window is corruption", () => {
  const disk = new SimDisk();
  const frameBytes = 4096;
  const wal = openSmall(disk, {segmentBytes: 2 << 20, maxRecordBytes: frameBytes - 48 - 16});
  const frames = (1 << 20) / frameBytes;
  for (let i = 0; i < frames; i++) commitFrame(wal, 1, frameBytes - 48 - 16);
  wal.abandon();
  disk.endProcess();
  const sector = (frames - 1) * (frameBytes / SECTOR_BYTES);
  forgeFrame(disk, segmentNames(disk)[0] as string, sector, header => header.setUint32(FRAME.RECORDS, 2, true));
  expect(errorOf(() => readAll(readWal({dir: DIR, io: disk})))).toMatchObject({code: 'corruption', lsn: 257n});
});

test('an only segment without content that begins elsewhere than the log would is refused', () => {
  const disk = new SimDisk();
  disk.makeDir(DIR);
  const path = `${DIR}/wal-00000000000000000007.seg`;
  disk.replaceContent(path, new Uint8Array(16_384));
  expect(refusalOf(disk)).toMatchObject({code: 'corruption'});
  expect(openSmall(disk, {firstLsn: 7n}).recovery).toMatchObject({ending: 'fresh', firstLsn: 7n});
});
