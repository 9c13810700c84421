// Runs one campaign: starts its processes, adds up what they report, prints progress and the summary. It says only what
// the processes have reported, and a process that ends without saying that it is done is a failure of the campaign.
// Not here: what the processes do (`campaigns.ts` names their program).
import {type ChildProcess, spawn} from 'node:child_process';
import {dirname} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {Campaign} from './campaigns.ts';
import {type Counts, Tally, type Violation} from './tally.ts';
import type {CampaignOptions} from './usage.ts';

const ROOT: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PROGRESS_MS = 5000;
const VIOLATIONS_MAX = 10;
/** A process that was told to end and is still in one seed after so long hangs. */
const GRACE_MS = 60_000;

interface Line {
  readonly counts?: Readonly<Record<string, Counts>>;
  readonly totals?: Counts;
  readonly note?: string;
  readonly violation?: Violation;
  readonly done?: boolean;
}

/** Returns the exit code. */
export async function runCampaign(campaign: Campaign, options: CampaignOptions): Promise<number> {
  const {name, minutes, workers, seed} = options;
  const tally = new Tally(campaign, performance.now());
  const howLong = minutes === null ? '' : ` for ${minutes} min`;
  console.log(`campaign ${name}${howLong}: ${workers} processes, seeds from ${seed}`);
  const children: ChildProcess[] = [];
  let graceTimer: NodeJS.Timeout | null = null;
  const stop = (): void => {
    for (const {stdin} of children) stdin?.end();
    graceTimer ??= setTimeout(() => endAll(children), GRACE_MS);
  };
  const timer = minutes === null ? null : setTimeout(stop, minutes * 60_000);
  const onInterrupt = (): void => {
    console.log('interrupted: ending with the counts so far');
    stop();
  };
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  const progress = setInterval(() => console.log(tally.progress(performance.now())), PROGRESS_MS);
  const ended = Array.from({length: workers}, (_, index) => {
    const child = start(campaign, options, index);
    children.push(child);
    return follow(child, line => take(line, tally, options, stop));
  });
  const completed = await Promise.all(ended);
  clearInterval(progress);
  for (const one of [timer, graceTimer]) if (one !== null) clearTimeout(one);
  process.off('SIGINT', onInterrupt);
  process.off('SIGTERM', onInterrupt);
  for (const line of tally.summary(performance.now())) console.log(line);
  const lost = completed.filter(isComplete => !isComplete).length;
  if (lost > 0) console.error(`${lost} of ${workers} processes ended before they were done`);
  return lost > 0 || tally.violations.length > 0 ? 1 : 0;
}

function endAll(children: readonly ChildProcess[]): void {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
}

function start({program}: Campaign, options: CampaignOptions, index: number): ChildProcess {
  const {seed, workers, only, count, minutes} = options;
  const milliseconds = minutes === null ? null : minutes * 60_000;
  const order = JSON.stringify({only, first: seed, index, step: workers, count, milliseconds});
  const args = ['--import', 'tsx', '--conditions=@allocdb/source', program, order];
  // In a group of its own: an interrupt at the terminal is for this process, and must not end what a child has started.
  return spawn(process.execPath, args, {cwd: ROOT, detached: true, stdio: ['pipe', 'pipe', 'inherit']});
}

/** Resolves when the process has ended: whether it had said that it was done. */
function follow(child: ChildProcess, onLine: (line: Line) => void): Promise<boolean> {
  let isDone = false;
  if (child.stdout === null) throw new Error('the process has no output');
  const lines = createInterface({input: child.stdout});
  lines.on('line', text => {
    const line: Line = JSON.parse(text);
    if (line.done === true) isDone = true;
    else onLine(line);
  });
  child.stdin?.on('error', () => {});
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', status => resolve(isDone && status === 0));
  });
}

function take(line: Line, tally: Tally, {name}: CampaignOptions, stop: () => void): void {
  for (const [workload, counts] of Object.entries(line.counts ?? {})) tally.add(workload, counts);
  if (line.totals !== undefined) tally.expect(line.totals);
  if (line.note !== undefined) console.log(line.note);
  if (line.violation === undefined) return;
  const {workload, seed, message} = line.violation;
  tally.violations.push(line.violation);
  console.error(`VIOLATION in ${workload}, seed ${seed}: ${message}`);
  console.error(`again: pnpm campaign ${name} --only ${workload} --seed ${seed} --count 1`);
  if (tally.violations.length >= VIOLATIONS_MAX) stop();
}
