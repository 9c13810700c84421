#!/usr/bin/env node
/**
 * The `allocdb-bench` command: runs scenarios one after the other and prints their tables to stdout, progress to stderr,
 * everything also as JSON where asked. Exits 1 when a scenario's counts were wrong or it could not be run.
 *
 * Data goes to a directory of its own below --dir, which is removed again, also after a failure.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {killChildren} from './child_process.ts';
import {type CommandLine, helpText, parseCommandLine} from './cli.ts';
import {describeMachine, machineLine} from './machine.ts';
import {UsageError} from './option_values.ts';
import {formatReport, type NamedReport, reportsToJson} from './report.ts';
import {type BenchOptions, type Scenario, type ScenarioReport, shapeText} from './scenario.ts';

const EXIT = {OK: 0, FAILURE: 1, USAGE: 64} as const;

function commandText(line: CommandLine): string {
  const {scenarios, seconds, warmUpSeconds, repeat, shapes, resources, outstanding, waiters} = line;
  const {replayMib, scale, rate} = line;
  return [
    'allocdb-bench',
    ...scenarios.map(({name}) => `--scenario ${name}`),
    `--seconds ${seconds} --warm-up ${warmUpSeconds} --repeat ${repeat}`,
    `--load ${shapes.map(shapeText).join(',')} --resources ${resources.join(',')}`,
    `--outstanding ${outstanding.join(',')} --waiters ${waiters.join(',')} --replay-mib ${replayMib} --scale ${scale}`,
    ...(rate === null ? [] : [`--rate ${rate}`]),
  ].join(' ');
}

async function runScenario(scenario: Scenario, options: BenchOptions): Promise<ScenarioReport> {
  try {
    return await scenario.run(options);
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {tables: [], notes: [], failures: [reason]};
  }
}

async function runAll(line: CommandLine, dir: string): Promise<boolean> {
  const machine = describeMachine(dir);
  const command = commandText(line);
  console.log(`${machineLine(machine)}\ncommand: ${command}\n`);
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const reports: NamedReport[] = [];
  for (const scenario of line.scenarios) {
    const report = await runScenario(scenario, {...line, dir, progress});
    reports.push({scenario: scenario.name, report});
    console.log(`${formatReport({scenario: scenario.name, report}).join('\n')}\n`);
  }
  if (line.json !== null) writeFileSync(line.json, reportsToJson(machine, command, reports));
  return reports.every(({report}) => report.failures.length === 0);
}

async function main(args: readonly string[]): Promise<number> {
  let line: CommandLine;
  try {
    line = parseCommandLine(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`allocdb-bench: ${error.message} (--help shows the usage)\n`);
    return EXIT.USAGE;
  }
  if (line.help) {
    console.log(helpText());
    return EXIT.OK;
  }
  const dir = mkdtempSync(join(line.dir, 'allocdb-bench-'));
  // What children still write appears while the directory is removed: they go first, and it is tried again.
  const remove = (): void => rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      killChildren();
      remove();
      process.exit(EXIT.FAILURE);
    });
  }
  try {
    return (await runAll(line, dir)) ? EXIT.OK : EXIT.FAILURE;
  } finally {
    remove();
  }
}

process.exitCode = await main(process.argv.slice(2));
