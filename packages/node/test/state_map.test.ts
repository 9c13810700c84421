/** The picture of all resources: as many bytes as there are resources, each the state that a read tells, once durable. */
import {RESOURCE_STATE} from '@allocdb/api';
import {SimDisk} from '@allocdb/wal/testing';
import {expect, test} from 'vitest';
import {batch, configWith, create, HeldDisk, openOn, reserve, until} from './support.ts';

const {AVAILABLE, RESERVED} = RESOURCE_STATE;

test('a byte for each resource, in the order of creation, over several slices', async () => {
  const resources = 40_000;
  const config = configWith({maxSubmissionQueue: 100_000}, {maxResources: resources, maxOperations: 100_000});
  const engine = openOn(new SimDisk(), {config, segmentBytes: 8 << 20});
  expect(await engine.stateMap()).toEqual({lsn: null, states: new Uint8Array(0)});
  for (let first = 0; first < resources; first += 10_000) engine.handleApiRequest(batch(10_000, BigInt(first)));
  const held = [0n, 16_383n, 16_384n, 39_999n];
  for (const id of held) engine.handleApiRequest(reserve(id));
  const {lsn, states} = await engine.stateMap();
  expect(lsn).toBe(BigInt(resources + held.length));
  const expected = new Uint8Array(resources).fill(AVAILABLE);
  for (const id of held) expected[Number(id)] = RESERVED;
  expect(Buffer.compare(states, expected)).toBe(0);
});

test('what it shows is durable, and a halted engine shows nothing', async () => {
  const disk = new HeldDisk();
  const engine = openOn(disk, {commitMode: 'async', segmentBytes: 1 << 20});
  let shown = 0;
  const created = engine.submit(create(1n));
  const map = engine.stateMap().then(({states}) => {
    shown = states.length;
  });
  await until(() => disk.heldCount === 1);
  expect(shown).toBe(0);
  await disk.release();
  await Promise.all([created, map]);
  expect(shown).toBe(1);

  void engine.submit(create(2n));
  const lost = expect(engine.stateMap()).rejects.toMatchObject({code: 'engine_halted'});
  await until(() => disk.heldCount === 1);
  disk.arm({call: 1, kind: 'EIO'});
  await disk.release();
  await lost;
  await expect(engine.stateMap()).rejects.toMatchObject({code: 'engine_halted'});
});
