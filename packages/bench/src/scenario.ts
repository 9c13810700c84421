/**
 * What a scenario is: a name, a line about it, and a run that yields tables. Everything that prints, repeats the machine
 * or writes JSON is elsewhere, so that a new scenario is one file beside the others and one line in `scenarios/all.ts`.
 *
 * A scenario that asserts counts lists what did not hold in `failures`; the command then exits with 1. It never asserts
 * a duration: figures are for people, and a slow machine is not a fault.
 */
import type {Table} from './report.ts';

/** How often and how long to measure, and where; the same for every scenario. */
export interface BenchOptions {
  /** Measured seconds of each run. */
  readonly seconds: number;
  /** Seconds before each run that do not count. */
  readonly warmUpSeconds: number;
  /** Runs of each figure. */
  readonly repeat: number;
  /** Existing directory for data; each scenario makes, and removes, its own below it. */
  readonly dir: string;
  /** Connections and commands outstanding on each, for scenarios over TCP. */
  readonly shapes: readonly LoadShape[];
  /** Table sizes, for scenarios of the state machine alone. */
  readonly resources: readonly number[];
  /** Commands outstanding at the same time, for the engine in process. */
  readonly outstanding: readonly number[];
  /** Arrivals per second of an open loop; null for half of the highest rate, which is then measured first. */
  readonly rate: number | null;
  /** What the sizes of the large measurements are multiplied by; 1 as published. */
  readonly scale: number;
  /** Waiters that commit at the same time, for the log alone. */
  readonly waiters: readonly number[];
  /** Size of the log that is read back, in MiB. */
  readonly replayMib: number;
  /** Directory for CPU profiles of the servers that are started; null for none. */
  readonly profileDir: string | null;
  /** Says what is being done; a line without its end. */
  readonly progress: (line: string) => void;
}

/** How a client loads a server: `outstanding` requests on each of `connections`. */
export interface LoadShape {
  readonly connections: number;
  readonly outstanding: number;
  /** Commands of each request; 1 unless set. */
  readonly batch?: number;
}

/** Commands of a request. */
export function batchOf(shape: LoadShape): number {
  return shape.batch ?? 1;
}

/** What a scenario found. */
export interface ScenarioReport {
  readonly tables: readonly Table[];
  /** Remarks that belong under the tables, a line each. */
  readonly notes: readonly string[];
  /** What should have held and did not; empty when all is well. */
  readonly failures: readonly string[];
}

/** A measurement that can be asked for by name. */
export interface Scenario {
  readonly name: string;
  /** One line for the help text. */
  readonly about: string;
  /** Takes minutes or gigabytes: runs when it is named, or with all. */
  readonly isLarge?: boolean;
  run(options: BenchOptions): Promise<ScenarioReport>;
}

/** The shape as it is written on the command line and in tables, such as `16x64`, or `1x4b64` for batches of 64. */
export function shapeText(shape: LoadShape): string {
  const batch = batchOf(shape);
  return `${shape.connections}x${shape.outstanding}${batch === 1 ? '' : `b${batch}`}`;
}

/** 0 to `count`, for runs that are repeated. */
export function times(count: number): number[] {
  return Array.from({length: count}, (_, i) => i);
}

/** Collects failures by comparing counts; the messages name what was counted. */
export class Expectations {
  readonly failures: string[] = [];

  equal(what: string, actual: number | bigint | string, expected: number | bigint | string): void {
    if (actual !== expected) this.failures.push(`${what}: expected ${expected}, got ${actual}`);
  }

  holds(what: string, condition: boolean): void {
    if (!condition) this.failures.push(what);
  }
}
