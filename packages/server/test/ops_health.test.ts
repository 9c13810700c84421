/**
 * Health of real engines: each thing that can be in the way is brought about, named, and gone when it is over.
 */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {createDirectoryAt} from '@allocdb/node/testing';
import {afterEach, expect, test} from 'vitest';
import {cleanUp, tempDir} from './command.ts';
import {ask, breakLog, closeEngines, configWith, openFixture} from './ops_fixture.ts';
import {closeSmallDisks, SmallDisk} from './process_faults_small_disk.ts';
import {create, createMany, getResource} from './requests.ts';

afterEach(async () => {
  await closeEngines();
  await cleanUp();
  await closeSmallDisks();
});

const READY = {ready: true, reasons: [], codes: []};

test('a running engine is ready, with details for whoever looks', async () => {
  const {engine, health} = openFixture();
  await ask(engine, create(1n));
  expect(health.liveness()).toEqual({live: true});
  expect(health.readiness()).toMatchObject({...READY, details: {state: 'running', durableLsn: '1', queueDepth: 0}});
});

test('stopping, at once and before anything is closed', async () => {
  const {engine, health} = openFixture();
  health.beginShutdown();
  expect(health.readiness()).toMatchObject({ready: false, codes: ['shutting_down']});
  expect(await ask(engine, create(1n))).toMatchObject({type: 'submit_committed'});
  await engine.close();
  expect(health.readiness().codes).toEqual(['shutting_down']);
  expect(health.liveness()).toEqual({live: true});
});

test('halted, and alive', async context => {
  const disk = await SmallDisk.openFor(context, 16);
  const {engine, health} = openFixture(configWith(), join(disk.root, 'data'));
  await ask(engine, create(1n));
  breakLog(disk);
  expect(await ask(engine, create(2n))).toMatchObject({failure: {code: 'storage_failure'}});
  const {ready, codes, reasons} = health.readiness();
  expect([ready, codes]).toEqual([false, ['halted']]);
  expect(reasons[0]).toMatch(/^halted: .*restart/);
  expect(health.liveness()).toEqual({live: true});
});

test('no lsn left', async () => {
  const dir = tempDir();
  const config = configWith();
  await createDirectoryAt(dir, config, {lsn: 2n ** 64n - 2n, slot: 0n});
  const {engine, health} = openFixture(config, dir);
  expect(health.readiness()).toMatchObject(READY);
  await ask(engine, create(1n));
  expect(health.readiness().codes).toEqual(['lsn_exhausted']);
});

test('a table of operations that is nearly full, until operations have left it', async () => {
  const fixture = openFixture(configWith({maxOperations: 100, maxTtlSlots: 50, operationWindowSlots: 60}));
  const {engine, health} = fixture;
  await ask(engine, createMany(1n, 94));
  expect(health.readiness()).toMatchObject(READY);
  await ask(engine, create(95n));
  expect(health.readiness().codes).toEqual(['operation_table']);
  expect(health.readiness().reasons[0]).toContain('95 of 100');
  await ask(engine, {...create(96n), requestSlot: 500n} as ReturnType<typeof create>);
  expect(health.readiness()).toMatchObject(READY);
});

test('a queue that is full, until the disk has caught up', async () => {
  const {engine, health} = openFixture(configWith({}, 2));
  const answers = [ask(engine, create(1n)), ask(engine, create(2n))];
  expect(health.readiness().codes).toEqual(['queue_full']);
  await Promise.all(answers);
  expect(health.readiness()).toMatchObject(READY);
});

test('a full disk, until a command is taken, or long enough for somebody to try', async context => {
  const disk = await SmallDisk.openFor(context, 12);
  const {engine, health, clock} = openFixture(configWith({maxOperations: 500_000}), join(disk.root, 'data'));
  await ask(engine, create(1n));
  writeFileSync(join(disk.root, 'ballast'), new Uint8Array(disk.freeBytes));
  const taken = async (id: bigint): Promise<boolean> => {
    const answer = await ask(engine, createMany(id, 100));
    return answer.type === 'batch_result' && answer.results.every(({type}) => type === 'submit_committed');
  };
  let id = 100n;
  while (await taken(id)) id += 100n;
  expect(health.readiness().codes).toEqual(['storage_full']);
  expect(await ask(engine, getResource(1n))).toMatchObject({type: 'resource_found'});
  clock.nowMs += 29_000;
  expect(health.readiness().codes).toEqual(['storage_full']);
  clock.nowMs += 2000;
  expect(health.readiness()).toMatchObject(READY);
  expect(await taken(id)).toBe(false);
  expect(health.readiness().codes).toEqual(['storage_full']);
  await disk.resize(40);
  expect(await taken(id)).toBe(true);
  expect(health.readiness()).toMatchObject(READY);
});
