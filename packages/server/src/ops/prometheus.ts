/**
 * The metrics of a server as text for Prometheus: those of metric_table.ts, read when they are asked for, and those that
 * prom-client has of the process. Nothing is registered or counted on the path of a command.
 *
 * A label has the values of its closed set and no others, whatever is read: what is not in the set is shown as `other`.
 */
import type {LatencyHistogram, SingleNodeEngine} from '@allocdb/node';
import {collectDefaultMetrics, type Metric, Registry} from 'prom-client';
import {BUCKETS_SECONDS, METRICS, type MetricDefinition, type Reading} from './metric_table.ts';
import {type Scrape, Scraper, type ServerFacts} from './scrape.ts';
import {OTHER} from './traffic.ts';

/** Metrics of one server. */
export interface ServerMetrics {
  render(): Promise<{readonly contentType: string; readonly body: string}>;
}

/** A line of the text. */
interface Line extends Reading {
  readonly metricName?: string;
}

/** Metrics of the process that break the conventions: gauges that are called totals. */
const UNCONVENTIONAL = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** One for the process, however many servers it runs: what it observes is never let go. */
let processRegistry: Registry | null = null;

function registryOfProcess(): Registry {
  if (processRegistry !== null) return processRegistry;
  const registry = new Registry();
  collectDefaultMetrics({register: registry});
  for (const name of UNCONVENTIONAL) registry.removeSingleMetric(name);
  processRegistry = registry;
  return registry;
}

/** The metrics of a server; an answer is one sample of it. */
export function createMetrics(engine: SingleNodeEngine, facts: ServerFacts): ServerMetrics {
  const scraper = new Scraper(engine, facts);
  const ofProcess = registryOfProcess();
  return {
    render: async () => {
      const scrape = await scraper.take();
      const registry = new Registry();
      for (const definition of METRICS) registry.registerMetric(shown(definition, scrape));
      const body = `${await registry.metrics()}\n${await ofProcess.metrics()}`;
      return {contentType: registry.contentType, body};
    },
  };
}

/** What a registry asks of a metric. */
function shown(definition: MetricDefinition, scrape: Scrape): Metric {
  const {name, type, help} = definition;
  const get = async (): Promise<unknown> => ({
    name,
    help,
    type,
    values: linesOf(definition, scrape),
    aggregator: 'sum',
  });
  // Its types know the classes of prom-client only, which count by themselves.
  return {name, help, type, get} as unknown as Metric;
}

function linesOf(definition: MetricDefinition, scrape: Scrape): readonly Line[] {
  const read = definition.read(scrape);
  if (read === null) return [];
  if (typeof read === 'number') return [{value: read}];
  if ('cumulative' in read) return histogramLines(definition.name, read);
  return read.map(reading => closed(definition, reading, scrape));
}

function histogramLines(name: string, histogram: LatencyHistogram): Line[] {
  const bucket = (le: string, value: number): Line => ({metricName: `${name}_bucket`, labels: {le}, value});
  const buckets = histogram.cumulative().map((count, i) => bucket(String(BUCKETS_SECONDS[i]), count));
  return [
    ...buckets,
    bucket('+Inf', histogram.count),
    {metricName: `${name}_sum`, value: histogram.sumMs / 1000},
    {metricName: `${name}_count`, value: histogram.count},
  ];
}

function closed({labels = {}}: MetricDefinition, reading: Reading, {facts}: Scrape): Reading {
  const entries = Object.entries(reading.labels ?? {}).map(([label, value]) => {
    const set = labels[label] ?? [];
    const known = typeof set === 'function' ? set(facts) : set;
    return [label, known.includes(value) ? value : OTHER] as const;
  });
  return {value: reading.value, labels: Object.fromEntries(entries)};
}
