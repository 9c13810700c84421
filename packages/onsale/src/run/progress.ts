/**
 * What is printed while the demo runs: a line a second of how the sale stands as its buyers see it, and one for each
 * thing that happens. The final figures are the auditor's, not these.
 */
import type {Condition} from '../arguments.ts';
import type {Totals} from './client_processes.ts';
import type {Aftermath} from './kills.ts';
import type {Recovery} from './server_process.ts';

export const CONDITION_NAMES: Readonly<Record<Condition, string>> = {
  unanswered: 'with requests unanswered',
  checkpoint: 'during a checkpoint',
  expirations: 'while expirations were due',
};

export class Progress {
  readonly #seats: number;
  #nextMs: number = 1000;
  #answers: number = 0;
  #lastMs: number = 0;

  constructor(seats: number) {
    this.#seats = seats;
  }

  say(text: string): void {
    console.log(text);
  }

  /** Prints when a second has passed. */
  turn(sinceOpeningMs: number, totals: Totals): void {
    if (sinceOpeningMs < this.#nextMs) return;
    const perSecond = (1000 * (totals.answers - this.#answers)) / (sinceOpeningMs - this.#lastMs);
    this.#answers = totals.answers;
    this.#lastMs = sinceOpeningMs;
    this.#nextMs = 1000 * (Math.floor(sinceOpeningMs / 1000) + 1);
    const {soldSeats, heldSeats, buyersLeft, unanswered} = totals;
    const free = this.#seats - soldSeats - heldSeats;
    const cells = [
      `${(sinceOpeningMs / 1000).toFixed(0).padStart(3)} s`,
      `${grouped(Math.round(perSecond)).padStart(7)} answers/s`,
      `sold ${grouped(soldSeats).padStart(6)}`,
      `held ${grouped(heldSeats).padStart(6)}`,
      `free ${grouped(free).padStart(6)}`,
      `buyers left ${grouped(buyersLeft).padStart(6)}`,
      `unanswered ${grouped(unanswered).padStart(5)}`,
    ];
    this.say(cells.join('   '));
  }

  killed(number: number, condition: Condition, aftermath: Aftermath, proof: string | null): void {
    const {unanswered} = aftermath;
    this.say(`      SIGKILL ${number} ${CONDITION_NAMES[condition]}: ${proof ?? 'missed; it will be repeated'}`);
    if (condition !== 'unanswered') this.say(`              ${grouped(unanswered)} requests were unanswered`);
  }

  recovered(recovery: Recovery): void {
    const {startupKind, replayedRecords, recoveryMs, startMs} = recovery;
    const replayed = `${startupKind}, ${grouped(replayedRecords)} records replayed`;
    this.say(`      the server is back after ${startMs.toFixed(0)} ms (${replayed} in ${recoveryMs} ms)`);
  }
}

/** A number with commas. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
