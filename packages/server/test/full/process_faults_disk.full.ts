/**
 * A real server process on a real file system that is full, or full during a checkpoint: a small tmpfs of the test's own
 * (`process_faults_small_disk.ts`). A full disk is a definite refusal and passes; nothing that was answered is lost.
 */
import {readdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import type {ApiResponse} from '@allocdb/api';
import {afterEach, expect, test, vi} from 'vitest';
import {cleanUp, runCommand, ServeProcess} from '../command.ts';
import {Peer} from '../peer.ts';
import {faultConfigFile, filler} from '../process_faults_config.ts';
import {broughtAbout, FaultLoad, settle} from '../process_faults_load.ts';
import {closeSmallDisks, SmallDisk} from '../process_faults_small_disk.ts';
import {create, createMany, GET_METRICS, getResource, reserve} from '../requests.ts';

vi.setConfig({testTimeout: 300_000});

afterEach(async () => {
  await cleanUp();
  await closeSmallDisks();
});

const MIB: number = 1 << 20;
/** Room for one segment of 64 MiB and not for the next, which a server fills with zeros ahead. */
const ONE_SEGMENT_MIB = 70;
const ROOMY_MIB = 220;

/** Takes all space but this much; returns the file to be removed. */
function fillUp(disk: SmallDisk, leftBytes: number): string {
  const path = join(disk.root, 'ballast');
  const chunk = new Uint8Array(MIB / 4).fill(1);
  while (disk.freeBytes - leftBytes >= chunk.length) writeFileSync(path, chunk, {flag: 'a'});
  return path;
}

function isRefusedFull(answer: ApiResponse | null): boolean {
  return answer?.type === 'submit_rejected' && answer.failure.code === 'storage_full';
}

/** Waits until nothing is being prepared on the disk any more. */
async function settledSpace(disk: SmallDisk): Promise<void> {
  for (let last = -1; last !== disk.freeBytes; ) {
    last = disk.freeBytes;
    await pause(300);
  }
}

test('a full disk refuses for certain, halts nothing, and passes; nothing answered is lost', async context => {
  const disk = await SmallDisk.openFor(context, ONE_SEGMENT_MIB);
  const dir = join(disk.root, 'data');
  const server = await ServeProcess.start(dir, '--config', faultConfigFile(100));
  const peer = await Peer.open(server.port);
  await peer.ask(...Array.from({length: 20}, (_, i) => create(BigInt(i + 1))));
  const [held] = await peer.ask(reserve(1000n, 1n, 10_000n));
  const large = await FaultLoad.open(server.port, index => filler(BigInt(2_000_000 + index)));
  const small = await FaultLoad.open(server.port, index => create(BigInt(3_000_000 + index)));
  const running = Promise.all([large.run(8), small.run(8)]);
  // Small commands fit behind the last large one; then nothing does.
  await broughtAbout(() => isRefusedFull(large.last) && isRefusedFull(small.last), 'the disk to be full');
  for (const load of [large, small]) load.stop();
  await running;
  const sent = [...large.sent, ...small.sent];
  const refused = sent.filter(({answer}) => answer?.type === 'submit_rejected');
  expect(refused.length).toBeGreaterThan(10);
  expect(refused.filter(({answer}) => !isRefusedFull(answer))).toEqual([]);
  expect(sent.filter(({answer}) => answer?.type === 'submit_committed').length).toBeGreaterThan(500);
  // Alive: reads and repeats are answered, metrics say that writes will be taken.
  const [read, repeat, metrics] = await peer.ask(getResource(1n), reserve(1000n, 1n, 10_000n), GET_METRICS);
  expect(read).toMatchObject({type: 'resource_found', state: 'reserved'});
  expect(repeat).toEqual({...held, fromRetryCache: true});
  expect(metrics).toMatchObject({acceptingWrites: true, queueDepth: 0});
  expect(server.events.filter(({event}) => event === 'halted')).toEqual([]);
  await disk.resize(ROOMY_MIB);
  const settled = await settle(server.port, sent);
  expect(settled).toMatchObject({refused: refused.length, open: 0});
  await server.kill();
  expect((await runCommand(['verify', dir])).stdout.toString()).toMatch(/^ok {2}lsn=/);
  const again = await ServeProcess.start(dir);
  expect(await settle(again.port, sent)).toEqual({committed: sent.length, refused: 0, open: 0});
  process.stdout.write(`full disk: ${settled.committed} commands before it, ${settled.refused} refused, all settled\n`);
});

test('a crash on a full disk is recovered from there, and goes on when there is space', async context => {
  const disk = await SmallDisk.openFor(context, ONE_SEGMENT_MIB);
  const dir = join(disk.root, 'data');
  const server = await ServeProcess.start(dir, '--config', faultConfigFile(100));
  const load = await FaultLoad.open(server.port, index => filler(BigInt(2_000_000 + index)));
  const running = load.run(8);
  await broughtAbout(() => isRefusedFull(load.last), 'the disk to be full');
  await server.kill();
  await running;
  writeFileSync(join(disk.root, 'ballast'), new Uint8Array(disk.freeBytes));
  expect(disk.freeBytes).toBe(0);
  const committed = load.sent.filter(({answer}) => answer?.type === 'submit_committed');
  const full = await ServeProcess.start(dir);
  expect(await settle(full.port, committed.slice(-100))).toMatchObject({committed: 100});
  const peer = await Peer.open(full.port);
  expect(await peer.ask(filler(1n))).toMatchObject([{type: 'submit_rejected', failure: {code: 'storage_full'}}]);
  await disk.resize(ROOMY_MIB);
  expect(await peer.ask(filler(1n))).toMatchObject([{type: 'submit_committed', fromRetryCache: false}]);
  expect((await settle(full.port, load.sent)).committed).toBe(committed.length);
  expect(await full.signal('SIGTERM')).toEqual({code: 0, signal: null});
  expect((await runCommand(['verify', dir])).stdout.toString()).toMatch(/^ok {2}lsn=/);
});

test('a disk that is full during a checkpoint costs this checkpoint and nothing else', async context => {
  const disk = await SmallDisk.openFor(context, ROOMY_MIB);
  const dir = join(disk.root, 'data');
  const flags = ['--checkpoint-every-mib', '4', '--retain-log-mib', '0'];
  const server = await ServeProcess.start(dir, '--config', faultConfigFile(100), ...flags);
  const peer = await Peer.open(server.port);
  const told = [await peer.ask(createMany(1n, 8000)), await peer.ask(createMany(8001n, 1500))].flat();
  expect(told).toMatchObject([{type: 'batch_result'}, {type: 'batch_result'}]);
  await settledSpace(disk);
  // Its records alone need more than that.
  const ballast = fillUp(disk, MIB / 4);
  const finished = (): number => server.events.filter(({event}) => event === 'checkpoint_finished').length;
  const before = finished();
  const load = await FaultLoad.open(server.port, index => filler(BigInt(2_000_000 + index)));
  const running = load.run(4);
  const failed = await server.logged('checkpoint_failed');
  expect(failed['reason']).toMatch(/ENOSPC|no space/i);
  const answered = load.answered;
  await broughtAbout(() => load.answered > answered + 20, 'the load to go on');
  expect(server.events.filter(({event}) => event === 'halted')).toEqual([]);
  expect(finished()).toBe(before);
  // What it had begun is gone, or it would take the space for good.
  await broughtAbout(() => snapshotFiles(dir).every(name => !name.endsWith('.tmp')), 'the unfinished snapshot to go');
  rmSync(ballast);
  await broughtAbout(() => finished() > before, 'a checkpoint to succeed');
  load.stop();
  await running;
  expect(load.sent.filter(({answer}) => answer?.type !== 'submit_committed')).toEqual([]);
  await server.kill();
  expect((await runCommand(['verify', dir])).stdout.toString()).toMatch(/^ok {2}lsn=/);
  const again = await ServeProcess.start(dir);
  expect(await settle(again.port, load.sent)).toMatchObject({committed: load.sent.length});
});

function snapshotFiles(dir: string): string[] {
  return readdirSync(join(dir, 'snapshots'));
}
