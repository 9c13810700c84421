/**
 * The command line of the comparison: what may be said, and what is wrong with what was said. A mistake is named in one
 * line and is never guessed around.
 */
import {tmpdir} from 'node:os';
import {parseArgs} from 'node:util';
import {numberOf, UsageError, wholeOf} from '@allocdb/bench';
import {PEER_NAMES, type PeerName} from './comparison.ts';

/** What the command line asks for. */
export interface PeersArguments {
  readonly help: boolean;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly repeat: number;
  readonly only: readonly PeerName[];
  /** Null for all that there are. */
  readonly outstanding: readonly number[] | null;
  /** Directory below which data is put. */
  readonly dir: string;
  /** Whether what is missing is installed before. */
  readonly install: boolean;
  /** File for the JSON report; null for none. */
  readonly json: string | null;
}

const DEFAULT = {seconds: '10', 'warm-up': '5', repeat: '3'};

export function helpText(): string {
  return [
    'usage: pnpm bench:peers [options]',
    '',
    'AllocDB beside Redis, PostgreSQL and SQLite, as far as they are installed: the same loop, in turns, every answer checked.',
    '',
    '  --seconds N         measured seconds of a run (10)',
    '  --warm-up N         seconds before each run that do not count (5)',
    '  --repeat N          rounds; median, smallest and largest are shown (3)',
    `  --only NAME         one of ${PEER_NAMES.join(', ')}; may be given several times`,
    '  --outstanding LIST  only these numbers of commands outstanding, such as 64,1024',
    '  --install           install what is missing before: packages of the system (root or sudo), the binding of SQLite',
    "  --dir DIR           where data is put and removed again, on a disk (the system's temporary directory)",
    '  --json FILE         write everything, all runs included, to this file',
    '  --help              show this',
    '',
    'exit codes: 0 well, 1 a peer is not installed, an answer was wrong or a run failed, 64 usage',
  ].join('\n');
}

function peersOf(names: readonly string[]): readonly PeerName[] {
  if (names.length === 0) return PEER_NAMES;
  return names.map(name => {
    const found = PEER_NAMES.find(each => each === name);
    if (found === undefined) throw new UsageError(`--only is one of ${PEER_NAMES.join(', ')}, got ${name}`);
    return found;
  });
}

/** Reads the arguments. Throws UsageError naming the option that is wrong. */
export function parseArguments(args: readonly string[]): PeersArguments {
  const values = valuesOf(args);
  return {
    help: values.help ?? false,
    seconds: numberOf('seconds', values.seconds ?? DEFAULT.seconds, 0.05),
    warmUpSeconds: numberOf('warm-up', values['warm-up'] ?? DEFAULT['warm-up'], 0),
    repeat: wholeOf('repeat', values.repeat ?? DEFAULT.repeat, 1),
    only: peersOf(values.only ?? []),
    outstanding: values.outstanding?.split(',').map(text => wholeOf('outstanding', text, 1)) ?? null,
    dir: values.dir ?? tmpdir(),
    install: values.install ?? false,
    json: values.json ?? null,
  };
}

interface Values {
  help?: boolean;
  install?: boolean;
  seconds?: string;
  'warm-up'?: string;
  repeat?: string;
  only?: string[];
  outstanding?: string;
  dir?: string;
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
        install: {type: 'boolean'},
        seconds: text,
        'warm-up': text,
        repeat: text,
        only: {type: 'string', multiple: true},
        outstanding: text,
        dir: text,
        json: text,
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
