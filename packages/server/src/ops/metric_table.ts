/**
 * Every metric of a server as data: its name by the conventions of Prometheus, what it means, the closed set that each of
 * its labels is from, and how it is read from one sample of engine and server. Units are seconds and bytes.
 *
 * Names are part of the interface: alerts and dashboards use them (deploy/). Not here: the metrics of the process, which
 * prom-client brings (prometheus.ts), and collecting (scrape.ts).
 */
import {COMMAND, FAILURE, RESULT_NAMES} from '@allocdb/api';
import {LatencyHistogram} from '@allocdb/node';
import {UNREADY_REASONS} from './health.ts';
import type {Scrape, ServerFacts} from './scrape.ts';
import {END_REASONS, STATUS_CLASSES, TRANSPORTS} from './traffic.ts';

/** A value with its labels. */
export interface Reading {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Values of a label, the same for every server or known when it starts. */
export type ClosedSet = readonly string[] | ((facts: ServerFacts) => readonly string[]);

/** One metric. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** By label, all values that it can have. */
  readonly labels?: Readonly<Record<string, ClosedSet>>;
  /** Null and readings that are left out are not shown. Of a histogram, the durations in milliseconds. */
  readonly read: (scrape: Scrape) => number | null | readonly Reading[] | LatencyHistogram;
}

const STATES = ['running', 'halted', 'closed'] as const;
const TABLES = ['resources', 'reservations', 'operations'] as const;
const KINDS = Object.keys(COMMAND).map(name => name.toLowerCase());
const RESULTS = RESULT_NAMES.filter(name => name !== '');
const REFUSALS = Object.entries(FAILURE)
  .filter(([, code]) => code !== FAILURE.STORAGE_FAILURE)
  .map(([name]) => name.toLowerCase());
/** Results that say that something is full, by what it is. */
const FULL_RESULTS: Readonly<Record<string, string>> = {
  resource_table_full: 'resources',
  reservation_table_full: 'reservations',
  operation_table_full: 'operations',
  expiration_index_full: 'expirations',
};

const flag = (is: boolean): number => (is ? 1 : 0);
const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);

function oneHot(label: string, values: readonly string[], isSet: (value: string) => boolean): Reading[] {
  return values.map(value => ({labels: {[label]: value}, value: flag(isSet(value))}));
}

function fullAnswers({engine}: Scrape): Reading[] {
  return Object.entries(FULL_RESULTS).map(([result, table]) => {
    const counts = engine.commands.filter(counted => counted.result === result);
    return {labels: {table}, value: counts.reduce((sum, {count}) => sum + count, 0)};
  });
}

export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'allocdb_build_info',
    type: 'gauge',
    help: 'Always 1; the labels say what runs.',
    labels: {version: facts => [facts.version], node_version: () => [process.version]},
    read: ({facts}) => [{labels: {version: facts.version, node_version: process.version}, value: 1}],
  },
  {
    name: 'allocdb_state',
    type: 'gauge',
    help: '1 for the state that the engine is in.',
    labels: {state: STATES},
    read: ({state}) => oneHot('state', STATES, value => value === state),
  },
  {
    name: 'allocdb_ready',
    type: 'gauge',
    help: 'Whether /readyz says that the server can do its work.',
    read: ({readiness}) => flag(readiness.ready),
  },
  {
    name: 'allocdb_unready_reason',
    type: 'gauge',
    help: '1 for each reason for which the server is not ready.',
    labels: {reason: UNREADY_REASONS},
    read: ({readiness}) => oneHot('reason', UNREADY_REASONS, value => readiness.codes.some(code => code === value)),
  },
  {
    name: 'allocdb_accepting_writes',
    type: 'gauge',
    help: 'Whether commands are taken: not by a halted engine, nor after the last lsn.',
    read: ({engine}) => flag(engine.acceptingWrites),
  },
  {
    name: 'allocdb_commands_total',
    type: 'counter',
    help: 'Commands that were logged and applied, by what they were and what came of them.',
    labels: {kind: KINDS, result: RESULTS},
    read: ({engine}) => engine.commands.map(({kind, result, count}) => ({labels: {kind, result}, value: count})),
  },
  {
    name: 'allocdb_command_refusals_total',
    type: 'counter',
    help: 'Commands that were refused before they were logged.',
    labels: {reason: REFUSALS},
    read: ({engine}) => engine.refusals.map(({reason, count}) => ({labels: {reason}, value: count})),
  },
  {
    name: 'allocdb_table_full_answers_total',
    type: 'counter',
    help: 'Commands that were answered that there is no room for them, by what was full.',
    labels: {table: Object.values(FULL_RESULTS)},
    read: fullAnswers,
  },
  {
    name: 'allocdb_retries_total',
    type: 'counter',
    help: 'Commands that were answered from memory, because they had been executed before.',
    read: ({engine}) => engine.retries,
  },
  {
    name: 'allocdb_expirations_total',
    type: 'counter',
    help: 'Holds that have expired.',
    read: ({engine}) => engine.expirations,
  },
  {
    name: 'allocdb_expiration_backlog',
    type: 'gauge',
    help: 'Holds that are due and have not expired yet.',
    read: ({engine}) => engine.expirationBacklog,
  },
  {
    name: 'allocdb_table_used',
    type: 'gauge',
    help: 'Records in a table.',
    labels: {table: TABLES},
    read: ({engine}) => TABLES.map(table => ({labels: {table}, value: engine[table].used})),
  },
  {
    name: 'allocdb_table_capacity',
    type: 'gauge',
    help: 'Records that a table has room for.',
    labels: {table: TABLES},
    read: ({engine}) => TABLES.map(table => ({labels: {table}, value: engine[table].capacity})),
  },
  {
    name: 'allocdb_operation_table_time_to_full_seconds',
    type: 'gauge',
    help: 'Until the table of operations is full if commands go on coming as they do; +Inf for never.',
    read: ({operationTableFullInSeconds}) => operationTableFullInSeconds,
  },
  {
    name: 'allocdb_index_longest_probe',
    type: 'gauge',
    help: 'Cells that the longest search of a key index had to look at.',
    read: ({engine}) => engine.longestProbe,
  },
  {
    name: 'allocdb_commit_latency_seconds',
    type: 'histogram',
    help: 'From the first command of a frame to its being durable.',
    read: ({engine}) => engine.commitLatency,
  },
  {
    name: 'allocdb_sync_latency_seconds',
    type: 'histogram',
    help: 'Time that fdatasync of the log takes.',
    read: ({engine}) => engine.syncLatency,
  },
  {
    name: 'allocdb_queue_depth',
    type: 'gauge',
    help: 'Commands that wait for the disk.',
    read: ({engine}) => engine.queueDepth,
  },
  {
    name: 'allocdb_queue_high_water',
    type: 'gauge',
    help: 'Most commands that have waited for the disk at once since the start.',
    read: ({engine}) => engine.queueHighWater,
  },
  {
    name: 'allocdb_queue_capacity',
    type: 'gauge',
    help: 'Commands that may wait for the disk; one more is refused as overloaded.',
    read: ({engine}) => engine.queueCapacity,
  },
  {
    name: 'allocdb_frames_total',
    type: 'counter',
    help: 'Frames that were made durable: writes of the log, each with one sync.',
    read: ({engine}) => engine.frames,
  },
  {
    name: 'allocdb_log_records_total',
    type: 'counter',
    help: 'Records that were written to the log.',
    read: ({engine}) => engine.records,
  },
  {
    name: 'allocdb_log_written_bytes_total',
    type: 'counter',
    help: 'Bytes that were written to the log.',
    read: ({engine}) => engine.logBytes,
  },
  {
    name: 'allocdb_log_since_checkpoint_bytes',
    type: 'gauge',
    help: 'Log since the last checkpoint: what a restart would have to replay.',
    read: ({engine}) => engine.logBytesSinceCheckpoint,
  },
  {
    name: 'allocdb_checkpoint_interval_bytes',
    type: 'gauge',
    help: 'Log after which the next checkpoint begins.',
    read: ({facts}) => facts.checkpointEveryBytes,
  },
  {
    name: 'allocdb_checkpoints_total',
    type: 'counter',
    help: 'Checkpoints that were finished.',
    read: ({engine}) => engine.checkpoints,
  },
  {
    name: 'allocdb_checkpoint_failures_total',
    type: 'counter',
    help: 'Checkpoints that failed; the snapshot before stays.',
    read: ({engine}) => engine.checkpointFailures,
  },
  {
    name: 'allocdb_checkpoint_duration_seconds',
    type: 'gauge',
    help: 'How long the last checkpoint took. Not there before the first one since the start.',
    read: ({engine}) => seconds(engine.lastCheckpointDurationMs),
  },
  {
    name: 'allocdb_checkpoint_age_seconds',
    type: 'gauge',
    help: 'Time since the last checkpoint was finished. Not there before the first one since the start.',
    read: ({engine}) => seconds(engine.lastCheckpointAgeMs),
  },
  {
    name: 'allocdb_snapshot_bytes',
    type: 'gauge',
    help: 'Size of the last snapshot. Not there before the first one since the start.',
    read: ({snapshotBytes}) => snapshotBytes,
  },
  {
    name: 'allocdb_data_free_bytes',
    type: 'gauge',
    help: 'Free space where the data directory lies. Not there where the system does not tell.',
    read: ({freeBytes}) => freeBytes,
  },
  {
    name: 'allocdb_durable_lsn',
    type: 'gauge',
    help: 'Last lsn that is durable; 0 before the first.',
    read: ({engine}) => Number(engine.durableLsn ?? 0n),
  },
  {
    name: 'allocdb_slot',
    type: 'gauge',
    help: 'The present slot.',
    read: ({slot}) => Number(slot),
  },
  {
    name: 'allocdb_slot_lag',
    type: 'gauge',
    help: 'Slots since that of the last command that was applied.',
    read: ({engine}) => Number(engine.logicalSlotLag),
  },
  {
    name: 'allocdb_slot_length_seconds',
    type: 'gauge',
    help: 'Length of a slot.',
    read: ({facts}) => facts.slotDurationMs / 1000,
  },
  {
    name: 'allocdb_recovery_seconds',
    type: 'gauge',
    help: 'How long the last start took to recover the directory.',
    read: ({facts}) => facts.recoveryMs / 1000,
  },
  {
    name: 'allocdb_connections',
    type: 'gauge',
    help: 'Connections at present.',
    labels: {transport: TRANSPORTS},
    read: ({connections}) => connections.map(({transport, count}) => ({labels: {transport}, value: count})),
  },
  {
    name: 'allocdb_connections_max',
    type: 'gauge',
    help: 'Connections that may be open at a time.',
    labels: {transport: TRANSPORTS},
    read: ({connections}) => connections.map(({transport, most}) => ({labels: {transport}, value: most})),
  },
  {
    name: 'allocdb_connection_errors_total',
    type: 'counter',
    help: 'Connections that were refused or ended other than in order, by reason.',
    labels: {transport: TRANSPORTS, reason: END_REASONS},
    read: ({facts}) =>
      facts.traffic.ends().map(({transport, reason, count}) => ({labels: {transport, reason}, value: count})),
  },
  {
    name: 'allocdb_feeds',
    type: 'gauge',
    help: 'Change feeds at present.',
    labels: {transport: TRANSPORTS},
    read: ({feeds}) => TRANSPORTS.map(transport => ({labels: {transport}, value: feeds[transport].count})),
  },
  {
    name: 'allocdb_feed_lag_records',
    type: 'gauge',
    help: 'Durable changes that the slowest change feed has not sent yet; 0 without feeds.',
    labels: {transport: TRANSPORTS},
    read: ({feeds}) => TRANSPORTS.map(transport => ({labels: {transport}, value: feeds[transport].lag})),
  },
  {
    name: 'allocdb_http_requests_total',
    type: 'counter',
    help: 'HTTP requests that were answered, by the route that they matched.',
    labels: {route: facts => facts.traffic.routes, status: STATUS_CLASSES},
    read: ({facts}) =>
      facts.traffic.requests().map(({route, status, count}) => ({labels: {route, status}, value: count})),
  },
];

/** Upper bounds of the buckets of every histogram, in seconds. */
export const BUCKETS_SECONDS: readonly number[] = LatencyHistogram.boundsMs.map(ms =>
  Number((ms / 1000).toPrecision(6)),
);
