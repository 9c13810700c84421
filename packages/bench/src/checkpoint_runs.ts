/**
 * A server on a full directory under a fixed schedule of arrivals, through several checkpoints: what answers take before,
 * during and after, and what each checkpoint wrote. One run holds all of it: checkpoints begin by themselves when the log
 * has grown so far that the time between two of them is at least the seconds asked for.
 */
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {configToJson, DEFAULT_CHECKPOINT} from '@allocdb/node';
import {CheckpointPhases} from './checkpoint_phases.ts';
import {type CheckpointPlan, checkpointPlan, shortWindows} from './checkpoint_plan.ts';
import {numberIn, runMeasurement} from './child_process.ts';
import {ALLOCDB_PROGRAM, startServer} from './child_server.ts';
import {HIGHEST, runClosedLoop, withServer} from './closed_loop.ts';
import {OpenLoop} from './open_loop.ts';
import type {Cell, Table} from './report.ts';
import {type BenchOptions, type Expectations, times} from './scenario.ts';
import {serveArgs, startDatabase} from './server_setup.ts';
import {spreadOrNull} from './stats.ts';

/** The target: microseconds by which p99 during a checkpoint may be above the undisturbed one. */
const TARGET_MICROS = 5000;
const CHECKPOINTS_MIN = 2;
/** Of the highest rate. */
const SHARE = 0.5;
/** Smaller tables than this might not hold what the highest rate leaves in them. */
const CLOSED_LOOP_SCALE_MIN = 0.5;
/** A ten-million-row directory takes a while to load and check. */
const OPEN_TIMEOUT_MS = 600_000;
/** Bytes of log for a command, and for a frame beside its commands, of which there are so many a second at most. */
const COMMAND_BYTES = 84;
const FRAME_BYTES = 300;
const FRAMES_PER_SECOND_MAX = 5000;
/** How much longer a checkpoint takes than its rate allows, by its syncs and the load. */
const SNAPSHOT_SLACK = 1.3;
/** How much longer than expected the checkpoints may take before the run is given up, and how long at least. */
const PATIENCE = 10;
const PATIENCE_MS_MIN = 120_000;

export interface CheckpointContext {
  readonly options: BenchOptions;
  readonly dir: string;
  readonly expectations: Expectations;
}

/** What was found, and under which load. */
export interface CheckpointFindings {
  readonly tables: readonly Table[];
  readonly notes: readonly string[];
}

/** Half of the highest rate with these tables, unless a rate is given. */
async function rateOf({options, dir}: CheckpointContext, resources: number): Promise<number> {
  if (options.rate !== null) return options.rate;
  if (options.scale < CLOSED_LOOP_SCALE_MIN) {
    throw new RangeError(
      `checkpoint below ${CLOSED_LOOP_SCALE_MIN} of its size needs --rate: its tables would be too small`,
    );
  }
  options.progress('checkpoint: measuring the highest rate');
  const start: typeof startDatabase = (own, profile) => startDatabase(own, profile, shortWindows(options.scale));
  const run = await withServer(start, join(dir, 'highest'), options, server =>
    runClosedLoop(server, HIGHEST, options, resources),
  );
  return SHARE * run.answersPerSecond;
}

/** Seconds between two checkpoints, of which the measured ones are undisturbed. */
function secondsBetween({warmUpSeconds, seconds}: BenchOptions, snapshotBytes: number): number {
  return warmUpSeconds + seconds + (SNAPSHOT_SLACK * snapshotBytes) / DEFAULT_CHECKPOINT.bytesPerSecond;
}

async function load(
  {options, dir}: CheckpointContext,
  plan: CheckpointPlan,
  rate: number,
  snapshotBytes: number,
): Promise<CheckpointPhases> {
  const phases = new CheckpointPhases();
  const wanted = Math.max(CHECKPOINTS_MIN, options.repeat);
  const between = secondsBetween(options, snapshotBytes);
  const bytesPerSecond = rate * COMMAND_BYTES + Math.min(rate, FRAMES_PER_SECOND_MAX) * FRAME_BYTES;
  const everyMib = Math.max(1, Math.round((bytesPerSecond * between) / 2 ** 20));
  options.progress(`checkpoint: a checkpoint after every ${everyMib} MiB of log, about ${Math.round(between)} s`);
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);
  const server = await startServer(ALLOCDB_PROGRAM, serveArgs(join(dir, 'data'), everyMib), {
    profileDir: options.profileDir,
    timeoutMs: OPEN_TIMEOUT_MS,
    onEvent: event => {
      try {
        phases.onEvent(event);
      } catch (error) {
        fail(error);
      }
    },
  });
  const {connections, lanes, over} = plan;
  let loop: OpenLoop | null = null;
  try {
    loop = await OpenLoop.connect({port: server.port, connections, lanes, rate, over}, phases);
    const whole = (promise: Promise<unknown>): Promise<unknown> =>
      Promise.race([loop?.orFailure(promise) ?? promise, failed]);
    loop.start();
    await whole(delay(options.warmUpSeconds * 1000));
    phases.open();
    await whole(
      checkpointsDone(phases, wanted, Math.max(PATIENCE_MS_MIN, PATIENCE * wanted * between * 1000), options),
    );
    await whole(Promise.race([delay(options.seconds * 1000), checkpointBegun(phases, wanted + 1)]));
    await whole(loop.end());
    await server.stop();
    phases.close();
  } finally {
    loop?.destroy();
    server.kill();
  }
  return phases;
}

async function checkpointsDone(
  phases: CheckpointPhases,
  wanted: number,
  patienceMs: number,
  {progress}: BenchOptions,
): Promise<void> {
  const patience = new AbortController();
  const done = new Promise<void>(resolve => {
    phases.onChange = () => {
      progress(`checkpoint: ${phases.during.length} begun, ${phases.finished.length} finished`);
      if (phases.finished.length >= wanted) resolve();
    };
    phases.onChange();
  });
  const tooLong = delay(patienceMs, undefined, {signal: patience.signal}).then(() => {
    throw new Error(`only ${phases.finished.length} of ${wanted} checkpoints finished in ${patienceMs / 1000} s`);
  });
  try {
    await Promise.race([done, tooLong]);
  } finally {
    tooLong.catch(() => undefined);
    patience.abort();
  }
}

function checkpointBegun(phases: CheckpointPhases, number: number): Promise<void> {
  return new Promise(resolve => {
    phases.onChange = () => {
      if (phases.during.length >= number) resolve();
    };
    phases.onChange();
  });
}

function latencyTable({undisturbed, during, late}: CheckpointPhases, checkpoints: number, rate: number): Table {
  const measured = during.slice(0, checkpoints).map(each => each.latencies);
  const gaps = undisturbed.slice(0, checkpoints + 1).map(each => each.latencies);
  // A checkpoint that begins as soon as the one before has finished has nothing to be compared with.
  const above = measured.flatMap((each, i) => ((gaps[i]?.count ?? 0) > 0 ? [each.p99 - (gaps[i]?.p99 ?? 0)] : []));
  const rowOf = (what: string, runs: typeof measured, target: number | null): Cell[] => {
    const seen = runs.filter(({count}) => count > 0);
    return [
      what,
      seen.reduce((sum, {count}) => sum + count, 0),
      ...(['p50', 'p99', 'p999', 'max'] as const).map(name => spreadOrNull(seen.map(each => each[name]))),
      target === null ? null : spreadOrNull(above),
      target,
    ];
  };
  const {p99, max, count, p50, p999} = late.latencies;
  return {
    title: `Answers at ${Math.round(rate)} arrivals a second through ${checkpoints} checkpoints, from the scheduled moment`,
    columns: [
      {name: 'when', kind: 'text'},
      {name: 'answers', kind: 'count'},
      {name: 'p50 us', kind: 'micros'},
      {name: 'p99 us', kind: 'micros'},
      {name: 'p99.9 us', kind: 'micros'},
      {name: 'max us', kind: 'micros'},
      {name: 'p99 above before', kind: 'micros'},
      {name: 'target', kind: 'micros'},
    ],
    rows: [
      rowOf('before the first', gaps.slice(0, 1), null),
      rowOf('during', measured, TARGET_MICROS),
      rowOf('after, to the next', gaps.slice(1), null),
      ['sender late', count, p50, p99, p999, max, null, null],
    ],
  };
}

function checkpointTable({finished}: CheckpointPhases, checkpoints: number): Table {
  return {
    title: 'Checkpoints under load, the snapshot paced as by default',
    columns: [
      {name: 'checkpoint', kind: 'count'},
      {name: 'seconds', kind: 'seconds'},
      {name: 'snapshot', kind: 'bytes'},
      {name: 'bytes/s', kind: 'bytes'},
    ],
    rows: times(checkpoints).map(i => {
      const {seconds, bytes} = finished[i] ?? {seconds: Number.NaN, bytes: Number.NaN};
      return [i + 1, seconds, bytes, bytes / seconds];
    }),
  };
}

function fillTable(plan: CheckpointPlan, built: Record<string, unknown>): Table {
  const {maxResources, maxReservations, maxOperations} = plan.config.core;
  const rows: [string, string, number][] = [
    ['resources', 'resources', maxResources],
    ['reservations', 'reservationsUsed', maxReservations],
    ['operations', 'operationsUsed', maxOperations],
  ];
  return {
    title: 'Tables when the load begins; the windows are so long that they stay about as full',
    columns: [
      {name: 'table', kind: 'text'},
      {name: 'used', kind: 'count'},
      {name: 'capacity', kind: 'count'},
      {name: 'full', kind: 'percent'},
    ],
    rows: rows.map(([table, field, capacity]) => {
      const used = numberIn(built, field);
      return [table, used, capacity, (100 * used) / capacity];
    }),
  };
}

/** Builds the directory, loads it, and says what was found. */
export async function measureCheckpoints(context: CheckpointContext): Promise<CheckpointFindings> {
  const {options, dir, expectations} = context;
  const rate = await rateOf(context, shortWindows(options.scale).core.maxResources);
  const plan = checkpointPlan(options.scale, rate);
  const args = [join(dir, 'data'), JSON.stringify(configToJson(plan.config)), JSON.stringify(plan.population)];
  const progress = (line: string): void => options.progress(`checkpoint: ${line}`);
  const built = await runMeasurement('populate_program', args, {progress});
  expectations.equal('resources of the full state', numberIn(built, 'resources'), plan.population.resources);
  const phases = await load(context, plan, rate, numberIn(built, 'snapshotBytes'));
  const checkpoints = phases.finished.length;
  expectations.holds(`at least ${CHECKPOINTS_MIN} checkpoints`, checkpoints >= CHECKPOINTS_MIN);
  return {
    tables: [latencyTable(phases, checkpoints, rate), checkpointTable(phases, checkpoints), fillTable(plan, built)],
    notes: [
      options.rate === null
        ? 'the rate is half of the highest one with these tables, by the closed loop'
        : 'the rate was given',
      'spreads are over the checkpoints of one run; an answer belongs to a checkpoint if any part of its time does, or if',
      'it was due in the 50 ms before; beginnings and ends are dated by the server',
    ],
  };
}
