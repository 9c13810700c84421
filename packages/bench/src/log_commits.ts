/**
 * Commits of the log under closed loops: as it is, in each commit mode, beside bare loops over a zero-filled and a growing
 * file; then pair by pair within one segment, which is what the target is about; then while segments change.
 *
 * Every run has a fresh directory. Where two are compared they alternate, and which goes first alternates too, so that
 * both see the same neighbours. Each run takes a share of the seconds asked for, since there are many.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {CommitMode} from '@allocdb/wal';
import {BareLog, frameBytesOf} from './log_bare.ts';
import {LaneLoop, type LaneRun} from './log_lanes.ts';
import {DEFAULT_FILE_BYTES, type LogSubject, WalSubject} from './log_subject.ts';
import type {Cell, Table} from './report.ts';
import {type BenchOptions, type Expectations, times} from './scenario.ts';
import {spreadOf} from './stats.ts';

/** Part of the seconds, and of the warm-up, that one run takes; a larger one where what counts happens rarely. */
const RUN_SHARE = 0.2;
const ROLL_RUN_SHARE = 0.6;
/** Of the log's rate over the bare loop's, at the numbers of waiters that the target names. */
const PAIR_WAITERS: readonly number[] = [1, 16, 256];
const PAIR_TARGET = 0.85;
/** Bounds of the one segment that holds a whole run, and how many frames a second it has room for. */
const WHOLE_BYTES_MIN: number = 4 << 20;
const WHOLE_BYTES_MAX: number = 256 << 20;
const WHOLE_FRAMES_PER_SECOND = 20_000;
/** What of it warms up, and what is left for what the log writes beside frames. */
const WHOLE_WARM_UP_SHARE = 0.2;
const WHOLE_USED = 0.95;
const ROLL_WAITERS = 64;
const ROLL_SEGMENT_BYTES: number = 4 << 20;

type BlockingMode = 'inline' | 'async';

/** Something to run, opened afresh each time in an empty directory. */
interface Contender {
  readonly name: string;
  readonly mode: CommitMode;
  open(dir: string): LogSubject;
}

function logIn(mode: CommitMode): Contender {
  return {name: 'log', mode, open: dir => new WalSubject({dir, commitMode: mode})};
}

function bareIn(mode: BlockingMode, file: 'zero-filled' | 'growing'): Contender {
  const fileBytes = file === 'growing' ? null : DEFAULT_FILE_BYTES;
  return {name: `bare, ${file}`, mode, open: dir => new BareLog({path: join(dir, 'bare'), mode, fileBytes})};
}

const CONTENDERS: readonly Contender[] = [
  logIn('inline'),
  bareIn('inline', 'zero-filled'),
  bareIn('inline', 'growing'),
  logIn('async'),
  bareIn('async', 'zero-filled'),
  bareIn('async', 'growing'),
  logIn('adaptive'),
];

/** What runs take from the scenario. */
export interface CommitContext {
  readonly options: BenchOptions;
  /** Empty, and empty again after each run. */
  readonly dir: string;
  readonly expectations: Expectations;
}

interface RunPlan {
  readonly share?: number;
  readonly waiters: number;
  /** Bounds beside the time; none where the log may change segments. */
  readonly warmUpRecords?: number;
  readonly records?: number;
}

async function runIn<T extends LogSubject>(
  {options, dir, expectations}: CommitContext,
  open: (dir: string) => T,
  plan: RunPlan,
): Promise<{run: LaneRun; subject: T}> {
  const {waiters, share = RUN_SHARE} = plan;
  const {warmUpRecords = Number.POSITIVE_INFINITY, records = Number.POSITIVE_INFINITY} = plan;
  const own = join(dir, 'run');
  mkdirSync(own);
  try {
    const subject = open(own);
    const loop = new LaneLoop(subject, waiters);
    const warmUp = await loop.run({millis: options.warmUpSeconds * share * 1000, records: warmUpRecords});
    const run = await loop.run({millis: options.seconds * share * 1000, records});
    await subject.close();
    const made = warmUp.records + run.records;
    expectations.equal(`durable records of ${waiters} waiters`, subject.durableRecords, made);
    return {run, subject};
  } finally {
    rmSync(own, {recursive: true, force: true});
  }
}

/** Records per second and latency at every number of waiters, for the log as it is and for the bare loops. */
export async function commitTable(context: CommitContext): Promise<Table> {
  const {options} = context;
  const rows: Cell[][] = [];
  for (const waiters of options.waiters) {
    const runs: LaneRun[][] = CONTENDERS.map(() => []);
    for (const i of times(options.repeat)) {
      for (const [at, {open}] of CONTENDERS.entries()) runs[at]?.push((await runIn(context, open, {waiters})).run);
      options.progress(`log: commits of ${waiters} waiters, run ${i + 1} of ${options.repeat}`);
    }
    for (const [at, {name, mode}] of CONTENDERS.entries()) {
      const own = runs[at] ?? [];
      rows.push([
        waiters,
        mode,
        name,
        spreadOf(own.map(run => run.recordsPerSecond)),
        spreadOf(own.map(run => run.p50Micros)),
        spreadOf(own.map(run => run.p99Micros)),
      ]);
    }
  }
  return {
    title: 'Durable records of 100 bytes: closed loop of waiters, segments of 64 MiB, changes of segment included',
    columns: [
      {name: 'waiters', kind: 'count'},
      {name: 'mode', kind: 'text'},
      {name: 'what', kind: 'text'},
      {name: 'records/s', kind: 'rate'},
      {name: 'p50 us', kind: 'micros'},
      {name: 'p99 us', kind: 'micros'},
    ],
    rows,
  };
}

/** A run that fits one file, and the size of that file: whatever is used up first, time or room, ends it. */
function planOfWhole(options: BenchOptions, waiters: number, share: number): RunPlan & {readonly fileBytes: number} {
  const frameBytes = frameBytesOf(waiters);
  const wanted = (options.seconds + options.warmUpSeconds) * share * WHOLE_FRAMES_PER_SECOND * frameBytes;
  const bounded = Math.min(WHOLE_BYTES_MAX, Math.max(WHOLE_BYTES_MIN, wanted));
  const fileBytes = Math.ceil(bounded / WHOLE_BYTES_MIN) * WHOLE_BYTES_MIN;
  const records = Math.floor((fileBytes * WHOLE_USED) / frameBytes) * waiters;
  const warmUpRecords = Math.floor(records * WHOLE_WARM_UP_SHARE);
  return {waiters, share, warmUpRecords, records: records - warmUpRecords, fileBytes};
}

async function pairRow(context: CommitContext, waiters: number, mode: BlockingMode): Promise<Cell[]> {
  const {options} = context;
  const {fileBytes, ...plan} = planOfWhole(options, waiters, RUN_SHARE);
  const openLog = (dir: string): WalSubject =>
    new WalSubject({dir, commitMode: mode, segmentBytes: fileBytes, background: false});
  const openBare = (dir: string): BareLog => new BareLog({path: join(dir, 'bare'), mode, fileBytes});
  const [log, bare]: [number[], number[]] = [[], []];
  const measureLog = async (): Promise<void> => {
    const {run, subject} = await runIn(context, openLog, plan);
    context.expectations.equal('changes of segment in a pair', subject.rolls, 0);
    log.push(run.recordsPerSecond);
  };
  const measureBare = async (): Promise<void> => {
    bare.push((await runIn(context, openBare, plan)).run.recordsPerSecond);
  };
  for (const i of times(options.repeat)) {
    const order = i % 2 === 0 ? [measureBare, measureLog] : [measureLog, measureBare];
    for (const measure of order) await measure();
    options.progress(`log: pair of ${waiters} waiters, ${mode}, run ${i + 1} of ${options.repeat}`);
  }
  const ratios = log.map((rate, i) => rate / (bare[i] ?? Number.NaN));
  return [waiters, mode, spreadOf(log), spreadOf(bare), spreadOf(ratios), PAIR_TARGET];
}

/** The log beside the bare loop which copies and checksums, both within one zero-filled file. */
export async function pairTable(context: CommitContext): Promise<Table> {
  const rows: Cell[][] = [];
  for (const waiters of PAIR_WAITERS.filter(each => context.options.waiters.includes(each))) {
    for (const mode of ['inline', 'async'] as const) rows.push(await pairRow(context, waiters, mode));
  }
  return {
    title: 'The log beside the bare loop of the same bytes, without changes of segment',
    columns: [
      {name: 'waiters', kind: 'count'},
      {name: 'mode', kind: 'text'},
      {name: 'log records/s', kind: 'rate'},
      {name: 'bare records/s', kind: 'rate'},
      {name: 'ratio', kind: 'ratio'},
      {name: 'target', kind: 'ratio'},
    ],
    rows,
  };
}

async function rollRow(context: CommitContext, mode: BlockingMode, rolls: boolean): Promise<Cell[]> {
  const {options} = context;
  const {fileBytes, ...plan} = planOfWhole(options, ROLL_WAITERS, ROLL_RUN_SHARE);
  const open = (dir: string): WalSubject =>
    rolls
      ? new WalSubject({dir, commitMode: mode, segmentBytes: ROLL_SEGMENT_BYTES})
      : new WalSubject({dir, commitMode: mode, segmentBytes: fileBytes, background: false});
  const found: {run: LaneRun; subject: WalSubject}[] = [];
  for (const i of times(options.repeat)) {
    found.push(await runIn(context, open, plan));
    options.progress(`log: ${rolls ? 'segments of 4 MiB' : 'one segment'}, ${mode}, run ${i + 1} of ${options.repeat}`);
  }
  return [
    mode,
    rolls ? '4 MiB' : 'one',
    spreadOf(found.map(({subject}) => subject.rolls)).median,
    spreadOf(found.map(({run}) => run.recordsPerSecond)),
    ...(['p50Micros', 'p99Micros', 'p999Micros', 'maxMicros'] as const).map(name =>
      spreadOf(found.map(({run}) => run[name])),
    ),
  ];
}

/** Latency while the log goes from segment to segment, beside the same load within one. */
export async function rollTable(context: CommitContext): Promise<Table> {
  const rows: Cell[][] = [];
  for (const mode of ['inline', 'async'] as const) {
    for (const rolls of [false, true]) rows.push(await rollRow(context, mode, rolls));
  }
  return {
    title: `Changes of segment under ${ROLL_WAITERS} waiters, counted from the warm-up on`,
    columns: [
      {name: 'mode', kind: 'text'},
      {name: 'segments', kind: 'text'},
      {name: 'changes', kind: 'count'},
      {name: 'records/s', kind: 'rate'},
      {name: 'p50 us', kind: 'micros'},
      {name: 'p99 us', kind: 'micros'},
      {name: 'p99.9 us', kind: 'micros'},
      {name: 'max us', kind: 'micros'},
    ],
    rows,
  };
}
