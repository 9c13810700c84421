/**
 * From one scrape to the next: how many commands a second were agreed to and refused, how many holds expired, and how long
 * commits took. A server that was started anew begins to count anew; that interval is left out.
 */
import {count, seconds} from './format.ts';
import {Plot} from './plots.ts';
import {percentileBetween, type Scrape, total} from './prometheus_text.ts';

const LATENCY = 'allocdb_commit_latency_seconds';

export class Throughput {
  readonly #rate: Plot;
  readonly #latency: Plot;
  readonly #rateNow: HTMLElement;
  readonly #latencyNow: HTMLElement;
  #last: {scrape: Scrape; atMs: number} | null = null;

  constructor(rate: HTMLElement, rateNow: HTMLElement, latency: HTMLElement, latencyNow: HTMLElement) {
    const rates = [
      {name: 'agreed', colour: 'confirmed'},
      {name: 'refused', colour: 'reserved'},
      {name: 'expired', colour: 'revoking'},
    ];
    const latencies = [
      {name: 'p50', colour: 'confirmed'},
      {name: 'p99', colour: 'revoking'},
    ];
    this.#rate = new Plot(rate, rates, count, 10);
    this.#latency = new Plot(latency, latencies, seconds, 0.001);
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
    this.#rateNow.textContent = `agreed ${count(agreed)} · refused ${count(refused)} · expired ${count(expired)}`;
    this.#latencyNow.textContent =
      p50 == null || p99 == null ? 'nothing was committed' : `p50 ${seconds(p50)} · p99 ${seconds(p99)}`;
  }
}
