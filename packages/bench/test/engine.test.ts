/**
 * The engine in process from end to end with the smallest budgets: every interface answers as the workload expects, the
 * bare loop beside it too, and nothing is left behind. Nothing is asserted about durations.
 */
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {checkInvariants} from '@allocdb/core';
import {expect, test} from 'vitest';
import {EngineLoop} from '../src/engine_loop.ts';
import {EngineSubject} from '../src/engine_subjects.ts';
import {isSpread} from '../src/report.ts';
import {ENGINE} from '../src/scenarios/engine.ts';
import {tinyOptions} from './options.ts';

test('every interface is measured beside the bare loop, and nothing is left behind', async () => {
  const options = tinyOptions();
  const report = await ENGINE.run(options);
  expect(report.failures).toEqual([]);
  const rows = report.tables[0]?.rows ?? [];
  expect(rows.map(row => row.slice(0, 3))).toEqual([
    ['submitBytes', 1, 1],
    ['submitBytes', 64, 1],
    ['submitBytes', 64, 64],
    ['handleApiBytes', 1, 1],
    ['handleApiBytes', 64, 64],
    ['engine.submit', 1, 1],
    ['engine.submit', 256, 1],
    ['openDb', 1, 1],
    ['openDb', 256, 1],
  ]);
  for (const cell of rows.flatMap(row => row.slice(3))) {
    expect(cell !== null && isSpread(cell) && cell.median > 0).toBe(true);
  }
  expect(readdirSync(options.dir)).toEqual([]);
});

test('what the loop counts is what the engine has logged', async () => {
  const subject = await EngineSubject.open(join(tinyOptions().dir, 'data'));
  const before = subject.engine.metrics(0n).lastAppliedLsn ?? 0n;
  const loop = new EngineLoop(subject, 32, 8);
  const first = await loop.run(30);
  const second = await loop.run(30);
  const {lastAppliedLsn, expirations} = subject.engine.metrics(0n);
  expect((lastAppliedLsn ?? 0n) - before).toBe(BigInt(first.answers + second.answers + expirations));
  expect(second.answers % 8).toBe(0);
  expect(checkInvariants(subject.engine.db)).toEqual([]);
  await subject.close();
});
