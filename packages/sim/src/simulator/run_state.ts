// What all parts of a run share: the schedule and its judges, the transcript, the counts, and the hooks through which
// the simulator's own tests plant faults.
// Data only.
import {operationWindow} from '../model/config.ts';
import {ANSWER_CODES} from './answer_codes.ts';
import {CRASH_POINT_NAMES, type CrashPointName} from './crash_points.ts';
import {CommandDraw} from './draw_command.ts';
import {Ledger} from './ledger.ts';
import {Oracle} from './oracle.ts';
import type {SimProcess} from './process.ts';
import type {Schedule} from './schedule.ts';
import {Transcript} from './transcript.ts';
import type {Violation} from './violation.ts';
import type {World} from './world.ts';

/** What a run has done. */
export interface RunCounts {
  events: number;
  requests: number;
  /** Answers that clients got, each compared with the model's. */
  answers: number;
  /** Crashes, and the openings that followed, in a process that died while opening too. */
  crashes: number;
  powerCuts: number;
  openings: number;
  restarts: number;
  probes: number;
  /** Calls that failed. */
  faults: number;
  halts: number;
  checkpoints: number;
  checkpointsFailed: number;
  refusals: number;
  /** Commands of which nobody knew what had become of them, and that a retry settled. */
  resolved: number;
  /** How many of them the recovered log held. */
  resolvedFromLog: number;
  /** Snapshots that were damaged. */
  rotten: number;
  closedNow: number;
  /** Requests that were looked at before they were handed over. */
  lookedAhead: number;
  /** Answers by what they say, members of batches too. */
  codes: Record<string, number>;
  /** Crashes by the point at which they struck; `between_events` beside the named ones. */
  points: Record<CrashPointName | 'between_events', number>;
}

/** Faults of the harness, planted by tests of the simulator: each must be reported. */
export interface Harness {
  /** Before each event. */
  onStep?: (world: World, index: number) => void;
  /** Answers on their way to a client, lengths included. */
  onTaken?: (taken: Uint8Array) => Uint8Array;
  /** After each opening, before it is checked. */
  onOpened?: (process: SimProcess) => void;
}

export interface RunState {
  readonly schedule: Schedule;
  readonly oracle: Oracle;
  readonly ledger: Ledger;
  readonly draw: CommandDraw;
  readonly transcript: Transcript;
  readonly counts: RunCounts;
  readonly harness: Harness;
  /** Everything through here was shown to somebody. */
  acknowledgedLsn: bigint;
  /** Snapshots that were damaged since the last opening, by lsn, with the bytes that they have now. */
  readonly rotten: Map<bigint, Uint8Array>;
  /** Found in a callback of the engine, which must not throw into it: reported as soon as the engine returns. */
  trouble: Violation | null;
}

export function newRunState(schedule: Schedule, keepsTranscript: boolean, harness: Harness): RunState {
  const {seed, config, settings, start} = schedule;
  const oracle = new Oracle(config, start, settings.maxFrameBytes);
  return {
    schedule,
    oracle,
    ledger: new Ledger(operationWindow(config)),
    draw: new CommandDraw(seed, config, settings, start?.slot ?? null, () => oracle.state),
    transcript: new Transcript(keepsTranscript),
    counts: noCounts(),
    harness,
    acknowledgedLsn: start?.lsn ?? 0n,
    rotten: new Map(),
    trouble: null,
  };
}

export function noCounts(): RunCounts {
  const points = Object.fromEntries(['between_events', ...CRASH_POINT_NAMES].map(name => [name, 0]));
  return {
    events: 0,
    requests: 0,
    answers: 0,
    crashes: 0,
    powerCuts: 0,
    openings: 0,
    restarts: 0,
    probes: 0,
    faults: 0,
    halts: 0,
    checkpoints: 0,
    checkpointsFailed: 0,
    refusals: 0,
    resolved: 0,
    resolvedFromLog: 0,
    rotten: 0,
    closedNow: 0,
    lookedAhead: 0,
    codes: Object.fromEntries(ANSWER_CODES.map(code => [code, 0])),
    points: points as RunCounts['points'],
  };
}

export function addCounts(total: RunCounts, more: RunCounts): void {
  for (const key of Object.keys(total) as (keyof RunCounts)[]) {
    if (key !== 'points' && key !== 'codes') total[key] += more[key];
  }
  for (const key of Object.keys(total.points) as (keyof RunCounts['points'])[]) total.points[key] += more.points[key];
  for (const [code, count] of Object.entries(more.codes)) total.codes[code] = (total.codes[code] ?? 0) + count;
}
