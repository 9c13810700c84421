/**
 * Commands per second of the state machine alone, at several table sizes, with the yardstick table beside it in the same
 * run. The quotient says how many gets of a bare table one command costs on this machine, whatever the machine.
 *
 * The runs of command and yardstick alternate, so that both see the same neighbours. Then, in processes of their own, what
 * a command takes from the heap and what the tables take from memory. Nothing here touches the disk.
 */
import {checkInvariants} from '@allocdb/core';
import {coreHeapTable, coreMemoryTable} from '../core_memory.ts';
import {CoreRunner} from '../core_runner.ts';
import {referenceGetsPerSecond} from '../reference_table.ts';
import type {Cell} from '../report.ts';
import {type BenchOptions, Expectations, type Scenario, type ScenarioReport} from '../scenario.ts';
import {spreadOf} from '../stats.ts';

/** The target: commands per second on a machine whose yardstick does so many gets. In proportion elsewhere. */
const TARGETS: ReadonlyMap<number, {commands: number; gets: number}> = new Map([
  [10_000, {commands: 3e6, gets: 124e6}],
  [100_000, {commands: 2e6, gets: 48e6}],
  [1_000_000, {commands: 1.2e6, gets: 11.7e6}],
]);

/** Commands over which the heap is looked at. */
const HEAP_COMMANDS = 10e6;
const HEAP_COMMANDS_MIN = 100_000;

async function run(options: BenchOptions): Promise<ScenarioReport> {
  const expectations = new Expectations();
  const rows: Cell[][] = [];
  const stageRows: Cell[][] = [];
  for (const resources of options.resources) {
    options.progress(`core: building tables for ${resources} resources`);
    const runner = new CoreRunner(resources);
    runner.run(options.warmUpSeconds * 1000);
    const [rates, gets]: [number[], number[]] = [[], []];
    for (let i = 0; i < options.repeat; i++) {
      gets.push(referenceGetsPerSecond(resources, Math.min(1000, options.seconds * 500)));
      const {commands, millis} = runner.run(options.seconds * 1000);
      rates.push((commands * 1000) / millis);
      options.progress(`core: ${resources} resources, run ${i + 1}: ${Math.round(rates.at(-1) ?? 0)} commands/s`);
    }
    const {readAhead, decode, lookUp, slots, apply} = runner.stages(options.seconds * 1000);
    const parts = [readAhead, decode, lookUp, slots, apply];
    const sum = parts.reduce((total, part) => total + part, 0);
    stageRows.push([resources, ...[...parts, sum].map(Math.round)]);
    expectations.equal(`invariants at ${resources} resources`, checkInvariants(runner.db).join('; '), '');
    const perCommand = spreadOf(rates.map((rate, i) => (gets[i] ?? Number.NaN) / rate));
    const target = TARGETS.get(resources);
    const attained = target === undefined ? null : (100 * (target.gets / target.commands)) / perCommand.median;
    rows.push([resources, spreadOf(rates), spreadOf(gets), perCommand, attained]);
  }
  const heap = await coreHeapTable(Math.max(HEAP_COMMANDS_MIN, HEAP_COMMANDS * options.scale), options.progress);
  const memory = await coreMemoryTable(expectations, options.progress);
  return {
    tables: [
      {
        title: 'State machine, from bytes, one thread',
        columns: [
          {name: 'resources', kind: 'count'},
          {name: 'commands/s', kind: 'rate'},
          {name: 'u128 table gets/s', kind: 'rate'},
          {name: 'gets per command', kind: 'ratio'},
          {name: 'of target', kind: 'percent'},
        ],
        rows,
      },
      {
        title: 'Where the time of a command goes, ns, each stage timed by itself',
        columns: [
          {name: 'resources', kind: 'count'},
          ...['read ahead', 'decode', 'retry lookup', 'slot arithmetic', 'apply and remember', 'sum'].map(
            name => ({name, kind: 'count'}) as const,
          ),
        ],
        rows: stageRows,
      },
      heap,
      memory,
    ],
    notes: ['100 % of target is the share of the u128 table that docs/performance.md asks for at that size'],
    failures: expectations.failures,
  };
}

export const CORE: Scenario = {
  name: 'core',
  about: 'commands per second of the state machine alone, beside a bare u128 table; heap and memory',
  run,
};
