/**
 * The loop in a process of its own, as `pnpm campaign` starts it: an order in, lines out. Every process keeps its input
 * until a test ends it, so that one that ends without that has ended by itself. Not here: which seeds an order comes to
 * (`turns.test.ts`).
 */
import {type ChildProcessByStdio, spawn} from 'node:child_process';
import {createInterface, type Interface} from 'node:readline';
import type {Readable, Writable} from 'node:stream';
import {fileURLToPath} from 'node:url';
import {afterEach, expect, test} from 'vitest';
import {addCounts, type Counts} from '../src/index.ts';
import type {Order} from '../src/turns.ts';

const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));
const PROGRAM: string = fileURLToPath(new URL('worker_program.ts', import.meta.url));
const ORDER: Order = {only: null, first: 1, index: 0, step: 1, count: null, milliseconds: null};

interface Line {
  readonly counts?: Readonly<Record<string, Counts>>;
  readonly totals?: Counts;
  readonly violation?: {readonly workload: string; readonly seed: number; readonly message: string};
  readonly done?: boolean;
}

const running = new Set<Worker>();

class Worker {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #reader: Interface;
  readonly #end: Promise<number | NodeJS.Signals | null>;

  constructor(only: string | readonly string[], order: Partial<Order>) {
    const text = JSON.stringify({...ORDER, only: [only].flat(), ...order});
    const args = ['--import', 'tsx', '--conditions=@allocdb/source', PROGRAM, text];
    this.#child = spawn(process.execPath, args, {cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit']});
    this.#reader = createInterface({input: this.#child.stdout});
    this.#reader.on('line', line => this.lines.push(JSON.parse(line) as Line));
    this.#end = new Promise(resolve => this.#child.once('close', (code, signal) => resolve(signal ?? code)));
    running.add(this);
  }

  /** Resolves with the next line that is printed. */
  nextLine(): Promise<Line> {
    return new Promise((resolve, reject) => {
      this.#reader.once('line', line => resolve(JSON.parse(line) as Line));
      this.#reader.once('close', () => reject(new Error('the process has ended')));
    });
  }

  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Takes no more lines, as who was killed; the input stays. */
  deafen(): void {
    this.#child.stdout.destroy();
  }

  /** Resolves with the exit code, or the signal that ended it. */
  async end(): Promise<number | NodeJS.Signals | null> {
    const end = await this.#end;
    running.delete(this);
    return end;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** What all lines add up to for a workload; null where none names it. */
  sumOf(workload: string): Counts | null {
    let sum: Counts | null = null;
    for (const {counts} of this.lines) {
      const more = counts?.[workload];
      if (more === undefined) continue;
      sum ??= {};
      addCounts(sum, more);
    }
    return sum;
  }
}

afterEach(async () => {
  for (const worker of running) {
    worker.kill();
    await worker.end();
  }
});

/** Runs an order that has an end. */
async function ran(only: string, order: Partial<Order>): Promise<Worker> {
  const worker = new Worker(only, order);
  expect(await worker.end()).toBe(0);
  expect(worker.lines.at(-1)).toEqual({done: true});
  expect(worker.lines.filter(({done}) => done === true)).toHaveLength(1);
  return worker;
}

test('the seeds that an order names are run and counted', async () => {
  const worker = await ran('endless', {first: 10, index: 1, step: 2, count: 5});
  expect(worker.sumOf('endless')).toEqual({runs: 2, 'seed 11': 1, 'seed 13': 1});
  expect(worker.lines).toHaveLength(2);
});

test('a workload that has an end is run to it, and the first process says of how much', async () => {
  const workers = await Promise.all([0, 1].map(index => ran('pieces', {first: 50, index, step: 2})));
  expect(workers.map(({lines}) => lines.filter(({totals}) => totals !== undefined))).toEqual([
    [{totals: {runs: 5}}],
    [],
  ]);
  expect(workers.map(worker => worker.sumOf('pieces'))).toEqual([
    {runs: 3, 'seed 1': 1, 'seed 3': 1, 'seed 5': 1},
    {runs: 2, 'seed 2': 1, 'seed 4': 1},
  ]);
});

test('a violation is reported with its causes, and the next seed is run', async () => {
  const worker = await ran('failing', {});
  const violations = worker.lines.flatMap(({violation}) => violation ?? []);
  expect(violations).toMatchObject([
    {workload: 'failing', seed: 2},
    {workload: 'failing', seed: 4},
  ]);
  expect(violations[0]?.message).toMatch(/^Error: seed 2 failed\n[\s\S]*\ncaused by RangeError: out of range\n/);
  expect(worker.sumOf('failing')).toEqual({runs: 2, 'seed 1': 1, 'seed 3': 1});
});

test('where every seed fails the workload is still named', async () => {
  const worker = await ran('failing', {first: 2, count: 1});
  expect(worker.sumOf('failing')).toEqual({});
});

test('what a seed has told counts also where it fails', async () => {
  const worker = await ran('told_then_failed', {});
  expect(worker.sumOf('told_then_failed')).toEqual({begun: 2});
  expect(worker.lines.flatMap(({violation}) => violation?.seed ?? [])).toEqual([1, 2]);
});

test('no seed begins when the time is up, and a workload without an end stops with it', async () => {
  expect((await ran('endless', {milliseconds: 0})).lines).toEqual([{done: true}]);
  const worker = await ran('endless', {milliseconds: 50});
  expect(worker.sumOf('endless')?.['seed 1']).toBe(1);
});

test.each(['endless', 'busy'])('%s: counts come while it runs, and the end of the input ends it', async only => {
  const worker = new Worker(only, {});
  expect((await worker.nextLine()).counts?.[only]?.['seed 1']).toBe(1);
  const {counts} = await worker.nextLine();
  // Added since the line before.
  expect(counts?.[only]?.['runs']).toBeGreaterThan(0);
  expect(counts?.[only]?.['seed 1']).toBeUndefined();
  worker.endInput();
  expect(await worker.end()).toBe(0);
  expect(worker.lines.at(-1)).toEqual({done: true});
  const {runs = 0, ...seeds} = worker.sumOf(only) ?? {};
  expect(seeds).toEqual(Object.fromEntries(Array.from({length: runs}, (_, at) => [`seed ${at + 1}`, 1])));
});

test('workloads take turns, whichever is named first', async () => {
  const worker = new Worker(['endless', 'busy'], {});
  while (worker.sumOf('endless') === null || worker.sumOf('busy') === null) await worker.nextLine();
  worker.endInput();
  expect(await worker.end()).toBe(0);
  expect(worker.sumOf('endless')?.['seed 1']).toBe(1);
  expect(worker.sumOf('busy')?.['seed 1']).toBe(1);
});

test('an interrupt does not end it: whoever gave the order does', async () => {
  const worker = new Worker('endless', {});
  await worker.nextLine();
  worker.interrupt();
  expect((await worker.nextLine()).counts).toBeDefined();
  worker.endInput();
  expect(await worker.end()).toBe(0);
  expect(worker.lines.at(-1)).toEqual({done: true});
});

test.each(['endless', 'long'])('%s: it ends in order when nobody reads its lines any more', async only => {
  const worker = new Worker(only, {});
  await worker.nextLine();
  worker.deafen();
  expect(await worker.end()).toBe(0);
});

test('a seed that takes long tells its steps, hears of the end, and is counted whole', async () => {
  const worker = new Worker('long', {});
  expect(await worker.nextLine()).toEqual({counts: {long: {steps: 1}}});
  expect(await worker.nextLine()).toEqual({counts: {long: {steps: 1}}});
  worker.endInput();
  expect(await worker.end()).toBe(0);
  expect(worker.lines.at(-1)).toEqual({done: true});
  const {steps = 0, ...rest} = worker.sumOf('long') ?? {};
  expect(steps).toBeGreaterThan(1);
  expect(rest).toEqual({runs: 1, stepsTold: steps});
});
