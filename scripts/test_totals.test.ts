// The last line of a verification run must be true: all passes of all runs, and never "0 failed" of a run that failed.
// The logs are the runner's closing lines, once with and once without the colours of a terminal.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';

const script = fileURLToPath(new URL('test_totals.mjs', import.meta.url));
const CLEAN = ' Test Files  2 passed (2)\n      Tests  10 passed | 1 skipped (11)\n   Start at  1\n   Duration  1s\n\n';
const BROKEN =
  ' Test Files  1 failed | 1 passed (2)\n      Tests  2 failed | 8 passed (10)\n   Start at  1\n   Duration  1s\n';
const UNLOADED = ' Test Files  1 failed | 1 passed (2)\n      Tests  5 passed (5)\n   Start at  1\n   Duration  1s\n';

function totals(log: string, status: number): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'totals-'));
  try {
    writeFileSync(join(dir, 'log'), log);
    const {stdout} = spawnSync(process.execPath, [script, join(dir, 'log'), String(status)], {encoding: 'utf8'});
    return stdout.trimEnd().split('\n');
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

test.each([
  ['a clean run', CLEAN, 0, '10 passed, 0 failed'],
  ['several runs', `${CLEAN}more\n${CLEAN}`, 0, '20 passed, 0 failed'],
  ['failed tests', BROKEN, 1, '8 passed, 2 failed'],
  ['a file that did not load', UNLOADED, 1, '5 passed, 1 failed'],
  ['a failure after the tests', CLEAN, 1, '10 passed, 1 failed'],
  ['a failure before the tests', 'error TS2322\n', 1, '0 passed, 1 failed'],
  [
    'colours',
    CLEAN.replace('Tests', '\u001b[2mTests\u001b[22m').replace('10 passed', '\u001b[32m10 passed\u001b[39m'),
    0,
    '10 passed, 0 failed',
  ],
])('%s', (_, log, status, line) => {
  expect(totals(log, status).at(-1)).toBe(line);
});

test('after a failure the closing lines stand right before the total', () => {
  expect(totals(`${BROKEN}npm error\n`, 1)).toEqual([...BROKEN.trimEnd().split('\n'), '8 passed, 2 failed']);
});
