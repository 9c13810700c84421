/**
 * When the server is killed, and how it is proven that the moment was the right one. Each kill waits for its seeded time,
 * then for its condition; afterwards the clients' count, the server's own words or the log on disk must bear it out. A
 * kill that hit the wrong moment does not count and is repeated.
 */
import type {Condition} from '../arguments.ts';
import {Random} from '../random.ts';
import {EXPIRATIONS_PER_TICK, paceOf, type SaleSettings} from '../settings.ts';
import type {Totals} from './client_processes.ts';
import {grouped} from './progress.ts';
import type {Watched} from './watcher.ts';

/** A kill that is still to come. */
export interface PlannedKill {
  readonly condition: Condition;
  /** Not before this many ms after the opening. */
  readonly fromMs: number;
  /** How long the condition must have held. */
  readonly delayMs: number;
  /** Not before so many answers: a server that has answered nobody yet has little to lose. */
  readonly answersLeast: number;
}

/** What is known at a moment of the sale. */
export interface Moment {
  readonly sinceOpeningMs: number;
  readonly totals: Totals;
  /** The lsn of the checkpoint that is being written, or null. */
  readonly checkpoint: string | null;
  /** True once this server has finished a checkpoint, or has had time enough for one. */
  readonly checkpointed: boolean;
  /** Null until the server answered a question for it in this life. */
  readonly watched: Watched | null;
}

/** What was found after a kill. */
export interface Aftermath {
  /** Requests that the clients had sent and were not answered. */
  readonly unanswered: number;
  /** The checkpoint that the server had begun and not finished, or null; and unfinished snapshots on disk. */
  readonly checkpoint: string | null;
  readonly unfinishedSnapshots: readonly string[];
  /** Holds that the log shows open although their deadline slot had come, and that slot. */
  readonly dueHolds: number;
  readonly slot: number;
}

/** A kill that happened. */
export interface Kill {
  readonly condition: Condition;
  readonly atMs: number;
  readonly lastLsn: number;
  readonly logDigest: string;
  readonly aftermath: Aftermath;
  /** Why it counts, or null when its condition was not met after all. */
  readonly proof: string | null;
}

const UNANSWERED_MARGIN = 1.25;
const CHOOSY_MS = 3500;
const AMID_ANSWERS = 1000;

/** The kills of this seed, in the order of their times. */
export function planKills(conditions: readonly Condition[], settings: SaleSettings): PlannedKill[] {
  const random = new Random(settings.seed, 'kills');
  const [, secondRush = 0] = settings.rushesMs;
  const pace = paceOf(settings.buyers);
  // In a small sale the first rush is over with its first answers.
  const answersLeast = pace < 1 ? 0 : AMID_ANSWERS;
  // Every number is drawn whatever was asked for, so that leaving one kill out does not move the others.
  const all: PlannedKill[] = [
    {
      condition: 'unanswered',
      fromMs: random.chance(0.5) ? 0 : secondRush,
      delayMs: pace < 1 ? 0 : random.between(0, 40),
      answersLeast,
    },
    {
      condition: 'checkpoint',
      fromMs: pace * random.between(3600, 5000),
      delayMs: random.between(20, 400),
      answersLeast,
    },
    {condition: 'expirations', fromMs: pace * random.between(7000, 8400), delayMs: 0, answersLeast},
  ];
  return all.filter(({condition}) => conditions.includes(condition));
}

/** True when the condition of this kill holds now, as far as can be seen. */
export function isMet(planned: PlannedKill, moment: Moment, unansweredLeast: number): boolean {
  switch (planned.condition) {
    case 'unanswered':
      if (moment.totals.answers < planned.answersLeast) return false;
      return moment.totals.unanswered >= UNANSWERED_MARGIN * unansweredLeast;
    case 'checkpoint':
      return moment.checkpoint !== null;
    case 'expirations':
      // After a checkpoint, so that one of the recoveries begins with a snapshot.
      return moment.checkpointed && (moment.watched?.backlog ?? 0) >= backlogLeast(planned, moment);
  }
}

/** A backlog of several ticks outlasts the way of the signal. When none is seen for long, a smaller one must do. */
function backlogLeast(planned: PlannedKill, moment: Moment): number {
  return moment.sinceOpeningMs < planned.fromMs + CHOOSY_MS ? 2 * EXPIRATIONS_PER_TICK : 1;
}

/** In words, why a kill met its condition; null when it did not. */
export function proofOf(condition: Condition, aftermath: Aftermath, unansweredLeast: number): string | null {
  const {unanswered, checkpoint, unfinishedSnapshots, dueHolds, slot} = aftermath;
  switch (condition) {
    case 'unanswered':
      return unanswered >= unansweredLeast ? `${grouped(unanswered)} requests were unanswered` : null;
    case 'checkpoint': {
      if (checkpoint === null || unfinishedSnapshots.length === 0) return null;
      return `the checkpoint of lsn ${checkpoint} was begun and not finished; ${unfinishedSnapshots[0]} was left behind`;
    }
    case 'expirations':
      return dueHolds > 0
        ? `${grouped(dueHolds)} holds were past their deadline at slot ${slot} and not yet ended`
        : null;
  }
}
