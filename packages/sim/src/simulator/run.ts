// One run of the simulator: a schedule in, what happened out. Never throws for what the run shows; the same schedule gives
// the same report, transcript included, in any process.
// Not here: what is made of a report (`shrink.ts`, the command line, the tests).
import {type Harness, newRunState, type RunCounts} from './run_state.ts';
import type {Schedule} from './schedule.ts';
import {type Violation, violationOf} from './violation.ts';
import {World} from './world.ts';

export interface RunReport {
  readonly violation: Violation | null;
  /** Index of the event in which it was found; the number of events for what the end of the run showed. */
  readonly foundAt: number;
  readonly counts: RunCounts;
  /** Over every line of the transcript. */
  readonly digest: string;
  /** The transcript, where it was asked for. */
  readonly lines: readonly string[];
}

export interface RunOptions {
  readonly keepsTranscript?: boolean;
  readonly harness?: Harness;
}

export async function runSchedule(schedule: Schedule, options: RunOptions = {}): Promise<RunReport> {
  const run = newRunState(schedule, options.keepsTranscript ?? false, options.harness ?? {});
  const {counts, transcript} = run;
  let violation: Violation | null = null;
  let foundAt = 0;
  try {
    const world = new World(run);
    await world.begin();
    for (const [index, event] of schedule.events.entries()) {
      foundAt = index;
      await world.step(event, index);
    }
    foundAt = schedule.events.length;
    await world.finish();
    counts.faults += world.process.io.failed.length;
  } catch (error) {
    violation = violationOf(error);
    transcript.note(`violation ${violation.kind}`);
  }
  return {violation, foundAt, counts, digest: transcript.digest, lines: transcript.lines};
}
