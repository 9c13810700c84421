/**
 * The hall as one client process believes it to be: which seats its own buyers saw taken, and until when that is worth
 * believing. It is always a little wrong, as any seat map on a screen is, and so buyers meet each other at the database.
 *
 * Choosing favours what everybody wants: the better tiers, the front rows, the middle of a row.
 */
import type {Random} from '../random.ts';
import {type Run, runsOf, type Seat} from '../seat_map.ts';

/** How much less each following tier is wanted than the one before it. */
const TIER_DECAY = 0.72;
/** The higher, the more buyers crowd into the front rows. */
const FRONT_BIAS = 1.7;
const FREE = 0;
const FADE_MS = 50;

/** The runs of a tier, by index. */
interface Tier {
  readonly runs: readonly number[];
}

export class HallView {
  readonly #runs: readonly Run[];
  readonly #tiers: readonly Tier[];
  readonly #tierWeights: readonly number[];
  readonly #runOf: Int32Array;
  /** Seats of each run that are believed free. */
  readonly #freeOf: Int32Array;
  /** Per seat: until when (ms) it is believed taken; FREE when it is not. */
  readonly #takenUntil: Float64Array;
  /** Seats whose belief ends in a page of time, by page of FADE_MS. */
  readonly #fading: Map<number, number[]> = new Map();
  #page: number = 0;

  constructor(seats: readonly Seat[]) {
    this.#runs = runsOf(seats);
    this.#runOf = new Int32Array(seats.length);
    this.#takenUntil = new Float64Array(seats.length).fill(FREE);
    this.#freeOf = Int32Array.from(this.#runs, run => run.seats.length);
    const tiers = new Map<string, number[]>();
    for (const [index, run] of this.#runs.entries()) {
      for (const seat of run.seats) this.#runOf[seat] = index;
      const tier = tiers.get(run.tier);
      if (tier === undefined) tiers.set(run.tier, [index]);
      else tier.push(index);
    }
    this.#tiers = [...tiers.values()].map(runs => ({runs}));
    this.#tierWeights = this.#tiers.map((tier, i) => tier.runs.length * TIER_DECAY ** i);
  }

  /** Adjacent seats that look free, or null when nothing does. */
  choose(count: number, random: Random): number[] | null {
    return this.#inSomeTier(random, tier => this.#chooseIn(tier, count, random));
  }

  /** Adjacent seats that somebody would like, whether or not they look free; null when no row has so many. */
  wish(count: number, random: Random): number[] | null {
    return this.#inSomeTier(random, tier => this.#wishIn(tier, count, random));
  }

  /** These seats were seen taken, and probably are until then. */
  taken(seats: readonly number[], untilMs: number): void {
    for (const seat of seats) {
      if (this.#takenUntil[seat] === FREE) this.#count(seat, -1);
      this.#takenUntil[seat] = Math.max(untilMs, this.#takenUntil[seat] ?? FREE);
      if (untilMs !== Number.POSITIVE_INFINITY) this.#fadeAt(Math.ceil(untilMs / FADE_MS), seat);
    }
  }

  /** These seats were seen free. */
  free(seats: readonly number[]): void {
    for (const seat of seats) {
      if (this.#takenUntil[seat] !== FREE) this.#count(seat, 1);
      this.#takenUntil[seat] = FREE;
    }
  }

  /** Drops beliefs whose time is over. */
  fade(nowMs: number): void {
    const page = Math.floor(nowMs / FADE_MS);
    if (this.#page === 0) this.#page = page;
    for (; this.#page <= page; this.#page++) {
      for (const seat of this.#fading.get(this.#page) ?? []) {
        const until = this.#takenUntil[seat] ?? FREE;
        if (until !== FREE && until <= nowMs) this.free([seat]);
      }
      this.#fading.delete(this.#page);
    }
  }

  #fadeAt(page: number, seat: number): void {
    const seats = this.#fading.get(page);
    if (seats === undefined) this.#fading.set(page, [seat]);
    else seats.push(seat);
  }

  #inSomeTier(random: Random, find: (tier: Tier) => number[] | null): number[] | null {
    const first = random.weighted(this.#tierWeights);
    for (let i = 0; i < this.#tiers.length; i++) {
      const found = find(this.#tiers[(first + i) % this.#tiers.length] as Tier);
      if (found !== null) return found;
    }
    return null;
  }

  #wishIn({runs}: Tier, count: number, random: Random): number[] | null {
    const start = Math.floor(runs.length * random.fraction() ** FRONT_BIAS);
    for (let i = 0; i < runs.length; i++) {
      const {seats} = this.#runAt(runs[(start + i) % runs.length] ?? 0);
      if (seats.length < count) continue;
      const at = Math.floor((random.fraction() + random.fraction()) * 0.5 * (seats.length - count + 1));
      return seats.slice(at, at + count);
    }
    return null;
  }

  #chooseIn(tier: Tier, count: number, random: Random): number[] | null {
    const {runs} = tier;
    const start = Math.floor(runs.length * random.fraction() ** FRONT_BIAS);
    for (let i = 0; i < runs.length; i++) {
      const index = runs[(start + i) % runs.length] ?? 0;
      if ((this.#freeOf[index] ?? 0) < count) continue;
      const found = this.#freeIn(this.#runAt(index).seats, count, random);
      if (found !== null) return found;
    }
    return null;
  }

  /** So many free seats beside each other, searched from about the middle of the row. */
  #freeIn(seats: readonly number[], count: number, random: Random): number[] | null {
    const places = seats.length - count + 1;
    const start = Math.floor((random.fraction() + random.fraction()) * 0.5 * places);
    for (let i = 0; i < places; i++) {
      const at = (start + i) % places;
      let free = 0;
      while (free < count && this.#takenUntil[seats[at + free] ?? 0] === FREE) free++;
      if (free === count) return seats.slice(at, at + count);
    }
    return null;
  }

  #runAt(index: number): Run {
    return this.#runs[index] as Run;
  }

  #count(seat: number, change: number): void {
    const run = this.#runOf[seat] ?? 0;
    this.#freeOf[run] = (this.#freeOf[run] ?? 0) + change;
  }
}
