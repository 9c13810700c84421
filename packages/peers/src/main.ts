#!/usr/bin/env node
/**
 * The comparison as a command: prints its tables to stdout, progress to stderr, everything also as JSON where asked. Exits
 * 1 when a peer is not installed, an answer was wrong or a run failed, never because something is slow; what was found
 * before and beside a failure is printed all the same. Installs nothing unless it is told to.
 *
 * Data goes to a directory of its own below --dir, which is removed again, and servers are ended, also after a failure.
 */
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {
  describeMachine,
  formatReport,
  killChildren,
  machineLine,
  probeDisk,
  probeLine,
  reportsToJson,
  type ScenarioReport,
  UsageError,
} from '@allocdb/bench';
import {helpText, type PeersArguments, parseArguments} from './arguments.ts';
import {compare, type PeerName} from './comparison.ts';
import {absenceText, installPeers, isInstalled} from './installed.ts';
import {killServers} from './server_process.ts';
import {CYCLES_NOTE} from './tables.ts';

const EXIT = {OK: 0, FAILURE: 1, USAGE: 64} as const;
const PROBE_MS = 1000;
const IN_MEMORY: readonly string[] = ['tmpfs', 'ramfs'];

async function reportOf(args: PeersArguments, dir: string): Promise<ScenarioReport> {
  const only: PeerName[] = [];
  const failures = args.install ? installPeers() : [];
  for (const name of args.only) {
    if (await isInstalled(name)) only.push(name);
    else failures.push(absenceText(name));
  }
  const probe = probeLine(probeDisk(dir, PROBE_MS));
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const found = await compare({...args, only, dir, progress});
  const notes = [
    ...found.about,
    probe,
    'of ten commands one is a reserve of a hot resource, refused; refusals are recorded and durable everywhere',
    'waits are those of a closed loop at full load',
    CYCLES_NOTE,
  ];
  return {tables: found.tables, notes, failures: [...failures, ...found.failures]};
}

async function runAll(args: PeersArguments, dir: string): Promise<boolean> {
  const machine = describeMachine(dir);
  if (IN_MEMORY.includes(machine.fileSystem)) {
    process.stderr.write(`${args.dir} is in memory, where a sync costs nothing: name a directory on a disk by --dir\n`);
    return false;
  }
  const {seconds, warmUpSeconds, repeat, only, outstanding} = args;
  const numbers = outstanding === null ? '' : ` --outstanding ${outstanding.join(',')}`;
  const command = `bench:peers${args.install ? ' --install' : ''} --seconds ${seconds} --warm-up ${warmUpSeconds} --repeat ${repeat} ${only
    .map(name => `--only ${name}`)
    .join(' ')}${numbers}`;
  console.log(`${machineLine(machine)}\ncommand: ${command}\n`);
  const report = {scenario: 'peers', report: await reportOf(args, dir)};
  console.log(formatReport(report).join('\n'));
  if (args.json !== null) writeFileSync(args.json, reportsToJson(machine, command, [report]));
  return report.report.failures.length === 0;
}

async function main(argv: readonly string[]): Promise<number> {
  let args: PeersArguments;
  try {
    args = parseArguments(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`bench:peers: ${error.message} (--help shows the usage)\n`);
    return EXIT.USAGE;
  }
  if (args.help) {
    console.log(helpText());
    return EXIT.OK;
  }
  const dir = mkdtempSync(join(args.dir, 'allocdb-peers-'));
  // Servers that run as another user have their directories below it.
  chmodSync(dir, 0o711);
  const remove = (): void => {
    killServers();
    killChildren();
    rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      remove();
      process.exit(EXIT.FAILURE);
    });
  }
  try {
    return (await runAll(args, dir)) ? EXIT.OK : EXIT.FAILURE;
  } finally {
    remove();
  }
}

process.exitCode = await main(process.argv.slice(2));
