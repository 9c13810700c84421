/**
 * Looking into a snapshot: header, counts, digest and records of a sound one; with any bit flipped, the damage is named and
 * no record that was not written is shown; with a block gone, the blocks behind it are told all the same.
 */
import {digestOf} from '@allocdb/core';
import {crc32c} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {beforeAll, describe, expect, test} from 'vitest';
import {inspectSnapshot, type SectionName, type SnapshotInspection} from '../src/index.ts';
import {BLOCK, HEADER, snapshotName} from '../src/storage/snapshot_format.ts';
import {batch, configWith, openErrorOf, openOn, payload, reserve, SNAPSHOT_DIR, tick} from './support.ts';

const SHARD = 7n;
const SECTIONS: readonly SectionName[] = ['resources', 'reservations', 'operations'];

interface Sample {
  readonly disk: SimDisk;
  readonly path: string;
  readonly lsn: bigint;
  readonly digest: bigint;
}

/** Reservations in several states, a bundle, and refusals among the operations. */
async function sample(resources: number): Promise<Sample> {
  const disk = new SimDisk();
  const config = configWith({}, {maxResources: 8192, maxReservations: 4096, maxOperations: 16_384});
  const engine = openOn(disk, {config, segmentBytes: 1 << 20});
  for (let first = 1; first <= resources; first += 500) {
    engine.handleApiRequest(batch(Math.min(500, resources + 1 - first), BigInt(first), BigInt(10_000 + first)));
  }
  const submit = (command: Parameters<typeof payload>[0], operation: bigint): void => {
    engine.handleApiRequest({type: 'submit', requestSlot: 3n, payload: payload(command, operation)});
  };
  engine.handleApiRequest(reserve(1n, 2n, 1n));
  engine.handleApiRequest(reserve(1n, 2n, 2n));
  submit({kind: 'reserve_bundle', resourceIds: [2n, 3n], holderId: 8n, ttlSlots: 50n}, 3n);
  submit({kind: 'confirm', reservationId: (SHARD << 64n) | BigInt(resources + 3), holderId: 8n}, 4n);
  engine.handleApiRequest(tick(8n));
  const {lsn} = await engine.checkpoint();
  const digest = digestOf(engine.db);
  engine.closeNow();
  return {disk, path: `${SNAPSHOT_DIR}/${snapshotName(lsn)}`, lsn, digest};
}

function inspected({disk, path}: Pick<Sample, 'disk' | 'path'>, section?: SectionName): SnapshotInspection {
  return inspectSnapshot(path, {io: disk, shardId: SHARD, limit: 100_000, ...(section === undefined ? {} : {section})});
}

function idOf(value: bigint): string {
  return value.toString(16).padStart(32, '0');
}

let small: Sample;
beforeAll(async () => {
  small = await sample(4);
});

describe('of a sound snapshot', () => {
  test('header, counts and digests are told and agree', () => {
    const {problems, header, sections, digest, records} = inspected(small);
    expect(problems).toEqual([]);
    expect(header).toMatchObject({lsn: small.lsn, slot: 8n, resources: 4n, reservations: 2n, operations: 8n});
    expect(sections.map(({name, expected, found, damagedBlocks}) => [name, expected, found, damagedBlocks])).toEqual([
      ['resources', 4n, 4n, 0],
      ['reservations', 2n, 2n, 0],
      ['operations', 8n, 8n, 0],
    ]);
    expect(digest).toEqual({header: small.digest, trailer: small.digest, records: small.digest});
    expect(records).toEqual([]);
  });

  test('records are shown by name, as many as are asked for', () => {
    const resources = inspected(small, 'resources').records;
    const bundle = idOf((SHARD << 64n) | 7n);
    const expired = idOf((SHARD << 64n) | 5n);
    expect(
      resources.map(record => record.kind === 'resource' && [record.id, record.state, record.reservation]),
    ).toEqual(
      expect.arrayContaining([
        [idOf(1n), 'available', null],
        [idOf(2n), 'confirmed', bundle],
      ]),
    );
    expect(inspected(small, 'reservations').records).toEqual(
      expect.arrayContaining([
        expect.objectContaining({id: bundle, state: 'confirmed', epoch: 1n, resources: [idOf(2n), idOf(3n)]}),
        expect.objectContaining({id: expired, state: 'expired', epoch: 2n, releasedLsn: 9n, retireAfterSlot: 18n}),
      ]),
    );
    expect(inspected(small, 'operations').records).toEqual(
      expect.arrayContaining([
        expect.objectContaining({id: idOf(1n), result: 'ok', reservation: expired, deadlineSlot: 7n}),
        expect.objectContaining({id: idOf(2n), result: 'resource_busy', reservation: null, deadlineSlot: null}),
      ]),
    );
    expect(inspectSnapshot(small.path, {io: small.disk, section: 'operations', limit: 3}).records).toHaveLength(3);
  });

  test('of many blocks, every record is there', async () => {
    const large = await sample(6000);
    const found = inspected(large, 'resources');
    expect(found.problems).toEqual([]);
    expect(found.sections.find(({name}) => name === 'resources')?.blocks).toBeGreaterThan(2);
    expect(new Set(found.records.map(({id}) => id)).size).toBe(6000);
  });
});

describe('of a damaged snapshot', () => {
  test('any flipped bit is named, and only records that were written are shown', () => {
    const {disk, path} = small;
    const written = new Set(SECTIONS.flatMap(section => inspected(small, section).records.map(textOf)));
    const length = disk.contentOf(path).length;
    const wrong: string[] = [];
    for (let at = 0; at < 8 * length; at++) {
      disk.flipBit(path, at >> 3, at & 7);
      const section = SECTIONS[at % 3] ?? 'resources';
      const {problems, records} = inspected(small, section);
      disk.flipBit(path, at >> 3, at & 7);
      if (problems.length === 0) wrong.push(`bit ${at} is not noticed`);
      for (const record of records) if (!written.has(textOf(record))) wrong.push(`bit ${at}: ${textOf(record)}`);
    }
    expect(wrong).toEqual([]);
    expect(length).toBeGreaterThan(800);
  });

  test('of every length that it can be cut to', () => {
    const {disk, path} = small;
    const content = disk.contentOf(path);
    const cut = disk.fork();
    for (let length = 0; length < content.length; length++) {
      cut.replaceContent(path, content.slice(0, length));
      expect([length, inspected({disk: cut, path}).problems]).not.toEqual([length, []]);
    }
    cut.replaceContent(path, Uint8Array.from([...content, 0, 0, 0]));
    expect(inspected({disk: cut, path}).problems).toEqual(['3 bytes follow the trailer']);
  });

  test('behind a damaged block the others are read, and the header counts what is missing', async () => {
    const {disk, path} = await sample(6000);
    const content = disk.contentOf(path);
    const sound = inspected({disk, path}, 'resources');
    disk.flipBit(path, 128 + 16 + 5000, 3);
    const found = inspected({disk, path}, 'resources');
    expect(found.sections.reduce((sum, {damagedBlocks}) => sum + damagedBlocks, 0)).toBe(1);
    expect(found.digest).toMatchObject({header: sound.digest.header, trailer: sound.digest.trailer, records: null});
    expect(found.problems[0]).toBe('the block at 128 fails its checksum');
    expect(found.problems[1]).toMatch(/intact records of operations, the header counts/);
    expect(found.records).toHaveLength(6000);
    disk.replaceContent(path, content.with(128 + 8, 4));
    expect(inspected({disk, path}).problems.join()).toMatch(
      /where the block behind the one at 128 begins is not known/,
    );
  });

  test('a record that was changed under a checksum that fits is found by the digest', () => {
    const {disk, path} = small;
    const content = disk.contentOf(path);
    const view = new DataView(content.buffer);
    const at = HEADER.BYTES;
    const length = view.getUint32(at + BLOCK.LENGTH, true);
    content[at + BLOCK.HEADER_BYTES + 20] = 77;
    const head = crc32c(content, at, BLOCK.CHECKSUM, 0);
    view.setInt32(at + BLOCK.CHECKSUM, crc32c(content, at + BLOCK.HEADER_BYTES, length, head), true);
    const changed = disk.fork();
    changed.replaceContent(path, content);
    const {problems, digest} = inspected({disk: changed, path});
    expect(problems).toEqual(['its records give another digest than its header']);
    expect(digest.trailer).toBe(digest.header);
  });

  test('a file that is not there is an error', () => {
    expect(openErrorOf(() => inspectSnapshot('/nowhere.snap', {io: new SimDisk()})).code).toBe('io');
  });
});

function textOf(record: object): string {
  return Object.values(record).join(' ');
}
