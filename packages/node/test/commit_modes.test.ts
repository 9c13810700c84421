/**
 * However frames are written (blocking, on the thread pool, or as measured), the answers are the same, and so is the log.
 */
import type {ApiRequest} from '@allocdb/api';
import {digestOf} from '@allocdb/core';
import type {CommitMode} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {afterPowerCut, batch, Caller, create, openOn, reserve, resource, said, tick, turns, until} from './support.ts';

/** Three callers, many turns of different size, retries, reads, batches and ticks. */
function script(): {caller: number; turn: number; request: ApiRequest}[] {
  const steps: {caller: number; turn: number; request: ApiRequest}[] = [];
  for (let i = 0; i < 240; i++) {
    const slot = BigInt(1 + Math.floor(i / 20));
    const id = BigInt((i * 7) % 23) + 1n;
    const request =
      i % 6 === 0
        ? create(id, BigInt(i))
        : i % 11 === 3
          ? batch(3, id + 20n, BigInt(10_000 + 10 * i))
          : i % 5 === 1
            ? resource(id)
            : i % 17 === 2
              ? tick(slot)
              : reserve(id, slot, BigInt(i - (i % 9 === 4 ? 3 : 0)));
    steps.push({caller: i % 3, turn: Math.floor(i / (1 + (i % 4))), request});
  }
  return steps;
}

async function run(mode: CommitMode, syncMs: number): Promise<{said: string[][]; digest: bigint}> {
  const disk = new SimDisk();
  const engine = openOn(disk, {commitMode: mode, maxFrameBytes: 4096});
  const callers = [new Caller(engine), new Caller(engine), new Caller(engine)];
  let last = 0;
  for (const [index, {caller, turn, request}] of script().entries()) {
    // The disk becomes slow and fast again: the adaptive mode goes over and back.
    disk.syncMs = index > 60 && index < 120 ? syncMs : 0.01;
    if (turn !== last) await turns(1 + (index % 2));
    last = turn;
    callers[caller]?.send(request);
  }
  await until(() => callers.reduce((sum, caller) => sum + caller.responses.length, 0) === 240);
  const digest = digestOf(engine.db);
  expect(digestOf(openOn(afterPowerCut(disk)).db)).toBe(digest);
  await engine.close();
  return {said: callers.map(caller => caller.said), digest};
}

describe('commit modes', () => {
  test.each(['inline', 'async', 'adaptive'] as const)('%s answers as handleApiBytes does', async mode => {
    const engine = openOn(new SimDisk());
    const expected: string[][] = [[], [], []];
    for (const {caller, request} of script()) expected[caller]?.push(said(engine.handleApiRequest(request)));
    const ran = await run(mode, 5);
    expect(ran.said).toEqual(expected);
    expect(ran.digest).toBe(digestOf(engine.db));
  });
});
