/**
 * `allocdb plan`: from a load to the configuration that carries it, and to what that costs in memory, log, snapshots, disk
 * and time to start. Arithmetic alone; `doctor` looks at the machine.
 */
import {writeFileSync} from 'node:fs';
import {configToJson, type Plan, type PlanInput, plan, planLines, planToJson} from '@allocdb/node';
import {type Command, InvalidArgumentError, Option} from 'commander';
import {duration, whole} from '../arguments.ts';
import {EXIT, fail} from '../exit.ts';
import {memoryOfMachine} from '../machine.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

interface PlanFlags {
  readonly rate: number;
  /** Milliseconds. */
  readonly hold: number;
  readonly resources: number;
  /** Milliseconds. */
  readonly remember: number;
  readonly slotMs: number;
  readonly bundleSize?: number;
  readonly reads: number;
  readonly granted: number;
  readonly retainLogMib?: number;
  readonly checkpointEveryMib?: number;
  readonly out?: string;
}

const MIB = 2 ** 20;
const U32_MAX = 0xffff_ffff;

export function register(program: Command, session: Session): void {
  const command = program
    .command('plan')
    .description('work out the configuration for a load, and what it costs')
    .requiredOption('--rate <n>', 'most requests a second', whole(1, 1_000_000_000))
    .requiredOption('--hold <time>', 'longest hold: 90s, 10m, 2h', duration)
    .requiredOption('--resources <n>', 'resources that will ever exist', whole(1, U32_MAX))
    .addOption(
      new Option('--remember <time>', 'for how long a repeated operation gets its first answer')
        .argParser(duration)
        .default(60_000, '60s'),
    )
    .option('--slot-ms <n>', 'length of a slot of time in milliseconds', whole(1, 3_600_000), 100)
    .option(
      '--bundle-size <n>',
      'resources of one hold, at most (default: 1, and bundles of 16 allowed)',
      whole(1, 65_535),
    )
    .addOption(percentage('--reads <percent>', 'part of the requests that only read', 0, 99).default(0, '0'))
    .addOption(
      percentage('--granted <percent>', 'part of the commands that are reserves and win', 1, 100).default(1, '100'),
    )
    .option('--retain-log-mib <n>', 'as for serve', whole(0, 100_000_000))
    .option('--checkpoint-every-mib <n>', 'as for serve', whole(1, 1_000_000))
    .option('--out <file>', 'write the configuration to a new file')
    .action((flags: PlanFlags) => makePlan(session, flags));
  addExamples(command, session, [
    'plan --rate 50000 --hold 10m --resources 100000',
    'plan --rate 2000 --hold 15m --resources 20000 --bundle-size 6 --granted 30 --out config.json',
    'plan --rate 400 --hold 12h --resources 5000 --slot-ms 1000 --json',
  ]);
}

/** A percentage, as a number from 0 to 1. */
function percentage(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, description).argParser(text => {
    const value = Number(text);
    if (!/^\d{1,3}(\.\d+)?$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`must be a percentage from ${least} to ${most}.`);
    }
    return value / 100;
  });
}

async function makePlan(session: Session, flags: PlanFlags): Promise<void> {
  const made = planFor(flags);
  const config = configToJson(made.config);
  const text = JSON.stringify(config, null, 2);
  if (flags.out !== undefined) writeConfig(flags.out, `${text}\n`);
  const next = flags.out === undefined ? text : `configuration in ${flags.out}: allocdb init DIR --config ${flags.out}`;
  await session.output.line(planToJson(made), [...planLines(made), next].join('\n'));
}

function planFor(flags: PlanFlags): Plan {
  const {retainLogMib, checkpointEveryMib, bundleSize} = flags;
  const input: PlanInput = {
    ratePerSecond: flags.rate,
    holdMs: flags.hold,
    resources: flags.resources,
    retryWindowMs: flags.remember,
    slotMs: flags.slotMs,
    readShare: flags.reads,
    grantShare: flags.granted,
    memoryBytes: memoryOfMachine(),
    disk: {
      ...(retainLogMib === undefined ? {} : {retainLogBytes: retainLogMib * MIB}),
      ...(checkpointEveryMib === undefined ? {} : {checkpointEveryBytes: checkpointEveryMib * MIB}),
    },
    ...(bundleSize === undefined ? {} : {bundleSize}),
  };
  try {
    return plan(input);
  } catch (error) {
    if (error instanceof RangeError) return fail(EXIT.USAGE, error.message);
    throw error;
  }
}

/** Never over a file that is there: it may be the configuration of a database that cannot have another. */
function writeConfig(file: string, text: string): void {
  try {
    writeFileSync(file, text, {flag: 'wx'});
  } catch (error) {
    fail(EXIT.FAILURE, `--out ${file} cannot be written: ${(error as Error).message}`);
  }
}
