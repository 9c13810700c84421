import {PassThrough} from 'node:stream';
import {describe, expect, test} from 'vitest';
import {Output} from './output.ts';
import {type PhaseProgress, withPhases, withProgress} from './progress.ts';

/** Runs five steps of 2,500 of 12,500, two seconds each by a clock of the test, and returns what was shown. */
async function shown(total: number | null, options: {json?: boolean; isTTY?: boolean} = {}): Promise<string | null> {
  const err = Object.assign(new PassThrough({encoding: 'utf8'}), {isTTY: options.isTTY ?? false});
  const output = new Output(new PassThrough(), err);
  output.json = options.json ?? false;
  let now = 0;
  const result = await withProgress(
    output,
    'copy',
    total,
    async update => {
      for (let done = 2500; done <= 12_500; done += 2500) {
        now += 2000;
        update(done);
      }
      return 'done';
    },
    () => now,
  );
  expect(result).toBe('done');
  return err.read();
}

test('without a terminal: a plain line every few seconds', async () => {
  expect(await shown(12_500)).toBe('copy: 7,500 of 12,500\n');
  expect(await shown(null)).toBe('copy: 7,500\n');
});

test('with --json: nothing, because stderr may be read by a program', async () => {
  expect(await shown(12_500, {json: true})).toBeNull();
});

test('on a terminal: a bar, taken away at the end', async () => {
  const text = (await shown(12_500, {isTTY: true})) ?? '';
  expect(text).toContain(`copy ${'.'.repeat(30)} 0% 0/12,500`);
  expect(text).toContain(`copy ${'#'.repeat(30)} 100% 12,500/12,500`);
});

test('what fails takes the bar away too, and is thrown', async () => {
  const err = Object.assign(new PassThrough({encoding: 'utf8'}), {isTTY: true});
  const failing = withProgress(new Output(new PassThrough(), err), 'copy', 10, async () => {
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  const clearsLine = '\u001b[2K';
  expect(String(err.read()).endsWith(clearsLine)).toBe(true);
});

describe('phases', () => {
  const PHASES: readonly PhaseProgress[] = [
    {phase: 'copy', unit: 'bytes', done: 0, total: 2000},
    {phase: 'copy', unit: 'bytes', done: 2000, total: 2000},
    {phase: 'verify', unit: 'records', done: 0, total: 0},
    {phase: 'verify', unit: 'records', done: 1500, total: 0},
    {phase: 'verify', unit: 'bytes', done: 0, total: 30},
    {phase: 'verify', unit: 'bytes', done: 30, total: 30},
    {phase: 'verify', unit: 'bytes', done: 10, total: 20},
  ];

  /** Tells all of them, three seconds each by a clock of the test. */
  async function shownPhases(isTTY: boolean): Promise<string> {
    const err = Object.assign(new PassThrough({encoding: 'utf8'}), {isTTY});
    let now = 0;
    await withPhases(
      new Output(new PassThrough(), err),
      async onProgress => {
        for (const phase of PHASES) {
          now += 3000;
          onProgress(phase);
        }
      },
      () => now,
    );
    return String(err.read());
  }

  test('without a terminal: lines, with the phase of the moment', async () => {
    expect(await shownPhases(false)).toBe(
      'copy, bytes: 2,000 of 2,000\nverify, records: 1,500\nverify, bytes: 30 of 30\n',
    );
  });

  test('on a terminal: a bar for each whose end is known, also for one that comes twice', async () => {
    const text = await shownPhases(true);
    expect(text).toContain(`copy, bytes ${'#'.repeat(30)} 100% 2,000/2,000`);
    expect(text).toContain(`verify, bytes ${'#'.repeat(30)} 100% 30/30`);
    expect(text).toContain(`verify, bytes ${'#'.repeat(15)}${'.'.repeat(15)} 50% 10/20`);
  });
});
