/**
 * The frame of the deterministic scenarios: an engine on a fresh directory, a script that asserts the count of every
 * outcome, and at the end the checks that hold for every script: the invariants, the number of records in the log, and a
 * reopened directory in the same state bit by bit.
 *
 * The same script gives the same counts, records and digest on every machine; only the durations differ.
 */
import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {checkInvariants, digestOf} from '@allocdb/core';
import {
  type DatabaseConfig,
  type EngineMetrics,
  SingleNodeEngine,
  STARTUP_KIND_NAMES,
  type SubmitResponse,
} from '@allocdb/node';
import {probeDisk, probeLine} from './disk_probe.ts';
import {EnginePipeline, outcomeCounts} from './engine_pipeline.ts';
import type {Cell, Column, Table} from './report.ts';
import {type BenchOptions, Expectations, type ScenarioReport} from './scenario.ts';
import {spreadOf} from './stats.ts';

/** What a script may use. */
export interface ScriptContext {
  readonly engine: SingleNodeEngine;
  readonly pipeline: EnginePipeline;
  readonly expectations: Expectations;
  /** Adds the answers of a step to its counts, over all rounds, and asserts the counts of this round. */
  count(step: string, answers: readonly SubmitResponse[], expected: Readonly<Record<string, number>>): void;
}

/** A scenario whose counts are known beforehand. */
export interface Script {
  readonly name: string;
  readonly title: string;
  readonly config: DatabaseConfig;
  /** Client records that the log must hold in the end. */
  readonly records: number;
  /** The slot at which metrics are read in the end. */
  readonly lastSlot: bigint;
  play(context: ScriptContext): Promise<void>;
  /** What the script's rate is held against. */
  readonly beside?: RateBeside;
}

/** Durable answers per second of something else, measured in the same run in the same way. */
export interface RateBeside {
  readonly name: string;
  /** Least quotient of the script's rate and this one. */
  readonly target: number;
  /** Measures in a directory that is not there yet. */
  measure(dir: string): Promise<number>;
}

/** One play: what was counted, how long it took, the metrics at its end, and the digest of the state. */
interface Play {
  readonly counts: ReadonlyMap<string, number>;
  readonly answers: number;
  readonly millis: number;
  readonly metrics: EngineMetrics;
  readonly digest: bigint;
}

/** Plays the script as often as asked and reports counts, throughput, metrics and log bytes. */
export async function playScript(script: Script, options: BenchOptions): Promise<ScenarioReport> {
  const dir = join(options.dir, script.name);
  const expectations = new Expectations();
  mkdirSync(dir, {recursive: true});
  try {
    const probe = probeDisk(dir, 500);
    const plays: Play[] = [];
    const rates: number[] = [];
    for (let i = 0; i < options.repeat; i++) {
      options.progress(`${script.name}: run ${i + 1} of ${options.repeat}`);
      const play = async (): Promise<void> => {
        plays.push(await playOnce(script, join(dir, `run-${i}`), expectations));
      };
      const measure = async (): Promise<void> => {
        if (script.beside !== undefined) rates.push(await script.beside.measure(join(dir, `beside-${i}`)));
      };
      for (const run of i % 2 === 0 ? [measure, play] : [play, measure]) await run();
    }
    const [first] = plays;
    if (first === undefined) throw new RangeError('a script is played at least once');
    for (const play of plays) expectations.equal('digest of every run', play.digest, first.digest);
    return {
      tables: [countsTable(script, first), summaryTable(plays, rates, script.beside), metricsTable(first.metrics)],
      notes: [probeLine(probe)],
      failures: [...new Set(expectations.failures)],
    };
  } finally {
    rmSync(dir, {recursive: true, force: true});
  }
}

async function playOnce(script: Script, dir: string, expectations: Expectations): Promise<Play> {
  const engine = SingleNodeEngine.open({dir, config: script.config});
  const pipeline = new EnginePipeline(engine);
  const counts = new Map<string, number>();
  try {
    await script.play({engine, pipeline, expectations, count: countInto(counts, expectations)});
    const metrics = engine.metrics(script.lastSlot);
    const digest = digestOf(engine.db);
    expectations.equal('invariants', checkInvariants(engine.db).join('; '), '');
    expectations.equal('records in the log', metrics.records, script.records);
    expectations.equal('last applied lsn', metrics.lastAppliedLsn ?? 0n, BigInt(script.records));
    await engine.close();
    expectations.equal('digest after reopening', digestOfDirectory(dir), digest);
    return {counts, answers: pipeline.answers, millis: pipeline.millis, metrics, digest};
  } finally {
    await engine.close();
  }
}

function countInto(counts: Map<string, number>, expectations: Expectations): ScriptContext['count'] {
  return (step, answers, expected) => {
    const found = outcomeCounts(answers);
    for (const [outcome, count] of found) {
      const name = `${step}\t${outcome}`;
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
    for (const outcome of new Set([...found.keys(), ...Object.keys(expected)])) {
      expectations.equal(`${step}: ${outcome}`, found.get(outcome) ?? 0, expected[outcome] ?? 0);
    }
  };
}

function digestOfDirectory(dir: string): bigint {
  const engine = SingleNodeEngine.open({dir});
  try {
    return digestOf(engine.db);
  } finally {
    engine.closeNow();
  }
}

function countsTable(script: Script, play: Play): Table {
  const rows = [...play.counts].map(([name, count]): Cell[] => [...name.split('\t'), count]);
  return {
    title: script.title,
    columns: [
      {name: 'step', kind: 'text'},
      {name: 'outcome', kind: 'text'},
      {name: 'answers', kind: 'count'},
    ],
    rows,
  };
}

function summaryTable(plays: readonly Play[], rates: readonly number[], beside: RateBeside | undefined): Table {
  const [first] = plays;
  const own = plays.map(({answers, millis}) => (answers * 1000) / millis);
  const compared: [Column, Cell][] =
    beside === undefined
      ? []
      : [
          [{name: `${beside.name}, answers/s`, kind: 'rate'}, spreadOf(rates)],
          [{name: 'ratio', kind: 'ratio'}, spreadOf(own.map((rate, i) => rate / (rates[i] ?? Number.NaN)))],
          [{name: 'target', kind: 'ratio'}, beside.target],
        ];
  const cells: [Column, Cell][] = [
    [{name: 'answers', kind: 'count'}, first?.answers ?? null],
    [{name: 'durable answers/s', kind: 'rate'}, spreadOf(own)],
    ...compared,
    [{name: 'records', kind: 'count'}, first?.metrics.records ?? null],
    [{name: 'log', kind: 'bytes'}, first?.metrics.logBytes ?? null],
    [{name: 'digest', kind: 'text'}, first?.digest.toString(16).padStart(32, '0') ?? null],
  ];
  return {
    title: 'Totals of a run, all counts asserted',
    columns: cells.map(([column]) => column),
    rows: [cells.map(([, cell]) => cell)],
  };
}

function metricsTable(metrics: EngineMetrics): Table {
  const {resources, reservations, operations} = metrics;
  const rows: [string, Cell][] = [
    ['accepting_writes', String(metrics.acceptingWrites)],
    ['startup_kind', STARTUP_KIND_NAMES[metrics.recovery.startupKind] ?? null],
    ['last_applied_lsn', metrics.lastAppliedLsn],
    ['last_request_slot', metrics.lastRequestSlot],
    ['logical_slot_lag', metrics.logicalSlotLag],
    ['expiration_backlog', metrics.expirationBacklog],
    ['resources used', resources.used],
    ['reservations used', reservations.used],
    ['operation_table_used', operations.used],
    ['operation_table_capacity', operations.capacity],
    ['operation_table_utilization_pct', Math.floor((100 * operations.used) / operations.capacity)],
    ['retries answered from memory', metrics.retries],
    ['frames', metrics.frames],
    ['log_bytes', metrics.logBytes],
    ['longest_probe', metrics.longestProbe],
  ];
  return {
    title: 'Metrics at the end of the first run',
    columns: [
      {name: 'metric', kind: 'text'},
      {name: 'value', kind: 'count'},
    ],
    rows,
  };
}
