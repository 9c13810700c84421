/**
 * The command line of `allocdb-bench`: what may be said, and what is wrong with what was said. A mistake is named in one
 * line and is never guessed around.
 */
import {tmpdir} from 'node:os';
import {parseArgs} from 'node:util';
import {CORE_RESOURCES_MIN} from './core_runner.ts';
import {numberOf, UsageError, wholeOf} from './option_values.ts';
import type {LoadShape, Scenario} from './scenario.ts';
import {SCENARIOS} from './scenarios/all.ts';

/** What the command line asks for. */
export interface CommandLine {
  readonly help: boolean;
  readonly scenarios: readonly Scenario[];
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly repeat: number;
  /** Directory below which data is put. */
  readonly dir: string;
  readonly shapes: readonly LoadShape[];
  readonly resources: readonly number[];
  readonly outstanding: readonly number[];
  readonly rate: number | null;
  readonly scale: number;
  readonly waiters: readonly number[];
  readonly replayMib: number;
  /** Directory for CPU profiles of servers; null for none. */
  readonly profileDir: string | null;
  /** File for the JSON report; null for none. */
  readonly json: string | null;
}

const DEFAULT = {
  seconds: '4',
  'warm-up': '2',
  repeat: '3',
  load: '1x1,1x64,1x1024,16x64,16x512',
  outstanding: '1,64,1024',
  scale: '1',
  resources: '1000,10000,100000,1000000',
  waiters: '1,16,256,2048',
  'replay-mib': '256',
};

/** What --full measures in their place. */
const FULL = {
  load: '1x1,1x8,1x64,1x512,1x1024,1x8192,16x1,16x64,16x512,1x1b64,16x1b256',
  outstanding: '1,16,64,256,1024,4096',
};

export function helpText(): string {
  const width = Math.max(...SCENARIOS.map(({name}) => name.length));
  return [
    'usage: allocdb-bench [options]',
    '',
    'scenarios; where none is named, all but the large ones:',
    ...SCENARIOS.map(({name, about, isLarge}) => `  ${name.padEnd(width)}  ${isLarge ? 'large: ' : ''}${about}`),
    '',
    'options:',
    '  --scenario NAME    run this one; may be given several times',
    `  --seconds N        measured seconds of a run (${DEFAULT.seconds})`,
    `  --warm-up N        seconds before each run that do not count (${DEFAULT['warm-up']})`,
    `  --repeat N         runs of each figure; median, smallest and largest are shown (${DEFAULT.repeat})`,
    `  --dir DIR          where data is put and removed again (the system's temporary directory)`,
    '  --all              every scenario, the large ones too; they take up to half an hour and 10 GB below --dir',
    '  --full             all the loads below instead of the few that are measured by default',
    '  --load LIST        tcp: connections x requests outstanding on each, and how many commands share a request:',
    `                     1x64, or 16x1b256 for batches of 256 (${DEFAULT.load};`,
    `                     full ${FULL.load})`,
    `  --outstanding LIST engine: commands outstanding (${DEFAULT.outstanding}; full ${FULL.outstanding})`,
    '  --rate N           latency, checkpoint: arrivals per second; half of the highest rate, measured first, unless set',
    '  --scale F          core, http, feed, recovery, checkpoint: factor on the sizes of tables and logs, to try them',
    '                     small (1)',
    `  --resources LIST   core: table sizes (${DEFAULT.resources})`,
    `  --waiters LIST     log: records waited for at the same time (${DEFAULT.waiters})`,
    `  --replay-mib N     log: size of the log that is read back (${DEFAULT['replay-mib']})`,
    '  --json FILE        write everything, all runs included, to this file',
    '  --profile DIR      leave CPU profiles of the measured servers in this directory',
    '  --help             show this',
    '',
    'exit codes: 0 well, 1 a count is wrong or a scenario failed, 64 usage',
  ].join('\n');
}

function shapeOf(text: string): LoadShape {
  const match = /^(\d+)x(\d+)(?:b(\d+))?$/.exec(text.trim());
  const [connections, outstanding, batch] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 1)];
  if (!(connections >= 1 && outstanding >= 1 && batch >= 1)) {
    throw new UsageError(`--load must be like 1x64,16x512,1x1b64, got ${JSON.stringify(text)}`);
  }
  return match?.[3] === undefined ? {connections, outstanding} : {connections, outstanding, batch};
}

function listOf<T>(text: string, of: (each: string) => T): T[] {
  return text.split(',').map(of);
}

function scenariosOf(names: readonly string[], all: boolean): readonly Scenario[] {
  if (names.length === 0) return SCENARIOS.filter(({isLarge}) => all || isLarge !== true);
  return names.map(name => {
    const found = SCENARIOS.find(scenario => scenario.name === name);
    if (found !== undefined) return found;
    throw new UsageError(`--scenario is one of ${SCENARIOS.map(each => each.name).join(', ')}, got ${name}`);
  });
}

/** Reads the arguments. Throws UsageError naming the option that is wrong. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const values = valuesOf(args);
  const lists = values.full === true ? {...DEFAULT, ...FULL} : DEFAULT;
  return {
    help: values.help ?? false,
    scenarios: scenariosOf(values.scenario ?? [], values.all ?? false),
    seconds: numberOf('seconds', values.seconds ?? DEFAULT.seconds, 0.05),
    warmUpSeconds: numberOf('warm-up', values['warm-up'] ?? DEFAULT['warm-up'], 0),
    repeat: wholeOf('repeat', values.repeat ?? DEFAULT.repeat, 1),
    dir: values.dir ?? tmpdir(),
    shapes: listOf(values.load ?? lists.load, shapeOf),
    resources: listOf(values.resources ?? DEFAULT.resources, text => wholeOf('resources', text, CORE_RESOURCES_MIN)),
    outstanding: listOf(values.outstanding ?? lists.outstanding, text => wholeOf('outstanding', text, 1)),
    rate: values.rate === undefined ? null : numberOf('rate', values.rate, 100),
    scale: numberOf('scale', values.scale ?? DEFAULT.scale, 0.001),
    waiters: listOf(values.waiters ?? DEFAULT.waiters, text => wholeOf('waiters', text, 1)),
    replayMib: wholeOf('replay-mib', values['replay-mib'] ?? DEFAULT['replay-mib'], 1),
    profileDir: values.profile ?? null,
    json: values.json ?? null,
  };
}

interface Values {
  help?: boolean;
  scenario?: string[];
  seconds?: string;
  'warm-up'?: string;
  repeat?: string;
  dir?: string;
  load?: string;
  resources?: string;
  outstanding?: string;
  rate?: string;
  scale?: string;
  all?: boolean;
  full?: boolean;
  waiters?: string;
  'replay-mib'?: string;
  profile?: string;
  json?: string;
}

function valuesOf(args: readonly string[]): Values {
  const text = {type: 'string'} as const;
  try {
    return parseArgs({
      // pnpm hands on the -- that separates its arguments from ours.
      args: args[0] === '--' ? args.slice(1) : [...args],
      options: {
        help: {type: 'boolean', short: 'h'},
        scenario: {type: 'string', multiple: true},
        seconds: text,
        'warm-up': text,
        repeat: text,
        dir: text,
        load: text,
        resources: text,
        outstanding: text,
        rate: text,
        scale: text,
        all: {type: 'boolean'},
        full: {type: 'boolean'},
        waiters: text,
        'replay-mib': text,
        profile: text,
        json: text,
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
