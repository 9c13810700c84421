/**
 * One look at engine and server, taken when somebody asks for the metrics: everything that the metrics of one answer are
 * read from, so that they agree with each other. Nothing is computed or kept between looks but the forecast.
 */
import {statfs} from 'node:fs/promises';
import {performance} from 'node:perf_hooks';
import {type EngineMetrics, type EngineState, operationWindowOf, type SingleNodeEngine} from '@allocdb/node';
import {FillForecast} from './fill_forecast.ts';
import type {Health, Readiness} from './health.ts';
import {TRANSPORTS, type Traffic, type Transport} from './traffic.ts';

/** What a server tells about itself. */
export interface ServerFacts {
  readonly version: string;
  /** The data directory. */
  readonly dir: string;
  readonly slotDurationMs: number;
  readonly recoveryMs: number;
  /** Log bytes after which a checkpoint begins; null for never. */
  readonly checkpointEveryBytes: number | null;
  readonly traffic: Traffic;
  readonly health: Pick<Health, 'readiness'>;
  currentSlot(): bigint;
  /** Of the ports that listen: how many connections there are, and how many there may be. */
  connections(): readonly ConnectionCount[];
}

export interface ConnectionCount {
  readonly transport: Transport;
  readonly count: number;
  readonly most: number;
}

/** Feeds of one transport; `lag` is how many records the slowest has not sent yet. */
export interface FeedCount {
  readonly count: number;
  readonly lag: number;
}

export interface Scrape {
  readonly facts: ServerFacts;
  readonly engine: EngineMetrics;
  readonly state: EngineState;
  readonly slot: bigint;
  readonly readiness: Readiness;
  readonly connections: readonly ConnectionCount[];
  readonly feeds: Readonly<Record<Transport, FeedCount>>;
  readonly operationTableFullInSeconds: number | null;
  readonly snapshotBytes: number | null;
  readonly freeBytes: number | null;
}

export class Scraper {
  readonly #engine: SingleNodeEngine;
  readonly #facts: ServerFacts;
  readonly #forecast: FillForecast;

  constructor(engine: SingleNodeEngine, facts: ServerFacts) {
    const {core} = engine.config;
    this.#engine = engine;
    this.#facts = facts;
    this.#forecast = new FillForecast({
      capacity: core.maxOperations,
      windowSeconds: (Number(operationWindowOf(core)) * facts.slotDurationMs) / 1000,
    });
  }

  async take(): Promise<Scrape> {
    const freeBytes = await freeBytesOf(this.#facts.dir);
    const slot = this.#facts.currentSlot();
    const metrics = this.#engine.metrics(slot);
    return {
      facts: this.#facts,
      engine: metrics,
      state: this.#engine.state,
      slot,
      readiness: this.#facts.health.readiness(),
      connections: this.#facts.connections(),
      feeds: this.#feeds(metrics.durableLsn ?? 0n),
      operationTableFullInSeconds: this.#forecast.observe({
        nowMs: performance.now(),
        used: metrics.operations.used,
        stored: storedOperations(metrics),
      }),
      snapshotBytes: this.#engine.checkpoints.last?.bytes ?? null,
      freeBytes,
    };
  }

  #feeds(durableLsn: bigint): Record<Transport, FeedCount> {
    const entries = TRANSPORTS.map(transport => {
      const feeds = this.#facts.traffic.feeds(transport);
      const lags = feeds.map(({nextLsn}) => Number(durableLsn + 1n - nextLsn));
      return [transport, {count: feeds.length, lag: Math.max(0, ...lags)}] as const;
    });
    return Object.fromEntries(entries) as Record<Transport, FeedCount>;
  }
}

/** Commands of clients that have taken a place in the table of operations. */
function storedOperations({commands}: EngineMetrics): number {
  return commands
    .filter(({kind, result}) => kind !== 'expire' && result !== 'operation_table_full')
    .reduce((sum, {count}) => sum + count, 0);
}

async function freeBytesOf(dir: string): Promise<number | null> {
  try {
    const {bavail, bsize} = await statfs(dir);
    return bavail * bsize;
  } catch {
    return null;
  }
}
