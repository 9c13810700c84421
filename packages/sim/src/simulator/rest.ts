// How a process comes to rest: whatever it has under way goes on, in an order drawn from a seed, until nothing is left.
//
// Everything that the engine awaits is a promise that only the schedule settles, so a turn of the real event loop, which
// runs all microtasks first, is enough to see everything that follows from the last step. Somebody who still waits when
// nothing is under way waits for ever.
import type {Random} from '../random.ts';
import type {Clients} from './clients.ts';
import type {SimProcess} from './process.ts';
import type {RunState} from './run_state.ts';
import {Violation} from './violation.ts';

const STEPS_MAX = 20_000;

/** Resolves when every promise has settled that can. */
export function quiet(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

/** Steps until nothing is under way, or until the process ends. */
export async function comeToRest(run: RunState, process: SimProcess, clients: Clients, random: Random): Promise<void> {
  await stepUntil(process, random, () => run.trouble !== null);
  if (run.trouble !== null) throw run.trouble;
  if (process.io.isDead || !clients.isWaiting) return;
  throw new Violation('silent', 'nothing is under way, and an answer is still waited for');
}

/** The same until something has happened; false where everything has come to rest without it. */
export async function stepUntil(process: SimProcess, random: Random, happened: () => boolean): Promise<boolean> {
  for (let step = 0; step < STEPS_MAX; step++) {
    await quiet();
    if (process.io.isDead || happened()) return true;
    if (!stepOnce(process, random)) return false;
  }
  throw new Violation('silent', 'it does not come to rest');
}

function stepOnce({io, scheduler}: SimProcess, random: Random): boolean {
  const calls = io.pending.length;
  const choices = calls + (scheduler.hasTurn ? 1 : 0);
  // Time passes when there is nothing else to do.
  if (choices === 0) {
    if (!scheduler.hasTimer) return false;
    scheduler.runTimer();
    return true;
  }
  const choice = random.below(choices);
  if (choice < calls) io.pending[choice]?.step();
  else scheduler.runTurn();
  return true;
}
