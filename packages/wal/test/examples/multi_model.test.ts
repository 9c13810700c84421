/**
 * The example of a multi-model store, with real processes, a real disk and real kills.
 */

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {runKills} from '../../examples/multi_model/kill_run.ts';
import {MultiModelStore} from '../../examples/multi_model/store.ts';

const root = mkdtempSync(join(tmpdir(), 'wal-multi-model-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

test('a store that is killed again and again holds exactly what it acknowledged', async () => {
  const report = await runKills(join(root, 'killed'), 4, 70);
  expect(report.kills).toBe(4);
  expect(report.operations).toBeGreaterThanOrEqual(4 * 70);
  expect(report.surrogates).toBeGreaterThan(40);
  expect(report.entries).toBeGreaterThan(100);
});

test('a dropped collection stays dropped, its successor and its namesakes stay', async () => {
  const dir = join(root, 'dropped');
  const [mine, yours] = [
    {tenant: 1n, database: 1n},
    {tenant: 2n, database: 1n},
  ];
  const store = MultiModelStore.open(dir);
  const old = await store.addVector(mine, 'old', [1]);
  await store.addVector(yours, 'old', [2]);
  await store.dropCollection(mine, 'images');
  const [fresh, same] = await Promise.all([store.addVector(mine, 'new', [3]), store.addVector(mine, 'new', [4])]);
  expect(same).toBe(fresh);
  expect(fresh).not.toBe(old);
  const {state} = store;
  expect(Object.keys(state).sort()).toEqual(['1/1/images/new', '2/1/images/old']);
  await store.close();
  const again = MultiModelStore.open(dir);
  expect(again.state).toEqual(state);
  expect(again.surrogates.get('1/1/images/new')).toBe(fresh);
  await again.close();
});
