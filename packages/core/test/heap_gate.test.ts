import {execFileSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {COMMAND, RESULT} from '../src/index.ts';

const BYTES_PER_COMMAND_MAX = 0.1;

interface Measured {
  commands: number;
  /** Bytes of heap a command took in each round, by commands for each slot. */
  perCommand: Record<string, number[]>;
  kept: number;
  /** How often each result occurred; index 0 counts repeats. */
  codes: number[];
  /** How often a command of each tag was done. */
  agreed: number[];
  expirations: number;
}

/** Runs the workload in a process whose heap nothing else uses. */
function measure(): Measured {
  const script = fileURLToPath(new URL('heap_gate.ts', import.meta.url));
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const text = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', script], {
    cwd: root,
    encoding: 'utf8',
  });
  return JSON.parse(text) as Measured;
}

test('applying millions of commands allocates nothing, at many and at few commands a slot', {timeout: 300_000}, () => {
  const {commands, perCommand, kept, codes, agreed, expirations} = measure();
  expect(commands).toBeGreaterThan(2_500_000);
  for (const [pace, rounds] of Object.entries(perCommand)) {
    process.stdout.write(
      `heap bytes per command, ${pace} a slot: ${rounds.map(bytes => bytes.toFixed(3)).join(' ')}\n`,
    );
    // Late optimisations show in some rounds; an allocation per command or slot shows in every one.
    expect(Math.min(...rounds)).toBeLessThan(BYTES_PER_COMMAND_MAX);
  }
  expect(kept).toBeLessThan(BYTES_PER_COMMAND_MAX);
  // It was work that was done: every kind of command, refusals, repeats, ticks that had something to expire.
  for (const [name, tag] of Object.entries(COMMAND)) {
    const done = tag === COMMAND.EXPIRE ? expirations : (agreed[tag] ?? 0);
    expect(done, `commands done: ${name}`).toBeGreaterThanOrEqual(10_000);
  }
  for (const code of [RESULT.RESOURCE_BUSY, RESULT.HOLDER_MISMATCH, RESULT.OPERATION_CONFLICT]) {
    expect(codes[code], `results of code ${code}`).toBeGreaterThan(10_000);
  }
  expect(codes[RESULT.OK]).toBeGreaterThan(2_000_000);
  expect(codes[0]).toBeGreaterThan(100_000);
});
