/**
 * The public surface: the scenarios and what their reports look like, for whoever runs them from a program. The command
 * is `main.ts`.
 */
export {describeMachine, type Machine, machineLine} from './machine.ts';
export {
  type Cell,
  type Column,
  type ColumnKind,
  formatReport,
  type NamedReport,
  reportsToJson,
  type Table,
} from './report.ts';
export type {BenchOptions, LoadShape, Scenario, ScenarioReport} from './scenario.ts';
export {SCENARIOS} from './scenarios/all.ts';
export type {Spread} from './stats.ts';
