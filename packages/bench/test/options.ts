/**
 * Options for tests: a directory of the test's own and the smallest budgets, so that a scenario is only tried, never
 * timed.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {onTestFinished} from 'vitest';
import type {BenchOptions} from '../src/scenario.ts';

export function tinyOptions(changes: Partial<BenchOptions> = {}): BenchOptions {
  const dir = mkdtempSync(join(tmpdir(), 'allocdb-bench-test-'));
  onTestFinished(() => rmSync(dir, {recursive: true, force: true}));
  return {
    seconds: 0.2,
    warmUpSeconds: 0.05,
    repeat: 1,
    dir,
    shapes: [{connections: 1, outstanding: 4}],
    resources: [2000],
    outstanding: [1, 64],
    rate: null,
    scale: 0.001,
    waiters: [1, 16],
    replayMib: 1,
    profileDir: null,
    progress: () => undefined,
    ...changes,
  };
}
