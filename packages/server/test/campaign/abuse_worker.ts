/**
 * The process of `pnpm campaign abuse`. A seed is a run of a quarter of a million frames against a server of its own, in
 * rounds; its counts are told as they come, and at its end a line with how long the honest client waited alone and abused
 * (medians of the rounds), the same over all seeds so far, and the server's memory. `--only frames --seed S --count 1` sends
 * the same cases again.
 *
 * Not here: the loop over seeds (`@allocdb/campaign`), and what a run is (`abuse_run.ts`).
 */
import {addCounts, type Counts, runWorker, type SeedContext} from '@allocdb/campaign';
import {cleanUp} from '../command.ts';
import type {HonestPhase} from './abuse_honest_program.ts';
import {type AbuseEnd, runAbuse} from './abuse_run.ts';

/** As `framesPerSeed` of the campaign says (`scripts/campaign/campaigns.ts`). */
const FRAMES = 250_000;
const ROUNDS = 5;
const UNDISTURBED_MS = 3000;
const REPORT_MS = 500;

async function runFrames(seed: number, {isOver, report, note}: SeedContext): Promise<Counts> {
  let counts: Counts = {};
  const tell = (): void => {
    report(counts);
    counts = {};
  };
  const timer = setInterval(tell, REPORT_MS);
  try {
    const end = await runAbuse(seed, {
      frames: FRAMES,
      rounds: ROUNDS,
      undisturbedMs: UNDISTURBED_MS,
      isOver,
      report: more => addCounts(counts, more),
    });
    undisturbed.push(...end.undisturbed);
    abused.push(...end.abused);
    note(rowOf(seed, end));
    const honest = [...end.undisturbed, ...end.abused].reduce((sum, {answers}) => sum + answers, 0);
    return {...counts, honest};
  } finally {
    clearInterval(timer);
    await cleanUp();
  }
}

/** Rounds of all seeds so far. */
const undisturbed: HonestPhase[] = [];
const abused: HonestPhase[] = [];

function rowOf(seed: number, end: AbuseEnd): string {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1).padStart(6);
  const ofAll = `all ${abused.length} rounds so far: ${waits(undisturbed, abused, 'p99')}`;
  return [
    `seed ${seed}`,
    waits(end.undisturbed, end.abused, 'p50'),
    waits(end.undisturbed, end.abused, 'p99'),
    `server ${mib(end.rssBefore)} MiB before, ${mib(end.rssPeak)} at most, ${mib(end.rssAfter)} after`,
    `needs ${mib(end.live[0] ?? 0)} after the first round, ${mib(end.live.at(-1) ?? 0)} after the last`,
    ofAll,
  ].join(' · ');
}

/** The medians of what was measured alone and abused, and how many times the one the other is. */
function waits(alone: readonly HonestPhase[], beside: readonly HonestPhase[], rank: 'p50' | 'p99'): string {
  const [before, during] = [alone, beside].map(phases => median(phases.map(phase => phase[rank])));
  const ms = (value: number = 0): string => value.toFixed(1).padStart(6);
  return `honest ${rank} ${ms(before)} ms alone, ${ms(during)} abused, times ${((during ?? 0) / (before ?? 1)).toFixed(2)}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await runWorker([{name: 'frames', weight: 1, seeds: null, run: runFrames}]);
