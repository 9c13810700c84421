// The counts of a campaign: added up as they are reported, printed as progress lines and as the summary.
// A count whose whole is known is printed as a part of it, so that nothing is claimed beyond what was run.
// Not here: where the counts come from (`run.ts`).
import type {Campaign} from './campaigns.ts';

export type Counts = Readonly<Record<string, number>>;

export interface Violation {
  readonly workload: string;
  readonly seed: number;
  readonly message: string;
}

export class Tally {
  readonly violations: Violation[] = [];
  readonly #campaign: Campaign;
  readonly #started: number;
  readonly #counts: Map<string, Map<string, number>> = new Map();
  /** What a count comes to when there is nothing left to run. */
  readonly #totals: Map<string, number> = new Map();

  constructor(campaign: Campaign, now: number) {
    this.#campaign = campaign;
    this.#started = now;
  }

  add(workload: string, counts: Counts): void {
    const sums = this.#counts.get(workload) ?? new Map<string, number>();
    this.#counts.set(workload, sums);
    for (const [name, count] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + count);
  }

  expect(totals: Counts): void {
    for (const [name, total] of Object.entries(totals)) this.#totals.set(name, total);
  }

  /** The first count of each workload, and its rate. */
  progress(now: number): string {
    const seconds = (now - this.#started) / 1000;
    const parts = this.#campaign.lines.flatMap(({workload, counts}) => {
      const first = counts[0];
      const sums = this.#counts.get(workload);
      if (first === undefined || sums === undefined) return [];
      const sum = sums.get(first[0]) ?? 0;
      return [`${this.#part(first, sums)} (${inGroups(Math.round(sum / seconds))}/s)`];
    });
    return `${clock(seconds)}  ${[...parts, ...this.#verdict()].join(' · ')}`;
  }

  /** All counts, a line for each workload. */
  summary(now: number): string[] {
    const lines = this.#campaign.lines.flatMap(({workload, counts}) => {
      const sums = this.#counts.get(workload);
      return sums === undefined ? [] : [counts.map(count => this.#part(count, sums)).join(' · ')];
    });
    const verdict = this.violations.length === 0 ? 'no violation' : `${this.violations.length} violations`;
    return ['', ...lines, `${verdict} in ${clock((now - this.#started) / 1000)}`];
  }

  #verdict(): string[] {
    return this.violations.length === 0 ? [] : [`${this.violations.length} violations`];
  }

  #part([name, words]: readonly [string, string], sums: ReadonlyMap<string, number>): string {
    const total = this.#totals.get(name);
    return `${words} ${inGroups(sums.get(name) ?? 0)}${total === undefined ? '' : ` of ${inGroups(total)}`}`;
  }
}

function inGroups(count: number): string {
  return count.toLocaleString('en-US');
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
