/**
 * The text for Prometheus: that it says what a real engine counts, that nothing from outside gets into a label, and that
 * names keep the conventions. promtool reads it in the full tests.
 */
import {join} from 'node:path';
import {COMMAND, RESULT_NAMES} from '@allocdb/api';
import {LatencyHistogram} from '@allocdb/node';
import fc from 'fast-check';
import {afterEach, describe, expect, test} from 'vitest';
import {FillForecast, secondsUntilFull, type TableSample} from '../src/ops/fill_forecast.ts';
import {UNREADY_REASONS} from '../src/ops/health.ts';
import {METRICS} from '../src/ops/metric_table.ts';
import {END_REASONS, STATUS_CLASSES, TRANSPORTS, Traffic} from '../src/ops/traffic.ts';
import {cleanUp} from './command.ts';
import {ask, breakLog, closeEngines, configWith, openFixture, ROUTES, sampleOf, samplesOf} from './ops_fixture.ts';
import {closeSmallDisks, SmallDisk} from './process_faults_small_disk.ts';
import {create, createMany, getResource, reserve} from './requests.ts';

afterEach(async () => {
  await closeEngines();
  await cleanUp();
  await closeSmallDisks();
});

describe('names keep the conventions', () => {
  test.each(METRICS.map(metric => [metric.name, metric] as const))('%s', (name, {type, help, labels = {}}) => {
    expect(name).toMatch(/^allocdb(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|kib|mib|megabytes|count|sum|bucket)(_|$)/);
    if (/_(seconds|bytes)_/.test(name)) expect(name).toMatch(/_(seconds|bytes)_total$/);
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
    for (const label of Object.keys(labels)) expect(label).not.toMatch(/second|byte|unit|^le$/);
  });

  test('each name is there once', () => {
    expect(new Set(METRICS.map(({name}) => name)).size).toBe(METRICS.length);
  });
});

describe('of a real engine', () => {
  test('commands, refusals, retries, expirations, tables, lsns', async () => {
    const fixture = openFixture(configWith({maxResources: 3}));
    const {engine, metrics} = fixture;
    for (let id = 1n; id <= 4n; id++) await ask(engine, create(id));
    await ask(engine, create(1n));
    await ask(engine, reserve(100n, 1n, 2n));
    await ask(engine, reserve(101n, 1n, 2n));
    await ask(engine, {type: 'submit', requestSlot: 1n, payload: new Uint8Array(3)});
    fixture.slot = 5n;
    const before = samplesOf((await metrics.render()).body);
    expect(sampleOf(before, 'allocdb_expiration_backlog')).toBe(1);
    expect(sampleOf(before, 'allocdb_slot_lag')).toBe(5);
    await ask(engine, {type: 'tick_expirations', currentWallClockSlot: 5n});
    const samples = samplesOf((await metrics.render()).body);
    const count = (kind: string, result: string): number | undefined =>
      sampleOf(samples, 'allocdb_commands_total', {kind, result});
    expect([count('create_resource', 'ok'), count('create_resource', 'resource_table_full')]).toEqual([3, 1]);
    expect([count('reserve', 'ok'), count('reserve', 'resource_busy')]).toEqual([1, 1]);
    expect(sampleOf(samples, 'allocdb_table_full_answers_total', {table: 'resources'})).toBe(1);
    expect(sampleOf(samples, 'allocdb_command_refusals_total', {reason: 'invalid_request'})).toBe(1);
    expect(sampleOf(samples, 'allocdb_command_refusals_total', {reason: 'overloaded'})).toBe(0);
    expect(sampleOf(samples, 'allocdb_retries_total')).toBe(1);
    expect(sampleOf(samples, 'allocdb_expirations_total')).toBe(1);
    expect(sampleOf(samples, 'allocdb_expiration_backlog')).toBe(0);
    expect(sampleOf(samples, 'allocdb_table_used', {table: 'resources'})).toBe(3);
    expect(sampleOf(samples, 'allocdb_table_capacity', {table: 'resources'})).toBe(3);
    expect(sampleOf(samples, 'allocdb_durable_lsn')).toBe(7);
    expect(sampleOf(samples, 'allocdb_log_records_total')).toBe(7);
    expect(sampleOf(samples, 'allocdb_state', {state: 'running'})).toBe(1);
    expect(sampleOf(samples, 'allocdb_accepting_writes')).toBe(1);
    expect(sampleOf(samples, 'allocdb_ready')).toBe(1);
    expect(sampleOf(samples, 'allocdb_build_info', {version: '1.2.3'})).toBe(1);
    expect(sampleOf(samples, 'allocdb_data_free_bytes')).toBeGreaterThan(0);
    expect(sampleOf(samples, 'process_resident_memory_bytes')).toBeGreaterThan(0);
  });

  test('histograms have every bucket of the engine, and nothing is lost on the way', async () => {
    const {engine, metrics} = openFixture();
    for (let id = 1n; id <= 50n; id++) await ask(engine, create(id));
    const samples = samplesOf((await metrics.render()).body);
    const {commitLatency, syncLatency} = engine.metrics(0n);
    for (const [name, histogram] of [
      ['allocdb_commit_latency_seconds', commitLatency],
      ['allocdb_sync_latency_seconds', syncLatency],
    ] as const) {
      const buckets = samples.filter(sample => sample.name === `${name}_bucket`);
      const bounds = buckets.map(({labels}) => Number(labels['le']?.replace('+Inf', 'Infinity')));
      for (const [i, bound] of LatencyHistogram.boundsMs.entries()) {
        expect(((bounds[i] ?? 0) * 1000) / bound).toBeCloseTo(1, 4);
      }
      expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY);
      expect(buckets.map(({value}) => value)).toEqual([...histogram.cumulative(), histogram.count]);
      expect(sampleOf(samples, `${name}_count`)).toBe(50);
      expect(sampleOf(samples, `${name}_sum`)).toBeCloseTo(histogram.sumMs / 1000, 9);
    }
  });

  test('checkpoints are there when there has been one', async () => {
    const {engine, metrics} = openFixture();
    await ask(engine, createMany(1n, 100));
    const before = samplesOf((await metrics.render()).body);
    expect(sampleOf(before, 'allocdb_checkpoints_total')).toBe(0);
    for (const name of [
      'allocdb_checkpoint_age_seconds',
      'allocdb_checkpoint_duration_seconds',
      'allocdb_snapshot_bytes',
    ]) {
      expect(sampleOf(before, name)).toBeUndefined();
    }
    const {bytes} = await engine.checkpoint();
    const samples = samplesOf((await metrics.render()).body);
    expect(sampleOf(samples, 'allocdb_checkpoints_total')).toBe(1);
    expect(sampleOf(samples, 'allocdb_snapshot_bytes')).toBe(bytes);
    expect(sampleOf(samples, 'allocdb_checkpoint_age_seconds')).toBeGreaterThanOrEqual(0);
  });

  test('a halted one tells too, and says so', async context => {
    const disk = await SmallDisk.openFor(context, 16);
    const {engine, metrics} = openFixture(configWith(), join(disk.root, 'data'));
    await ask(engine, create(1n));
    breakLog(disk);
    expect(await ask(engine, create(2n))).toMatchObject({failure: {code: 'storage_failure'}});
    const samples = samplesOf((await metrics.render()).body);
    expect(sampleOf(samples, 'allocdb_state', {state: 'halted'})).toBe(1);
    expect(sampleOf(samples, 'allocdb_state', {state: 'running'})).toBe(0);
    expect(sampleOf(samples, 'allocdb_accepting_writes')).toBe(0);
    expect(sampleOf(samples, 'allocdb_unready_reason', {reason: 'halted'})).toBe(1);
  });

  test('one answer is one sample: reads beside it change nothing in it', async () => {
    const {engine, metrics} = openFixture();
    const [{body}] = await Promise.all([metrics.render(), ask(engine, create(1n)), ask(engine, getResource(1n))]);
    const samples = samplesOf(body);
    const commits = sampleOf(samples, 'allocdb_commit_latency_seconds_count');
    expect(sampleOf(samples, 'allocdb_frames_total')).toBe(commits);
  });
});

describe('labels', () => {
  const closedSets: Readonly<Record<string, readonly string[]>> = {
    kind: Object.keys(COMMAND).map(name => name.toLowerCase()),
    result: RESULT_NAMES,
    reason: [...END_REASONS, ...UNREADY_REASONS],
    route: [...ROUTES, 'other'],
    status: STATUS_CLASSES,
    transport: ['tcp', 'http'],
    state: ['running', 'halted', 'closed'],
    table: ['resources', 'reservations', 'operations', 'expirations'],
    version: ['1.2.3'],
    node_version: [process.version],
  };

  test('whatever peers say, no value comes from outside', async () => {
    const {engine, traffic, metrics} = openFixture();
    await ask(engine, create(1n));
    const anything = fc.oneof(
      fc.string(),
      fc.constantFrom(...END_REASONS),
      fc.string().map(text => `socket: ${text}`),
    );
    const transports = fc.constantFrom(...TRANSPORTS);
    await fc.assert(
      fc.asyncProperty(
        transports,
        anything,
        fc.option(anything),
        fc.integer(),
        async (transport, reason, route, status) => {
          traffic.connectionEnded(transport, reason);
          traffic.requestAnswered(route, status);
          const ours = samplesOf((await metrics.render()).body).filter(({name}) => name.startsWith('allocdb_'));
          for (const {name, labels} of ours) {
            for (const [label, value] of Object.entries(labels)) {
              if (label === 'le') continue;
              const refusals = name === 'allocdb_command_refusals_total' ? engine.metrics(0n).refusals : [];
              const known = [...(closedSets[label] ?? []), ...refusals.map(refusal => refusal.reason)];
              expect(known, `${name} ${label}`).toContain(value);
            }
          }
        },
      ),
      {numRuns: 60},
    );
  });

  test('a value that is in no set is shown as other', async () => {
    const fixture = openFixture();
    fixture.connections.push({transport: 'pigeon' as 'tcp', count: 1, most: 2});
    const samples = samplesOf((await fixture.metrics.render()).body);
    expect(sampleOf(samples, 'allocdb_connections', {transport: 'other'})).toBe(1);
  });

  test('every label of every metric has its set in the table', async () => {
    const {engine, traffic, metrics, connections} = openFixture();
    connections.push({transport: 'tcp', count: 1, most: 10});
    traffic.requestAnswered('/readyz', 200);
    await ask(engine, create(1n));
    for (const {name, labels} of samplesOf((await metrics.render()).body)) {
      const metric = METRICS.find(each => each.name === name);
      if (metric !== undefined) expect(Object.keys(labels).sort()).toEqual(Object.keys(metric.labels ?? {}).sort());
    }
  });
});

describe('traffic', () => {
  test('ends are sorted by what they were', async () => {
    const traffic = new Traffic();
    for (const reason of ['unauthorized', 'socket: read ECONNRESET', 'feed ended: x', 'constructor', 'unauthorized']) {
      traffic.connectionEnded('tcp', reason);
    }
    traffic.connectionEnded('http', 'request_timeout');
    expect(traffic.ends().filter(({count}) => count > 0)).toEqual([
      {transport: 'tcp', reason: 'unauthorized', count: 2},
      {transport: 'tcp', reason: 'socket', count: 1},
      {transport: 'tcp', reason: 'feed', count: 1},
      {transport: 'tcp', reason: 'other', count: 1},
      {transport: 'http', reason: 'request_timeout', count: 1},
    ]);
  });

  test('requests are counted by route and class', () => {
    const traffic = new Traffic(['GET /readyz', 'HEAD /readyz']);
    for (const [route, status] of [
      ['/readyz', 200],
      ['/readyz', 503],
      ['/readyz', 200],
      ['/secret/path', 404],
      [null, 404],
      ['/readyz', 0],
    ] as const) {
      traffic.requestAnswered(route, status);
    }
    expect(traffic.requests()).toEqual([
      {route: '/readyz', status: '2xx', count: 2},
      {route: '/readyz', status: '5xx', count: 1},
      {route: 'other', status: '4xx', count: 2},
    ]);
  });

  test('feeds are there from their beginning to their end, with what the slowest has not sent', async () => {
    const {engine, traffic, metrics} = openFixture();
    await ask(engine, createMany(1n, 10));
    const feeds = [engine.changes(5n), engine.changes(10n), engine.changes(11n)] as const;
    traffic.feedOpened('tcp', feeds[0]);
    traffic.feedOpened('tcp', feeds[1]);
    traffic.feedOpened('http', feeds[2]);
    const shown = async (): Promise<(number | undefined)[]> => {
      const samples = samplesOf((await metrics.render()).body);
      return ['tcp', 'http'].flatMap(transport => [
        sampleOf(samples, 'allocdb_feeds', {transport}),
        sampleOf(samples, 'allocdb_feed_lag_records', {transport}),
      ]);
    };
    expect(await shown()).toEqual([2, 6, 1, 0]);
    await feeds[0].next();
    expect(await shown()).toEqual([2, 1, 1, 0]);
    await ask(engine, createMany(20n, 3));
    expect(await shown()).toEqual([2, 4, 1, 3]);
    for (const feed of feeds) feed.close();
    expect(await shown()).toEqual([0, 0, 0, 0]);
  });
});

describe('the time until the table of operations is full', () => {
  const bounds = {capacity: 1000, windowSeconds: 60};
  /** A table into which `rate` operations a second have come for so long, each for a window. */
  const at = (seconds: number, rate: number): TableSample => ({
    nowMs: seconds * 1000,
    stored: seconds * rate,
    used: Math.min(bounds.capacity, Math.min(seconds, bounds.windowSeconds) * rate),
  });

  test('never, at a rate of which a whole window fits', () => {
    const rate = fc.double({min: 0, max: 16.6, noNaN: true});
    fc.assert(
      fc.property(rate, fc.integer({min: 0, max: 500}), (perSecond, seconds) => {
        expect(secondsUntilFull(at(seconds, perSecond), at(seconds + 60, perSecond), bounds)).toBe(Infinity);
      }),
    );
  });

  test('as it comes, at a higher one', () => {
    const rate = fc.double({min: 20, max: 1000, noNaN: true});
    fc.assert(
      fc.property(rate, fc.double({min: 0, max: 0.5, noNaN: true}), (perSecond, part) => {
        const fullAt = 1000 / perSecond;
        const [from, to] = [part * fullAt, 1.5 * part * fullAt + fullAt / 10];
        const seconds = secondsUntilFull(at(from, perSecond), at(to, perSecond), bounds);
        expect(seconds).toBeCloseTo(fullAt - to, 6);
      }),
    );
  });

  test('at once when it is full, and within a window however the past was', () => {
    expect(secondsUntilFull(at(100, 50), at(110, 50), bounds)).toBe(0);
    const shrinking = secondsUntilFull(
      {nowMs: 0, stored: 0, used: 900},
      {nowMs: 10_000, stored: 300, used: 600},
      bounds,
    );
    expect(shrinking).toBeCloseTo(400 / 30);
  });

  test('is unknown until two samples are far enough apart, and follows the rate', () => {
    const forecast = new FillForecast(bounds);
    expect(forecast.observe(at(0, 100))).toBeNull();
    expect(forecast.observe(at(1, 100))).toBeNull();
    // Looked at often, it still compares with a sample of some seconds ago.
    for (let ms = 1000; ms < 10_000; ms += 100) expect(forecast.observe(at(ms / 1000, 50))).toBeNull();
    expect(forecast.observe(at(10, 50))).toBeCloseTo(10);
    expect(forecast.observe(at(10.1, 50))).not.toBeNull();
    const used = {used: 500, stored: 500};
    for (let s = 11; s < 60; s++) forecast.observe({nowMs: 1000 * s, ...used});
    expect(forecast.observe({nowMs: 60_000, ...used})).toBe(Infinity);
  });
});
