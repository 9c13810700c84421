/**
 * A real engine with what a server tells about itself, for tests of metrics and health that need no port; and the text for
 * Prometheus, read. What was opened here is closed by `closeEngines`.
 */
import {readdirSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type ApiRequest, type ApiResponse, decodeResponse, encodeRequest} from '@allocdb/api';
import {AnswerBuffer, configOfLimits, type DatabaseConfig, type DatabaseLimits, SingleNodeEngine} from '@allocdb/node';
import {Health} from '../src/ops/health.ts';
import {createMetrics, type ServerMetrics} from '../src/ops/prometheus.ts';
import type {ConnectionCount, ServerFacts} from '../src/ops/scrape.ts';
import {Traffic} from '../src/ops/traffic.ts';
import {tempDir} from './command.ts';
import type {SmallDisk} from './process_faults_small_disk.ts';

const LIMITS: DatabaseLimits = {maxResources: 1000, maxReservations: 100, maxOperations: 5000, maxTtlSlots: 1000};
export const SLOT_MS = 100;
export const ROUTES: readonly string[] = ['/v1/resources/:id', '/readyz'];

const engines = new Set<SingleNodeEngine>();

/** An engine and everything that is asked about it. */
export interface OpsFixture {
  readonly engine: SingleNodeEngine;
  readonly dir: string;
  readonly traffic: Traffic;
  readonly health: Health;
  readonly metrics: ServerMetrics;
  readonly connections: ConnectionCount[];
  /** Milliseconds that health goes by. */
  readonly clock: {nowMs: number};
  slot: bigint;
}

/** The configuration of a fixture, with other limits. */
export function configWith(limits: Partial<DatabaseLimits> = {}, queue: number = 65_536): DatabaseConfig {
  const {core, engine} = configOfLimits({...LIMITS, ...limits}, SLOT_MS);
  return {core, engine: {...engine, maxSubmissionQueue: queue}};
}

export function openFixture(config: DatabaseConfig | null = configWith(), dir: string = tempDir()): OpsFixture {
  const engine = SingleNodeEngine.open({dir, config, segmentBytes: 1 << 20, checkpoint: {everyLogBytes: null}});
  engines.add(engine);
  const clock = {nowMs: 0};
  const traffic = new Traffic(ROUTES);
  const connections: ConnectionCount[] = [];
  const fixture = {engine, dir, traffic, connections, clock, slot: 1n};
  const health = new Health({
    state: () => engine.state,
    metrics: () => engine.metrics(fixture.slot),
    now: () => clock.nowMs,
  });
  const facts: ServerFacts = {
    version: '1.2.3',
    dir,
    slotDurationMs: SLOT_MS,
    recoveryMs: 12,
    checkpointEveryBytes: 1 << 28,
    traffic,
    health,
    currentSlot: () => fixture.slot,
    connections: () => connections,
  };
  return Object.assign(fixture, {health, metrics: createMetrics(engine, facts)});
}

export async function closeEngines(): Promise<void> {
  // One that has halted has nothing to close in order.
  await Promise.all([...engines].map(engine => engine.close().catch(() => undefined)));
  engines.clear();
}

/** Sends a request as a connection does; resolves with its answer. */
export function ask(engine: SingleNodeEngine, request: ApiRequest): Promise<ApiResponse> {
  return new Promise(resolve => {
    const answers = new AnswerBuffer(() => {
      const taken = answers.take();
      if (taken !== null) resolve(decodeResponse(taken.subarray(4)));
    });
    const frame = encodeRequest(request);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    engine.submitBytes(view, frame, 0, frame.length, answers);
  });
}

/**
 * Makes the next write of a log fail, as a disk does that is full in the middle of a frame: what was reserved for the log is
 * taken away, and all other space too. The directory is `data` on the disk.
 */
export function breakLog(disk: SmallDisk): void {
  const wal = join(disk.root, 'data', 'wal');
  for (const name of readdirSync(wal)) if (name.startsWith('wal-')) truncateSync(join(wal, name), 0);
  // What prepares the next segment may take some of it meanwhile, and finds out that there is no more.
  while (disk.freeBytes > 0) {
    try {
      writeFileSync(join(disk.root, 'ballast'), new Uint8Array(disk.freeBytes), {flag: 'a'});
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
}

/** One line of the text. */
export interface SampleLine {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads the text for Prometheus. Throws for a line that is none. */
export function samplesOf(body: string): SampleLine[] {
  return body
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match === null) throw new Error(`no sample: ${line}`);
      const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
        name,
        value,
      ]);
      return {name: match[1] ?? '', labels: Object.fromEntries(labels), value: numberOf(match[3] ?? '')};
    });
}

function numberOf(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text === 'Nan' ? 'NaN' : text);
}

/** The value of one sample; undefined when it is not there. */
export function sampleOf(
  samples: readonly SampleLine[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return samples.find(
    sample => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value;
}
