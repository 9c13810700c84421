/**
 * The bytes of a snapshot file: the layout is pinned, every cut and every changed byte is noticed, and no length or count
 * in it sizes anything before it was checked.
 */
import {createHash} from 'node:crypto';
import {AllocDb, digestOf, SECTION} from '@allocdb/core';
import {crc32c} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {isOpenError} from '../src/errors.ts';
import {
  BLOCK,
  HEADER,
  LAYOUT,
  lsnOfSnapshotName,
  SNAPSHOT_VERSION,
  snapshotName,
  TRAILER_SECTION,
} from '../src/storage/snapshot_format.ts';
import {loadSnapshot} from '../src/storage/snapshot_loading.ts';
import {batch, CORE, create, openOn, reserve, SNAPSHOT_DIR, tick} from './support.ts';

const SEED = new Int32Array(8).fill(11);

async function small(): Promise<{bytes: Uint8Array; digest: bigint}> {
  const disk = new SimDisk();
  const engine = openOn(disk);
  engine.handleApiRequest(batch(3, 1n, 1n));
  engine.handleApiRequest(reserve(1n, 2n, 10n));
  engine.handleApiRequest(reserve(2n, 3n, 11n));
  engine.handleApiRequest(tick(7n));
  const {lsn, digest} = await engine.checkpoint();
  return {bytes: disk.contentOf(`${SNAPSHOT_DIR}/${snapshotName(lsn)}`), digest};
}

/** What is wrong with these bytes as a snapshot; null when they are one of the digest. */
function problemOf(bytes: Uint8Array, digest: bigint): string | null {
  const disk = new SimDisk();
  disk.replaceContent('/file', bytes);
  const db = new AllocDb(CORE, SEED);
  let problem: string | null;
  try {
    problem = loadSnapshot(disk, '/file', db);
  } catch (error) {
    if (!isOpenError(error)) throw error;
    return error.code;
  }
  if (problem === null) expect(digestOf(db)).toBe(digest);
  return problem;
}

/** Puts the checksum of the header right again. */
function sealHeader(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer).setInt32(HEADER.CHECKSUM, crc32c(bytes, 0, HEADER.CHECKSUM, 0), true);
  return bytes;
}

/** The same for the block at an offset. */
function sealBlock(bytes: Uint8Array, at: number): Uint8Array {
  const view = new DataView(bytes.buffer);
  const length = Math.min(view.getUint32(at + BLOCK.LENGTH, true), bytes.length - at - BLOCK.HEADER_BYTES);
  const head = crc32c(bytes, at, BLOCK.CHECKSUM, 0);
  view.setInt32(at + BLOCK.CHECKSUM, crc32c(bytes, at + BLOCK.HEADER_BYTES, length, head), true);
  return bytes;
}

test('the layout is that of its version', () => {
  const hash = createHash('sha256').update(JSON.stringify(LAYOUT)).digest('hex').slice(0, 16);
  // A new hash means that old snapshots cannot be read as they are: raise SNAPSHOT_VERSION and keep reading the old one.
  expect([SNAPSHOT_VERSION, hash]).toEqual([1, '19c34e931689d70b']);
});

test('names carry the lsn, and nothing else is a snapshot', () => {
  for (const lsn of [0n, 1n, 2n ** 64n - 1n]) expect(lsnOfSnapshotName(snapshotName(lsn))).toBe(lsn);
  expect(snapshotName(42n)).toBe('snapshot-00000000000000000042.snap');
  for (const name of ['snapshot-42.snap', `${snapshotName(1n)}.tmp`, `${snapshotName(1n)}.rotten`, 'x']) {
    expect(lsnOfSnapshotName(name)).toBeNull();
  }
});

describe('damage', () => {
  test('every cut is noticed', async () => {
    const {bytes, digest} = await small();
    expect(problemOf(bytes, digest)).toBeNull();
    expect(bytes.length).toBeLessThan(1500);
    for (let length = 0; length < bytes.length; length++)
      expect(problemOf(bytes.slice(0, length), digest)).not.toBeNull();
    expect(problemOf(new Uint8Array([...bytes, 0]), digest)).toBe('bytes follow the trailer');
  });

  test('every changed bit is noticed', async () => {
    const {bytes, digest} = await small();
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      expect([at, problemOf(changed, digest)]).not.toEqual([at, null]);
    }
  });

  test('every changed word under a checksum that was put right is noticed, or is not part of the state', async () => {
    const {bytes, digest} = await small();
    const blocks: number[] = [];
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (
      let at: number = HEADER.BYTES;
      at < bytes.length;
      at += BLOCK.HEADER_BYTES + view.getUint32(at + BLOCK.LENGTH, true)
    ) {
      blocks.push(at);
    }
    for (let at = 0; at < bytes.length; at += 4) {
      for (const value of [0, 1, 0x7fff_ffff, -1]) {
        const changed = bytes.slice();
        const words = new DataView(changed.buffer);
        if (words.getInt32(at, true) === value) continue;
        words.setInt32(at, value, true);
        const block = blocks.filter(start => start <= at).at(-1);
        if (block === undefined) sealHeader(changed);
        else sealBlock(changed, block);
        // Zeros of the header between digest and checksum are not the state's.
        const isPadding = at >= HEADER.DIGEST + 16 && at < HEADER.CHECKSUM;
        if (isPadding || at === HEADER.CHECKSUM || at - (block ?? -99) === BLOCK.CHECKSUM) continue;
        const isUnusedCount = block !== undefined && block === blocks.at(-1) && at - block === BLOCK.RECORDS;
        if (!isUnusedCount) expect([at, value, problemOf(changed, digest)]).not.toEqual([at, value, null]);
      }
    }
  });
});

test('an intact file of another format version is not called damaged', async () => {
  const {bytes, digest} = await small();
  for (const field of [HEADER.VERSION, HEADER.RECORD_FORMAT]) {
    const newer = bytes.slice();
    new DataView(newer.buffer).setUint32(field, 2, true);
    expect(problemOf(newer, digest)).toBe('the header fails its checksum');
    expect(problemOf(sealHeader(newer), digest)).toBe('unsupported_version');
  }
});

describe('counts and lengths', () => {
  function block(section: number, records: number, length: number, present: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK.HEADER_BYTES + present);
    const view = new DataView(bytes.buffer);
    view.setUint32(BLOCK.SECTION, section, true);
    view.setUint32(BLOCK.RECORDS, records, true);
    view.setUint32(BLOCK.LENGTH, length, true);
    // A resource that is available, as far as it goes.
    if (present >= 36) view.setUint32(BLOCK.HEADER_BYTES + 16, 1, true);
    return sealBlock(bytes, 0);
  }

  async function withBlock(count: bigint, first: Uint8Array): Promise<string | null> {
    const {bytes, digest} = await small();
    const head = bytes.slice(0, HEADER.BYTES);
    new DataView(head.buffer).setBigUint64(HEADER.RESOURCES, count, true);
    return problemOf(new Uint8Array([...sealHeader(head), ...first]), digest);
  }

  test('are believed only as far as bytes are present', async () => {
    expect(await withBlock(2n ** 64n - 1n, block(SECTION.RESOURCES, 0xffff_ffff, 36, 36))).toMatch(/runs past/);
    expect(await withBlock(3n, block(SECTION.RESOURCES, 3, 0xffff_fffc, 108))).toMatch(/impossible length/);
    expect(await withBlock(3n, block(SECTION.RESOURCES, 3, 109, 109))).toMatch(/impossible length/);
    expect(await withBlock(3n, block(SECTION.RESOURCES, 3, 112, 108))).toMatch(/impossible length/);
    expect(await withBlock(2n, block(SECTION.RESOURCES, 3, 108, 108))).toMatch(/more records than the header/);
    expect(await withBlock(3n, block(SECTION.RESOURCES, 2, 108, 108))).not.toBeNull();
    expect(await withBlock(3n, block(9, 3, 108, 108))).toMatch(/unknown section/);
    expect(await withBlock(3n, block(TRAILER_SECTION, 0, 16, 16))).toMatch(/missing/);
    expect(await withBlock(0n, block(SECTION.RESERVATIONS, 1, 64, 64))).not.toBeNull();
  });

  test('more rows than the configuration allows are a problem, not an overflow', async () => {
    const disk = new SimDisk();
    const engine = openOn(disk);
    for (let i = 1n; i <= 64n; i++) engine.handleApiRequest(create(i));
    const {lsn} = await engine.checkpoint();
    const path = `${SNAPSHOT_DIR}/${snapshotName(lsn)}`;
    expect(loadSnapshot(disk, path, new AllocDb(CORE, SEED))).toBeNull();
    // Loaded as if it had been taken under this configuration.
    const fewer = new AllocDb({...CORE, maxResources: 63}, SEED);
    expect(loadSnapshot(disk, path, fewer)).toMatch(/another configuration/);
  });
});
