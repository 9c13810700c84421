/**
 * `allocdb doctor [DIR]`: whether this machine is fit for a server on a directory: how fast its disk syncs, room, memory,
 * limits, clocks, file system, settings, and who has the directory now. Each is one line, with an advice where one helps.
 *
 * It changes nothing: the file by which the disk is measured has no name while it exists. Exit 1 with a problem, else 0.
 */
import {
  type DatabaseConfig,
  DEFAULT_DISK,
  examine,
  findingLines,
  parseConfig,
  readDirectoryConfig,
  worstOf,
} from '@allocdb/node';
import {defaultConfig} from '@allocdb/server';
import type {Command} from 'commander';
import {whole} from '../arguments.ts';
import {EXIT} from '../exit.ts';
import {readText} from '../file_input.ts';
import {readMachine} from '../machine.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

interface DoctorFlags {
  readonly config?: string;
  readonly retainLogMib: number;
  readonly checkpointEveryMib: number;
  readonly maxConnections: number;
  readonly syncs: number;
}

const MIB = 2 ** 20;
const SLOT_MS = 100;

export function register(program: Command, session: Session): void {
  const command = program
    .command('doctor')
    .description('judge machine, disk and directory for a server; changes nothing')
    .argument('[dir]', 'data directory, there or not', '.')
    .option('--config <file>', 'configuration (JSON) of a directory that is not there yet')
    .option('--retain-log-mib <n>', 'as for serve', whole(0, 100_000_000), DEFAULT_DISK.retainLogBytes / MIB)
    .option('--checkpoint-every-mib <n>', 'as for serve', whole(1, 1_000_000), DEFAULT_DISK.checkpointEveryBytes / MIB)
    .option('--max-connections <n>', 'as for serve', whole(1, 100_000), 1000)
    .option('--syncs <n>', 'how many syncs to measure', whole(20, 100_000), 300)
    .action((dir: string, flags: DoctorFlags) => doctor(session, dir, flags));
  addExamples(command, session, ['doctor ./data', 'doctor /var/lib/allocdb --config database.json --json']);
}

async function doctor(session: Session, dir: string, flags: DoctorFlags): Promise<void> {
  const facts = await readMachine(dir, flags.syncs);
  const needs = {
    config: configFor(dir, flags),
    disk: {retainLogBytes: flags.retainLogMib * MIB, checkpointEveryBytes: flags.checkpointEveryMib * MIB},
    maxConnections: flags.maxConnections,
  };
  const findings = examine(facts, needs);
  const result = worstOf(findings);
  session.exitCode = result === 'problem' ? EXIT.FAILURE : EXIT.OK;
  await session.output.line({result, findings, facts}, findingLines(findings).join('\n'));
}

/** What the directory was created with, what is given for a new one, or what a server would take. */
function configFor(dir: string, {config}: DoctorFlags): DatabaseConfig {
  if (config !== undefined) return parseConfig(readText(config, '--config'));
  return readDirectoryConfig(dir).config ?? defaultConfig(SLOT_MS);
}
