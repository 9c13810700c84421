/**
 * `allocdb init`: creates a data directory and says what its configuration means. What is there already is refused and
 * left as it is: capacities are for the life of a directory, and `serve` takes them from there.
 */
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {
  configIssues,
  configOfLimits,
  configToJson,
  type DatabaseConfig,
  memoryBytesOf,
  SingleNodeEngine,
  slotsOfHold,
} from '@allocdb/node';
import {defaultConfig, explainConfig} from '@allocdb/server';
import {type Command, Option} from 'commander';
import {duration, u64, whole} from '../arguments.ts';
import {checkMemory, readConfig} from '../config_input.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

interface InitFlags {
  readonly config?: string;
  readonly maxResources?: number;
  readonly maxReservations?: number;
  readonly maxOperations?: number;
  readonly maxBundleSize?: number;
  /** Milliseconds. */
  readonly maxHold?: number;
  /** Milliseconds. */
  readonly remember?: number;
  readonly shard?: bigint;
  readonly slotMs: number;
}

const SLOT_MS = 100;
const U32_MAX = 0xffff_ffff;
const SIZES = ['maxResources', 'maxReservations', 'maxOperations', 'maxBundleSize', 'maxHold', 'remember', 'shard'];

export function register(program: Command, session: Session): void {
  const count = whole(1, U32_MAX);
  const {core} = defaultConfig(SLOT_MS);
  const command = program
    .command('init')
    .description('create a data directory, and say what its configuration means')
    .argument('<dir>', 'data directory; must not be there, or be empty')
    .addOption(new Option('--config <file>', 'the whole configuration (JSON), instead of the sizes').conflicts(SIZES))
    .option('--max-resources <n>', `resources, for ever (default: ${core.maxResources})`, count)
    .option(
      '--max-reservations <n>',
      `reservations, live or ended in the last minute (default: ${core.maxReservations})`,
      count,
    )
    .option('--max-operations <n>', `operations remembered: rate x time (default: ${core.maxOperations})`, count)
    .option('--max-bundle-size <n>', `most resources of one reserve (default: ${core.maxBundleSize})`, whole(1, 65_535))
    .option('--max-hold <time>', 'longest hold (default: 10m)', duration)
    .option('--remember <time>', 'for how long a repeated operation gets its first answer (default: 60s)', duration)
    .option('--shard <n>', 'high half of every lease id (default: 0)', u64)
    .option('--slot-ms <n>', 'length of a slot of time in milliseconds', whole(1, 3_600_000), SLOT_MS)
    .action((dir: string, flags: InitFlags) => init(session, dir, flags));
  addExamples(command, session, [
    'init ./data',
    'init ./data --max-resources 20000 --max-reservations 40000 --max-hold 10m',
    'init ./data --config database.json --json',
  ]);
}

async function init(session: Session, dir: string, flags: InitFlags): Promise<void> {
  const {slotMs} = flags;
  refuseExisting(dir);
  const config = flags.config === undefined ? configOf(flags) : readConfig(flags.config);
  await SingleNodeEngine.open({dir, config, slotMs}).close();
  const memoryBytes = memoryBytesOf(config.core);
  const means = explainConfig(config, slotMs);
  await session.output.line(
    {result: 'initialized', dir, slotMs, memoryBytes, config: configToJson(config), means, lsn: 0n},
    [`initialized  dir=${JSON.stringify(dir)} slotMs=${slotMs} lsn=0`, ...means.map(line => `  ${line}`)].join('\n'),
  );
}

function refuseExisting(dir: string): void {
  if (!existsSync(dir)) return;
  if (existsSync(join(dir, 'CONFIG')))
    fail(EXIT.FAILURE, `${dir} holds a database already; nothing was changed`, 'not_empty');
  const found = readdirSync(dir).filter(name => name !== 'lost+found');
  if (found.length === 0) return;
  fail(EXIT.FAILURE, `${dir} is not empty: ${found.slice(0, 3).join(', ')}; nothing was changed`, 'not_empty');
}

/** The configuration of these sizes; ends the command with every one that cannot be used. */
function configOf(flags: InitFlags): DatabaseConfig {
  const {slotMs, maxHold, remember, maxBundleSize, shard} = flags;
  const {core} = defaultConfig(slotMs);
  const config = configOfLimits(
    {
      maxResources: flags.maxResources ?? core.maxResources,
      maxReservations: flags.maxReservations ?? core.maxReservations,
      maxOperations: flags.maxOperations ?? core.maxOperations,
      maxTtlSlots: maxHold === undefined ? core.maxTtlSlots : slotsOfHold(maxHold, slotMs),
      ...(maxBundleSize === undefined ? {} : {maxBundleSize}),
      ...(remember === undefined ? {} : {operationWindowSlots: Math.ceil(remember / slotMs)}),
      ...(shard === undefined ? {} : {shardId: shard}),
    },
    slotMs,
  );
  const issues = configIssues(config);
  if (issues.length > 0)
    fail(EXIT.FAILURE, ['the configuration cannot be used:', ...issues].join('\n  '), 'invalid_config');
  checkMemory(config, 'init');
  return config;
}
