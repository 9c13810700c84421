/**
 * The process of `pnpm campaign abuse`. A seed is a run of a quarter of a million frames against a server of its own; its
 * counts are told as they come, and at its end a line with what the honest client and the server's memory were before and
 * during the abuse. `--only frames --seed S --count 1` sends the same cases again.
 *
 * Not here: the loop over seeds (`@allocdb/campaign`), and what a run is (`abuse_run.ts`).
 */
import {addCounts, type Counts, runWorker, type SeedContext} from '@allocdb/campaign';
import {cleanUp} from '../command.ts';
import {type AbuseEnd, runAbuse} from './abuse_run.ts';

/** As `framesPerSeed` of the campaign says (`scripts/campaign/campaigns.ts`). */
const FRAMES = 250_000;
const UNDISTURBED_MS = 15_000;
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
      undisturbedMs: UNDISTURBED_MS,
      isOver,
      report: more => addCounts(counts, more),
    });
    note(rowOf(seed, end));
    return {...counts, honest: end.undisturbed.answers + end.abused.answers};
  } finally {
    clearInterval(timer);
    await cleanUp();
  }
}

function rowOf(seed: number, {undisturbed, abused, rssBefore, rssPeak, rssAfter}: AbuseEnd): string {
  const ms = (value: number): string => value.toFixed(1).padStart(6);
  const mib = (bytes: number): string => String(Math.round(bytes / 2 ** 20)).padStart(4);
  return [
    `seed ${seed}`,
    `honest p50 ${ms(undisturbed.p50)} ms alone, ${ms(abused.p50)} abused`,
    `p99 ${ms(undisturbed.p99)} alone, ${ms(abused.p99)} abused, times ${(abused.p99 / undisturbed.p99).toFixed(2)}`,
    `server ${mib(rssBefore)} MiB before, ${mib(rssPeak)} at most, ${mib(rssAfter)} after`,
  ].join(' · ');
}

await runWorker([{name: 'frames', weight: 1, seeds: null, run: runFrames}]);
