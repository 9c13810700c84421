/** When checkpoints begin by themselves, and what a slot's length has to do with opening. */
import {setTimeout as sleep} from 'node:timers/promises';
import {SimDisk} from '@allocdb/wal/testing';
import {expect, test} from 'vitest';
import {create, openErrorOf, openOn, SNAPSHOT_DIR} from './support.ts';

const EVERY = {checkpoint: {everyLogBytes: 20_000}} as const;

async function snapshotCount(disk: SimDisk, want: number): Promise<number> {
  const count = (): number => disk.list(SNAPSHOT_DIR).filter(name => name.endsWith('.snap')).length;
  for (let round = 0; round < 200 && count() < want; round++) await sleep(1);
  return count();
}

test('log that opening had to replay counts: restarts cannot put a checkpoint off for ever', async () => {
  const disk = new SimDisk();
  let id = 0n;
  let made = 0;
  for (let life = 0; life < 5; life++) {
    const engine = openOn(disk, EVERY);
    // Far less than the threshold in each life.
    for (let i = 0; i < 10; i++) engine.handleApiRequest(create(++id));
    made = await snapshotCount(disk, life < 4 ? 0 : 1);
    await engine.close();
  }
  expect(made).toBeGreaterThan(0);
});

test('synchronous use makes checkpoints too', async () => {
  const disk = new SimDisk();
  const engine = openOn(disk, EVERY);
  for (let i = 1n; i <= 60n; i++) engine.handleApiRequest(create(i));
  expect(await snapshotCount(disk, 1)).toBe(1);
  expect(engine.metrics(1n)).toMatchObject({checkpoints: 1});
  await engine.close();
});

test('closing at once gives a checkpoint up: nothing appears under the name of a snapshot afterwards', async () => {
  const disk = new SimDisk();
  const engine = openOn(disk, EVERY);
  for (let i = 1n; i <= 60n; i++) engine.handleApiRequest(create(i));
  engine.closeNow();
  expect(await snapshotCount(disk, 1)).toBe(0);
});

test('slots of another length than those the directory was created with are refused by name', () => {
  const disk = new SimDisk();
  openOn(disk, {slotMs: 1000}).closeNow();
  expect(openErrorOf(() => openOn(disk, {slotMs: 100}))).toMatchObject({
    code: 'config_mismatch',
    issues: ['slot_ms: created with 1000, given 100'],
  });
  openOn(disk, {slotMs: 1000}).closeNow();
  openOn(disk).closeNow();
});
