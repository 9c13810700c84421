/**
 * What recovery costs: opening a directory whose log must be replayed from its beginning, beside reading that log and
 * applying its payloads alone; and opening one that has a snapshot of its whole state, stage by stage. Every run is a
 * process of its own; the page cache is warm, because what a restart measures otherwise is the disk.
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {configToJson, type DatabaseConfig} from '@allocdb/node';
import {numberIn, runMeasurement} from './child_process.ts';
import type {PopulationPlan} from './population.ts';
import type {Cell, Table} from './report.ts';
import {type BenchOptions, type Expectations, times} from './scenario.ts';
import {spreadOf} from './stats.ts';
import {HOT_RESOURCES} from './workload.ts';
import {workloadConfig} from './workload_config.ts';

/** Records a second of opening. */
const LOG_TARGET = 1.5e6;
/** Seconds of loading a snapshot. */
const LOAD_TARGET = 2;
const LOG_RECORDS = 10e6;
const LOG_RESOURCES = 100_000;
/** Operations at a slot of the log: a million a second at 100 ms. */
const LOG_PER_SLOT = 100_000;
const SNAPSHOT = {resources: 1e6, reservations: 1e6, operations: 2e6} as const;
const RESOURCES_MIN = 2000;
const TTL_SLOTS = 3000;

/** What the runs of a scenario have in common. */
export interface RecoveryContext {
  readonly options: BenchOptions;
  readonly dir: string;
  readonly expectations: Expectations;
}

type Found = Record<string, unknown>;

async function build(
  {options}: RecoveryContext,
  dir: string,
  config: DatabaseConfig,
  plan: PopulationPlan,
): Promise<Found> {
  const args = [dir, JSON.stringify(configToJson(config)), JSON.stringify(plan)];
  return runMeasurement('populate_program', args, {progress: line => options.progress(`recovery: ${line}`)});
}

function scaled({options}: RecoveryContext, size: number, least: number): number {
  return Math.max(least, Math.round(size * options.scale));
}

/** Runs every way as often as asked, in turn; each result of a way in a list. */
async function runWays({options}: RecoveryContext, dir: string, ways: readonly string[]): Promise<Found[][]> {
  const found: Found[][] = ways.map(() => []);
  await runMeasurement('recovery_program', ['read', dir]);
  for (const i of times(options.repeat)) {
    for (const [at, way] of ways.entries()) {
      found[at]?.push(await runMeasurement('recovery_program', [way, dir]));
      options.progress(`recovery: ${way}, run ${i + 1} of ${options.repeat}`);
    }
  }
  return found;
}

/** Opening with a log alone. */
export async function logTable(context: RecoveryContext): Promise<Table> {
  const {expectations} = context;
  const dir = join(context.dir, 'log');
  const resources = scaled(context, LOG_RESOURCES, RESOURCES_MIN);
  const records = scaled(context, LOG_RECORDS, 2 * resources);
  try {
    const plan: PopulationPlan = {
      resources,
      kept: {first: HOT_RESOURCES, end: HOT_RESOURCES, ttlSlots: TTL_SLOTS, confirmed: 0},
      operations: records,
      over: {first: HOT_RESOURCES, end: resources},
      perSlot: LOG_PER_SLOT,
      checkpoint: false,
    };
    const built = numberIn(await build(context, dir, workloadConfig(resources), plan), 'operations');
    const [opened = [], read = [], applied = []] = await runWays(context, dir, ['open', 'read', 'core']);
    for (const each of [...opened, ...read, ...applied]) {
      expectations.equal('records of the log', numberIn(each, 'records'), built);
    }
    for (const each of [...opened, ...applied]) {
      expectations.equal('digest of the replayed state', String(each['digest']), String(opened[0]?.['digest']));
    }
    const alone = applied.map(each => numberIn(each, 'seconds'));
    const rowOf = (what: string, target: number | null, runs: readonly Found[], stage: string = 'seconds'): Cell[] => {
      const seconds = runs.map(each => numberIn(each, stage));
      const ofCore = seconds.map((each, i) => (alone[i] ?? Number.NaN) / each);
      return [what, spreadOf(seconds), spreadOf(seconds.map(each => built / each)), target, spreadOf(ofCore)];
    };
    return {
      title: `Opening with a log of ${built} records and ${resources} resources`,
      columns: [
        {name: 'what', kind: 'text'},
        {name: 'seconds', kind: 'seconds'},
        {name: 'records/s', kind: 'rate'},
        {name: 'target', kind: 'rate'},
        {name: 'of the core alone', kind: 'ratio'},
      ],
      rows: [
        rowOf('SingleNodeEngine.open', LOG_TARGET, opened),
        [...rowOf('of it checkInvariants, once', null, opened, 'check').slice(0, 2), null, null, null],
        rowOf('readWal, nothing applied', null, read),
        rowOf('core alone, payloads in memory', null, applied),
      ],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

function snapshotConfig(resources: number, reservations: number, operations: number): DatabaseConfig {
  const {core, engine} = workloadConfig(resources);
  const kept = reservations + HOT_RESOURCES;
  return {
    core: {...core, maxReservations: kept, maxExpirationBucketLen: kept, maxOperations: operations},
    engine,
  };
}

/** Opening with a snapshot of the whole state. */
export async function snapshotTable(context: RecoveryContext): Promise<Table> {
  const {expectations} = context;
  const dir = join(context.dir, 'snapshot');
  const resources = scaled(context, SNAPSHOT.resources, RESOURCES_MIN) + HOT_RESOURCES;
  const reservations = scaled(context, SNAPSHOT.reservations, RESOURCES_MIN);
  // Creating, keeping the hot ones, keeping the others: no more than the table has room for, all at one slot.
  const operations = scaled(context, SNAPSHOT.operations, 2 * RESOURCES_MIN) + 3 * HOT_RESOURCES;
  try {
    const plan: PopulationPlan = {
      resources,
      kept: {first: HOT_RESOURCES, end: HOT_RESOURCES + reservations, ttlSlots: TTL_SLOTS, confirmed: 0},
      operations,
      over: {first: HOT_RESOURCES, end: resources},
      perSlot: operations + 1,
      checkpoint: true,
    };
    const config = snapshotConfig(resources, reservations, operations);
    const built = await build(context, dir, config, plan);
    const [stages = [], opened = []] = await runWays(context, dir, ['snapshot', 'open']);
    for (const each of stages) {
      expectations.equal('resources loaded', numberIn(each, 'resources'), numberIn(built, 'resources'));
      expectations.equal('reservations loaded', numberIn(each, 'reservations'), numberIn(built, 'reservationsUsed'));
      expectations.equal('operations loaded', numberIn(each, 'operations'), numberIn(built, 'operationsUsed'));
    }
    for (const each of [...stages, ...opened]) {
      expectations.equal('digest of the loaded state', String(each['digest']), String(stages[0]?.['digest']));
    }
    const bytes = numberIn(built, 'snapshotBytes');
    const rowOf = (what: string, stage: string, target: number | null, runs: readonly Found[]): Cell[] => [
      what,
      spreadOf(runs.map(each => numberIn(each, stage))),
      target,
    ];
    return {
      title: `Opening with a snapshot of ${resources} resources, ${numberIn(built, 'reservationsUsed')} reservations, ${operations} operations, ${Math.round(bytes / 2 ** 20)} MiB`,
      columns: [
        {name: 'stage', kind: 'text'},
        {name: 'seconds', kind: 'seconds'},
        {name: 'target', kind: 'seconds'},
      ],
      rows: [
        rowOf('tables constructed and touched', 'tables', null, stages),
        rowOf('snapshot loaded, checksums and digest compared', 'load', LOAD_TARGET, stages),
        rowOf('checkInvariants', 'check', null, stages),
        rowOf('SingleNodeEngine.open, all of it', 'seconds', null, opened),
      ],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}
