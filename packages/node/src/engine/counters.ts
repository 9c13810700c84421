/**
 * What the engine counts beside what it answers: commands by kind and result, those that were refused before they were
 * logged, retries, expirations, and how long frames take. Counting costs an addition; the names come in when somebody asks (metrics.ts).
 */
import {LatencyHistogram} from './latency_histogram.ts';

/** Tags and codes are below this. */
const WIDTH = 32;

export class EngineCounters {
  /** Applied commands, by tag * WIDTH + result code. */
  private readonly commands: Float64Array = new Float64Array(WIDTH * WIDTH);
  /** Commands that were not sequenced, by failure code. */
  private readonly refusals: Float64Array = new Float64Array(WIDTH);
  retries: number = 0;
  expirations: number = 0;
  queueHighWater: number = 0;
  frames: number = 0;
  /** From the first command of a frame to its being durable. */
  readonly commitLatency: LatencyHistogram = new LatencyHistogram();
  readonly syncLatency: LatencyHistogram = new LatencyHistogram();

  command(tag: number, code: number): void {
    const at = tag * WIDTH + code;
    this.commands[at] = (this.commands[at] ?? 0) + 1;
  }

  refused(failure: number, count: number = 1): void {
    this.refusals[failure] = (this.refusals[failure] ?? 0) + count;
  }

  retry(): void {
    this.retries++;
  }

  expired(count: number): void {
    this.expirations += count;
  }

  /** Applied commands of a kind that had a result. */
  commandsOf(tag: number, code: number): number {
    return this.commands[tag * WIDTH + code] ?? 0;
  }

  /** Commands that were refused with a failure before they were logged. */
  refusalsOf(failure: number): number {
    return this.refusals[failure] ?? 0;
  }
}
