// The command line of `pnpm campaign`: what it may say, and its errors. Everything is checked here, against the list of
// campaigns, before any process is started.
// Not here: what the options mean for a run (`run.ts`).
import {availableParallelism} from 'node:os';
import {CAMPAIGNS} from './campaigns.ts';

export interface CampaignOptions {
  readonly name: string;
  /** Null only where a count is given. */
  readonly minutes: number | null;
  readonly seed: number;
  readonly workers: number;
  readonly only: readonly string[] | null;
  readonly count: number | null;
}

export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

export const USAGE: string = [
  'usage: pnpm campaign <name> --minutes N [--seed S] [--workers W] [--only workload,…] [--count C | --cycles N | --frames N]',
  '',
  ...Object.entries(CAMPAIGNS).map(([name, {about, lines}]) => {
    return `  ${name}  ${about}\n       workloads: ${lines.map(({workload}) => workload).join(', ')}`;
  }),
  '',
  '  --minutes N  how long; fractions are fine',
  '  --seed S     first seed, default 1; the processes take every W-th from there',
  '  --workers W  processes, default one for each core',
  '  --only       some of the workloads',
  '  --count C    so many seeds of each workload, instead of or beside the minutes',
  '  --cycles N   the same for a campaign that is counted in cycles: as many whole seeds as have so many',
  '  --frames N   the same for one that is counted in frames',
].join('\n');

type Values = Readonly<Record<string, string | boolean | undefined>>;

export function readOptions(positionals: readonly string[], values: Values): CampaignOptions {
  const [name, ...rest] = positionals;
  if (name === undefined) throw new UsageError('which campaign?');
  const campaign = Object.hasOwn(CAMPAIGNS, name) ? CAMPAIGNS[name] : undefined;
  if (campaign === undefined) throw new UsageError(`there is no campaign ${name}`);
  if (rest.length > 0) throw new UsageError(`one campaign at a time, not ${rest.join(' ')} too`);
  const only = values['only'] === undefined ? null : String(values['only']).split(',');
  const known = campaign.lines.map(({workload}) => workload);
  const unknown = only?.find(workload => !known.includes(workload));
  if (unknown !== undefined) throw new UsageError(`${name} has no workload ${unknown}`);
  const minutes = numberOf('minutes', values['minutes']);
  const cycles = wholeOf('cycles', values['cycles']);
  const frames = wholeOf('frames', values['frames']);
  const {cyclesPerSeed, framesPerSeed} = campaign;
  if (cycles !== null && cyclesPerSeed === undefined) throw new UsageError(`${name} is not counted in cycles`);
  if (frames !== null && framesPerSeed === undefined) throw new UsageError(`${name} is not counted in frames`);
  const seedsOfCycles = cycles === null ? null : Math.ceil(cycles / (cyclesPerSeed ?? 1));
  const seedsOfFrames = frames === null ? null : Math.ceil(frames / (framesPerSeed ?? 1));
  const count = wholeOf('count', values['count']) ?? seedsOfCycles ?? seedsOfFrames;
  if (minutes === null && count === null) throw new UsageError('for how many --minutes?');
  return {
    name,
    minutes,
    seed: wholeOf('seed', values['seed']) ?? 1,
    workers: wholeOf('workers', values['workers']) ?? campaign.workers ?? availableParallelism(),
    only,
    count,
  };
}

function numberOf(option: string, value: string | boolean | undefined): number | null {
  if (value === undefined) return null;
  const number = Number(value);
  if (value === '' || !Number.isFinite(number) || number <= 0) throw new UsageError(`--${option} is a number above 0`);
  return number;
}

function wholeOf(option: string, value: string | boolean | undefined): number | null {
  const number = numberOf(option, value);
  if (number !== null && !Number.isSafeInteger(number)) throw new UsageError(`--${option} is a whole number`);
  return number;
}
