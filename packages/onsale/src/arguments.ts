/**
 * The command line of the demo. Unknown flags, missing and unusable values are refused by name before anything is
 * started; what can go together is checked too, so that a run never fails for what was asked of it.
 */
import {parseArgs} from 'node:util';

/** The moments at which the server is killed. */
export const CONDITIONS = ['unanswered', 'checkpoint', 'expirations'] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface DemoOptions {
  /** Null for the hall that comes with the demo. */
  readonly seatsFile: string | null;
  readonly seed: number;
  readonly buyers: number;
  readonly clients: number;
  /** Null for all that the number of buyers and seats allows. */
  readonly kills: readonly Condition[] | null;
  /** Requests that must be unanswered at the kill of that name. */
  readonly unanswered: number;
  readonly keep: boolean;
}

/** Why the command line is refused. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

export const USAGE: string = `usage: npm run demo -- [options]

An on-sale: seats of a hall, thousands of buyers, a server that is killed three times, and an auditor.

  --seats FILE      seat map to sell: CSV with the columns section, row, seat, tier (default: a hall of 20,000 seats)
  --seed N          seed of buyers and kill moments (default 1)
  --buyers N        buyers who come (default 50000)
  --clients N       client processes that act for them, 1 to 16 (default 4)
  --kills LIST      when to kill the server: of unanswered, checkpoint, expirations, or none (default all three, as far
                    as there are buyers and seats enough for them to come about)
  --unanswered N    requests that must be unanswered at the first of these (default 500)
  --keep            keep data directory, ledgers and server log, and say where they are
  --help            this text

Exit codes: 0 no violation, 1 a violation or a failure, 64 wrong usage.`;

const INTEGERS = {
  seed: {fallback: 1, least: 0, most: 0xffff_ffff},
  buyers: {fallback: 50_000, least: 1, most: 1_000_000},
  clients: {fallback: 4, least: 1, most: 16},
  unanswered: {fallback: 500, least: 1, most: 100_000},
} as const;

/** Reads the command line; null when only help was asked for. Throws UsageError. */
export function parseArguments(args: readonly string[]): DemoOptions | null {
  const values = read(args);
  if (values.help === true) return null;
  const integer = (name: keyof typeof INTEGERS): number => {
    const text = values[name];
    const {fallback, least, most} = INTEGERS[name];
    if (text === undefined) return fallback;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}, got "${text}"`);
  };
  const options: DemoOptions = {
    seatsFile: values.seats ?? null,
    seed: integer('seed'),
    buyers: integer('buyers'),
    clients: integer('clients'),
    kills: conditionsOf(values.kills),
    unanswered: integer('unanswered'),
    keep: values.keep === true,
  };
  if (values.seats === '') throw new UsageError('--seats needs the name of a file');
  return options;
}

/** A rush brings a fifth of the buyers, and only a part of them has a request on its way at any moment. */
const BUYERS_PER_UNANSWERED = 10;
/** Fewer do not fill enough log for a checkpoint within the sale. */
const CHECKPOINT_BUYERS = 5000;
/** With fewer seats or buyers hardly two holds fall due together, and none waits to be ended. */
const EXPIRATION_SEATS = 2000;
const EXPIRATION_BUYERS = 5000;

/** The kills to be made. Throws UsageError for one that was asked for and cannot come about. */
export function feasibleKills(options: DemoOptions, seats: number): Condition[] {
  const missing = (condition: Condition): string | null => {
    const lacks = (what: string, have: number, least: number): string | null =>
      have < least ? `a kill "${condition}" needs at least ${least} ${what}, here are ${have}` : null;
    const {buyers, unanswered} = options;
    if (condition === 'unanswered') return lacks('buyers', buyers, BUYERS_PER_UNANSWERED * unanswered);
    if (condition === 'checkpoint') return lacks('buyers', buyers, CHECKPOINT_BUYERS);
    return lacks('buyers', buyers, EXPIRATION_BUYERS) ?? lacks('seats', seats, EXPIRATION_SEATS);
  };
  if (options.kills === null) return CONDITIONS.filter(condition => missing(condition) === null);
  for (const condition of options.kills) {
    const why = missing(condition);
    if (why !== null) throw new UsageError(why);
  }
  return [...options.kills];
}

function read(args: readonly string[]) {
  // npm hands over a leading "--" that pnpm does not swallow.
  const own = args[0] === '--' ? args.slice(1) : args;
  try {
    return parseArgs({
      args: [...own],
      strict: true,
      allowPositionals: false,
      options: {
        seats: {type: 'string'},
        seed: {type: 'string'},
        buyers: {type: 'string'},
        clients: {type: 'string'},
        kills: {type: 'string'},
        unanswered: {type: 'string'},
        keep: {type: 'boolean'},
        help: {type: 'boolean'},
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function conditionsOf(text: string | undefined): Condition[] | null {
  if (text === undefined) return null;
  if (text === 'none') return [];
  const names = text.split(',');
  const unknown = names.find(name => !CONDITIONS.some(condition => condition === name));
  if (unknown !== undefined) {
    throw new UsageError(`--kills knows ${CONDITIONS.join(', ')} and none, got "${unknown}"`);
  }
  return CONDITIONS.filter(condition => names.includes(condition));
}
