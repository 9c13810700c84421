/**
 * From one scrape to the next: how many commands a second were agreed to and refused, how many holds expired, and how long
 * commits took. A server that was started anew begins to count anew; that interval is left out.
 */
import {make} from './dom.ts';
import {count, seconds} from './format.ts';
import {type Line, Plot} from './plots.ts';
import {percentileBetween, type Scrape, total} from './prometheus_text.ts';

const LATENCY = 'allocdb_commit_latency_seconds';

const RATES: readonly Line[] = [
  {name: 'agreed', colour: 'confirmed'},
  {name: 'refused', colour: 'reserved'},
  {name: 'expired', colour: 'revoking'},
];
const LATENCIES: readonly Line[] = [
  {name: 'p50', colour: 'confirmed'},
  {name: 'p99', colour: 'revoking'},
];

export class Throughput {
  readonly #rate: Plot;
  readonly #latency: Plot;
  readonly #rateNow: HTMLElement;
  readonly #latencyNow: HTMLElement;
  #last: {scrape: Scrape; atMs: number} | null = null;

  constructor(rate: HTMLElement, rateNow: HTMLElement, latency: HTMLElement, latencyNow: HTMLElement) {
    this.#rate = new Plot(rate, RATES, count, 10);
    this.#latency = new Plot(latency, LATENCIES, seconds, 0.001);
    this.#rateNow = rateNow;
    this.#latencyNow = latencyNow;
  }

  restyle(): void {
    this.#rate.restyle();
    this.#latency.restyle();
  }

  /** Takes what was scraped at this moment. */
  take(scrape: Scrape, atMs: number): void {
    const last = this.#last;
    this.#last = {scrape, atMs};
    if (last === null || atMs <= last.atMs) return;
    const perSecond = (name: string, label?: Record<string, string>): number =>
      ((total(scrape, name, label) - total(last.scrape, name, label)) * 1000) / (atMs - last.atMs);
    const agreed = perSecond('allocdb_commands_total', {result: 'ok'});
    const refused = perSecond('allocdb_commands_total') - agreed;
    const expired = perSecond('allocdb_expirations_total');
    if (Math.min(agreed, refused, expired) < 0) return;
    const [p50, p99] = [0.5, 0.99].map(rank => percentileBetween(last.scrape, scrape, LATENCY, rank));
    this.#rate.add(atMs / 1000, [agreed, refused, expired]);
    this.#latency.add(atMs / 1000, [p50 ?? null, p99 ?? null]);
    show(this.#rateNow, RATES, [agreed, refused, expired].map(count));
    if (p50 == null || p99 == null) this.#latencyNow.textContent = 'nothing was committed';
    else
      show(
        this.#latencyNow,
        LATENCIES,
        [p50, p99].map(bound => `≤ ${seconds(bound)}`),
      );
  }

  /** Nothing is known of this moment: the lines are broken off, and the next point is counted from the next scrape. */
  gap(atMs: number): void {
    if (this.#last === null) return;
    this.#last = null;
    this.#rate.add(
      atMs / 1000,
      RATES.map(() => null),
    );
    this.#latency.add(
      atMs / 1000,
      LATENCIES.map(() => null),
    );
    for (const now of [this.#rateNow, this.#latencyNow]) now.textContent = 'not known at present';
  }
}

/** The values of the lines, each behind the colour of its line. */
function show(place: HTMLElement, lines: readonly Line[], values: readonly string[]): void {
  place.replaceChildren(...lines.map(({name, colour}, i) => make('span', {class: colour}, `${name} ${values[i]}`)));
}
