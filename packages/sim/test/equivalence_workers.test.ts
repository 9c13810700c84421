/**
 * The processes of the campaigns `equivalence` and `rot`, as `scripts/campaign.ts` starts them: they run the seeds they are
 * told to, count them, and say when they are done; a workload that does not exist is not run.
 */
import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';

interface Line {
  readonly counts?: Readonly<Record<string, Record<string, number>>>;
  readonly totals?: Readonly<Record<string, number>>;
  readonly violation?: unknown;
  readonly done?: boolean;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

async function linesOf(worker: string, order: object): Promise<Line[]> {
  const program = fileURLToPath(new URL(`campaign/${worker}.ts`, import.meta.url));
  const args = ['--import', 'tsx', '--conditions=@allocdb/source', program, JSON.stringify(order)];
  const child = spawn(process.execPath, args, {cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit']});
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  const status = await new Promise(resolve => child.once('close', resolve));
  expect(status).toBe(0);
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Line);
}

/** What was counted in all lines, by workload. */
function sums(lines: readonly Line[]): Record<string, Record<string, number>> {
  const total: Record<string, Record<string, number>> = {};
  for (const [workload, counts] of lines.flatMap(line => Object.entries(line.counts ?? {}))) {
    total[workload] ??= {};
    for (const [name, count] of Object.entries(counts)) total[workload][name] = (total[workload][name] ?? 0) + count;
  }
  return total;
}

test('streams and snapshots', {timeout: 180_000}, async () => {
  const order = {only: null, first: 5, index: 1, step: 2, count: 3, milliseconds: null};
  const lines = await linesOf('equivalence_worker', order);
  expect(lines.at(-1)).toEqual({done: true});
  expect(lines.filter(({violation}) => violation !== undefined)).toEqual([]);
  const {streams, snapshots} = sums(lines);
  // Of three seeds the second of two processes has one.
  expect(streams?.['streams']).toBe(1);
  expect(streams?.['commands']).toBeGreaterThan(200);
  expect(snapshots?.['snapshots']).toBeGreaterThan(20);
});

test('sectors, and how many bits there are', {timeout: 180_000}, async () => {
  const order = {only: ['sectors'], first: 3, index: 0, step: 1, count: 2, milliseconds: null};
  const lines = await linesOf('rot_worker', order);
  expect(lines.at(-1)).toEqual({done: true});
  expect(sums(lines)).toMatchObject({sectors: {damages: 120}});
  const bits = await linesOf('rot_worker', {...order, only: ['bits'], count: null, milliseconds: 0});
  expect(bits[0]?.totals?.['bits']).toBeGreaterThan(500_000);
  expect(bits.at(-1)).toEqual({done: true});
});
