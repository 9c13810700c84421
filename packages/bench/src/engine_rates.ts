/**
 * Durable commands per second in process at several numbers outstanding: the engine by its pipelined bytes, single
 * commands and batches, by its synchronous call, which knows one request at a time, and by its promises; each beside the
 * bare loop of the same requests and answers.
 *
 * Every run has a fresh directory. The two that are compared alternate, and which goes first alternates too. There are
 * many runs, so each takes a share of the seconds asked for.
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {EngineLoop, type LoopRun} from './engine_loop.ts';
import {BareSubject, EngineSubject, type FrameSubject, SyncSubject} from './engine_subjects.ts';
import {type OpenSurface, openFacadeSurface, openSubmitSurface, runPromiseLanes} from './promise_lanes.ts';
import type {Cell, Table} from './report.ts';
import {type BenchOptions, times} from './scenario.ts';
import {spreadOf} from './stats.ts';

/** Part of the seconds, and of the warm-up, that one run takes. */
const RUN_SHARE = 0.2;
/** Commands of a batch. */
const BATCH = 64;
/** Commands outstanding through promises. */
const PROMISE_LANES: readonly number[] = [1, 256];

/** What a run is of: an interface, how many commands are outstanding, and how many of them share a request. */
interface Load {
  readonly surface: string;
  readonly commands: number;
  readonly batch: number;
  readonly run: (context: EngineContext, load: Load) => Promise<LoopRun>;
}

function loadsOf(outstanding: readonly number[]): Load[] {
  const bytes = (commands: number, batch: number): Load => ({
    surface: 'submitBytes',
    commands,
    batch,
    run: (context, load) => runLoop(context, load, EngineSubject.open),
  });
  const sync = (batch: number): Load => ({
    surface: 'handleApiBytes',
    commands: batch,
    batch,
    run: (context, load) => runLoop(context, load, SyncSubject.open),
  });
  const promises = (surface: string, open: OpenSurface): Load[] =>
    PROMISE_LANES.map(commands => ({
      surface,
      commands,
      batch: 1,
      run: (context, load) => runPromises(context, load, open),
    }));
  return [
    ...outstanding.map(commands => bytes(commands, 1)),
    ...outstanding.filter(commands => commands % BATCH === 0).map(commands => bytes(commands, BATCH)),
    sync(1),
    sync(BATCH),
    ...promises('engine.submit', openSubmitSurface),
    ...promises('openDb', openFacadeSurface),
  ];
}

interface EngineContext {
  readonly options: BenchOptions;
  /** Empty, and empty again after each run. */
  readonly dir: string;
}

async function runLoop(
  {options, dir}: EngineContext,
  load: Load,
  open: (dir: string) => Promise<FrameSubject>,
): Promise<LoopRun> {
  const own = join(dir, 'run');
  try {
    const subject = await open(own);
    try {
      const loop = new EngineLoop(subject, load.commands, load.batch);
      await loop.run(options.warmUpSeconds * RUN_SHARE * 1000);
      return await loop.run(options.seconds * RUN_SHARE * 1000);
    } finally {
      await subject.close();
    }
  } finally {
    rmSync(own, {recursive: true, force: true});
  }
}

async function runPromises({options, dir}: EngineContext, load: Load, open: OpenSurface): Promise<LoopRun> {
  const own = join(dir, 'run');
  try {
    const surface = await open(own, load.commands);
    try {
      await runPromiseLanes(surface, load.commands, options.warmUpSeconds * RUN_SHARE * 1000);
      return await runPromiseLanes(surface, load.commands, options.seconds * RUN_SHARE * 1000);
    } finally {
      await surface.close();
    }
  } finally {
    rmSync(own, {recursive: true, force: true});
  }
}

async function rowOf(context: EngineContext, load: Load): Promise<Cell[]> {
  const {options} = context;
  const {surface, commands, batch} = load;
  const [engine, bare]: [number[], number[]] = [[], []];
  const measureEngine = async (): Promise<void> => {
    engine.push((await load.run(context, load)).answersPerSecond);
  };
  const measureBare = async (): Promise<void> => {
    const run = await runLoop(context, load, dir => Promise.resolve(new BareSubject(dir)));
    bare.push(run.answersPerSecond);
  };
  for (const i of times(options.repeat)) {
    const order = i % 2 === 0 ? [measureBare, measureEngine] : [measureEngine, measureBare];
    for (const measure of order) await measure();
    const rates = `${Math.round(engine.at(-1) ?? 0)}/s, bare ${Math.round(bare.at(-1) ?? 0)}/s`;
    options.progress(`engine: ${surface}, ${commands} outstanding, batches of ${batch}, run ${i + 1}: ${rates}`);
  }
  const ratios = engine.map((rate, i) => rate / (bare[i] ?? Number.NaN));
  return [surface, commands, batch, spreadOf(engine), spreadOf(bare), spreadOf(ratios)];
}

/** A row for every interface, number outstanding and size of batch. */
export async function engineTable(context: EngineContext): Promise<Table> {
  const rows: Cell[][] = [];
  for (const load of loadsOf(context.options.outstanding)) rows.push(await rowOf(context, load));
  return {
    title: 'Durable commands per second in process, beside the bare loop of the same requests and answers',
    columns: [
      {name: 'interface', kind: 'text'},
      {name: 'outstanding', kind: 'count'},
      {name: 'batch', kind: 'count'},
      {name: 'engine/s', kind: 'rate'},
      {name: 'bare/s', kind: 'rate'},
      {name: 'ratio', kind: 'ratio'},
    ],
    rows,
  };
}
