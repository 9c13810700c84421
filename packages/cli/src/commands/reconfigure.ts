/**
 * `allocdb reconfigure DIR`: larger capacities and longer windows for the database of a stopped server. What changes is
 * said, old and new, with the memory that the tables take then, and where the old files are kept.
 *
 * The sizes are those of `init`, and say what changes; what follows from one of them follows here too. `--config` gives
 * the whole configuration instead. What can be changed at all is decided by the library.
 */
import {
  configIssues,
  configToJson,
  countText,
  type DatabaseConfig,
  memoryBytesOf,
  type ReconfigureInfo,
  readDirectoryConfig,
  reconfigureDirectory,
  sizeText,
  slotsOfHold,
} from '@allocdb/node';
import {type Command, Option} from 'commander';
import {duration, whole} from '../arguments.ts';
import {checkMemory, readConfig} from '../config_input.ts';
import {EXIT, fail} from '../exit.ts';
import {addExamples} from '../program.ts';
import {withPhases} from '../progress.ts';
import type {Session} from '../session.ts';
import {hex128} from '../shown.ts';

interface Sizes {
  readonly maxResources?: number;
  readonly maxReservations?: number;
  readonly maxOperations?: number;
  readonly maxBundleSize?: number;
  /** Milliseconds. */
  readonly maxHold?: number;
  /** Milliseconds. */
  readonly remember?: number;
}

interface ReconfigureFlags extends Sizes {
  readonly config?: string;
}

/** A field with its value before and after, as the JSON form has them. */
interface Change {
  readonly field: string;
  readonly from: string | number | null;
  readonly to: string | number | null;
}

const U32_MAX = 0xffff_ffff;
const SIZES = ['maxResources', 'maxReservations', 'maxOperations', 'maxBundleSize', 'maxHold', 'remember'] as const;

export function register(program: Command, session: Session): void {
  const count = whole(1, U32_MAX);
  const command = program
    .command('reconfigure')
    .description('give the database of a stopped server larger capacities and longer windows')
    .argument('<dir>', 'data directory; not one that a server is using')
    .addOption(
      new Option('--config <file>', 'the whole configuration (JSON), instead of the sizes').conflicts([...SIZES]),
    )
    .option('--max-resources <n>', 'resources, for ever', count)
    .option('--max-reservations <n>', 'reservations, live or ended in the last minute', count)
    .option('--max-operations <n>', 'operations remembered: rate x time', count)
    .option('--max-bundle-size <n>', 'most resources of one reserve', whole(1, 65_535))
    .option('--max-hold <time>', 'longest hold', duration)
    .option('--remember <time>', 'for how long a repeated operation gets its first answer', duration)
    .addHelpText(
      'after',
      '\nWhat is not said stays as it is. Capacities and windows can only grow; the old files are kept.',
    )
    .action((dir: string, flags: ReconfigureFlags) => reconfigure(session, dir, flags));
  addExamples(command, session, [
    'reconfigure ./data --max-resources 50000 --max-reservations 100000',
    'reconfigure ./data --max-hold 30m --remember 2m --json',
    'reconfigure ./data --config database.json',
  ]);
}

async function reconfigure(session: Session, dir: string, flags: ReconfigureFlags): Promise<void> {
  const {output, interrupt} = session;
  if (flags.config === undefined && SIZES.every(name => flags[name] === undefined)) {
    fail(EXIT.USAGE, "reconfigure needs what is to change: '--config <file>', or a size such as '--max-resources <n>'");
  }
  const given = flags.config === undefined ? null : readConfig(flags.config);
  const {config: before, slotMs, problem} = readDirectoryConfig(dir);
  if (before === null) fail(EXIT.FAILURE, problem ?? `${dir} holds no database`, 'missing_config');
  const after = given ?? grown(before, slotMs, flags, dir);
  const changes = changesOf(before, after);
  const info = await withPhases(output, onProgress =>
    reconfigureDirectory(dir, after, {onProgress, signal: interrupt.signal}),
  );
  const [memoryBytesBefore, memoryBytes] = [before, after].map(each => memoryBytesOf(each.core)) as [number, number];
  const {kept, lsn, digest, durationMs} = info;
  await output.line(
    {
      result: info.isChanged ? 'reconfigured' : 'unchanged',
      dir,
      lsn,
      digest: digest === null ? null : hex128(digest),
      kept,
      changes,
      memoryBytes,
      memoryBytesBefore,
      durationMs: Math.round(durationMs),
    },
    textOf(dir, info, changes, [memoryBytesBefore, memoryBytes]).join('\n'),
  );
}

/** The configuration with these sizes, and with what follows from them. Ends the command where they cannot be. */
function grown(before: DatabaseConfig, slotMs: number | null, sizes: Sizes, dir: string): DatabaseConfig {
  const {core, engine} = before;
  const lengthFor = (flag: string): number =>
    slotMs ??
    fail(EXIT.FAILURE, `${dir} does not say how long its slots are: instead of ${flag}, give slots by --config`);
  const maxReservations = sizes.maxReservations ?? core.maxReservations;
  const maxBundleSize = sizes.maxBundleSize ?? core.maxBundleSize;
  const isBucketWhole = core.maxExpirationBucketLen === core.maxReservations;
  const config: DatabaseConfig = {
    core: {
      ...core,
      maxResources: sizes.maxResources ?? core.maxResources,
      maxReservations,
      maxOperations: sizes.maxOperations ?? core.maxOperations,
      maxBundleSize,
      maxTtlSlots: sizes.maxHold === undefined ? core.maxTtlSlots : slotsOfHold(sizes.maxHold, lengthFor('--max-hold')),
      maxExpirationBucketLen: isBucketWhole ? maxReservations : core.maxExpirationBucketLen,
      operationWindowSlots:
        sizes.remember === undefined
          ? core.operationWindowSlots
          : BigInt(Math.ceil(sizes.remember / lengthFor('--remember'))),
    },
    engine: {...engine, maxCommandBytes: Math.max(engine.maxCommandBytes, 64 + 16 * maxBundleSize)},
  };
  const issues = configIssues(config);
  if (issues.length > 0)
    fail(EXIT.FAILURE, ['the configuration cannot be used:', ...issues].join('\n  '), 'invalid_config');
  checkMemory(config, 'reconfigure');
  return config;
}

function changesOf(before: DatabaseConfig, after: DatabaseConfig): Change[] {
  const [old, next] = [valuesOf(before), valuesOf(after)];
  return [...new Set([...old.keys(), ...next.keys()])]
    .map(field => ({field, from: old.get(field) ?? null, to: next.get(field) ?? null}))
    .filter(({from, to}) => from !== to);
}

/** Values by their names in a configuration file. */
function valuesOf(config: DatabaseConfig): ReadonlyMap<string, string | number> {
  const sections = Object.entries(configToJson(config));
  return new Map(
    sections.flatMap(([section, fields]) =>
      Object.entries(fields).map(([name, value]) => [`${section}.${name}`, value as string | number] as const),
    ),
  );
}

function textOf(
  dir: string,
  {isChanged, kept, lsn, digest}: ReconfigureInfo,
  changes: readonly Change[],
  [bytesBefore, bytes]: readonly [number, number],
): string[] {
  const place = `dir=${JSON.stringify(dir)}`;
  if (!isChanged) return [`unchanged  ${place}`, '  it has this configuration already'];
  const state = digest === null ? '' : ` lsn=${lsn} digest=${hex128(digest)}`;
  const shown = (value: string | number | null): string => (value === null ? 'not set' : countText(BigInt(value)));
  return [
    `reconfigured  ${place}${state}`,
    ...changes.map(({field, from, to}) => `  ${field}: ${shown(from)} -> ${shown(to)}`),
    `  memory of the tables: ${sizeText(bytesBefore)} -> ${sizeText(bytes)}`,
    kept === null
      ? '  log and snapshots stay as they are'
      : `  the old log, snapshots and CONFIG are kept in ${dir.replace(/\/+$/, '')}/${kept}: remove them when they are not needed any more`,
  ];
}
