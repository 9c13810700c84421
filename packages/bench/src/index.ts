/**
 * The public surface: the scenarios and what their reports look like, for whoever runs them from a program. The command
 * is `main.ts`.
 */
export {killChildren} from './child_process.ts';
export {engineHoldings, type Holdings, serverHoldings} from './database_holdings.ts';
export {probeDisk, probeLine} from './disk_probe.ts';
export {endingWithParent} from './ends_with_parent.ts';
export {EngineSubject} from './engine_subjects.ts';
export {LaneFeed, requestBytesMax} from './lane_feed.ts';
export {type AnswerObserver, LoadClient, type LoadOptions} from './load_client.ts';
export {describeMachine, type Machine, machineLine} from './machine.ts';
export {numberOf, UsageError, wholeOf} from './option_values.ts';
export {
  type Cell,
  type Column,
  type ColumnKind,
  formatReport,
  type NamedReport,
  reportsToJson,
  type Table,
} from './report.ts';
export {type BenchOptions, type LoadShape, type Scenario, type ScenarioReport, shapeText} from './scenario.ts';
export {SCENARIOS} from './scenarios/all.ts';
export {startDatabase} from './server_setup.ts';
export {percentileOf, type Spread, spreadOf} from './stats.ts';
export {HOT_RESOURCES, PAYLOAD_BYTES_MAX, PERIOD, STEP, Workload, writeResourceId} from './workload.ts';
export {SERVER_RESOURCES, SLOT_MS, TTL_SLOTS} from './workload_config.ts';
