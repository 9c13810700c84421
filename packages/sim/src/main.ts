// `pnpm sim --seed N`: runs one seed of the simulator, or a schedule from a file, and says what it did. On a violation it
// prints what broke, the end of the transcript and the command that shows it again, and exits with 1; a wrong command line
// exits with 64.
//   --events M     how many events are drawn, default 500
//   --count C      so many seeds from N on, up to the first that fails
//   --transcript   the whole transcript
//   --shrink       makes a failing schedule smaller and writes it down
//   --corpus FILE  replays a schedule that was written down; with --shrink, where to write
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {drawSchedule} from './simulator/draw_schedule.ts';
import {type RunReport, runSchedule} from './simulator/run.ts';
import {addCounts, noCounts, type RunCounts} from './simulator/run_state.ts';
import {type Schedule, scheduleFromJson, scheduleToJson} from './simulator/schedule.ts';
import {shrinkSchedule} from './simulator/shrink.ts';

const EVENTS = 500;
const SHOWN_LINES = 40;
const EXIT_USAGE = 64;
const USAGE = 'usage: pnpm sim --seed N [--events M] [--count C] [--transcript] [--shrink] | pnpm sim --corpus FILE';

interface Options {
  readonly seed: number | null;
  readonly events: number;
  readonly count: number;
  readonly transcript: boolean;
  readonly shrink: boolean;
  readonly corpus: string | null;
}

function optionsOf(args: string[]): Options {
  const {values} = parseArgs({
    args,
    options: {
      seed: {type: 'string'},
      events: {type: 'string'},
      count: {type: 'string'},
      transcript: {type: 'boolean'},
      shrink: {type: 'boolean'},
      corpus: {type: 'string'},
    },
  });
  const options = {
    seed: values.seed === undefined ? null : wholeOf('seed', values.seed),
    events: values.events === undefined ? EVENTS : wholeOf('events', values.events),
    count: values.count === undefined ? 1 : wholeOf('count', values.count),
    transcript: values.transcript === true,
    shrink: values.shrink === true,
    corpus: values.corpus ?? null,
  };
  if (options.seed === null && options.corpus === null) throw new TypeError('which --seed, or which --corpus file?');
  return options;
}

function wholeOf(option: string, value: string): number {
  const number = Number(value);
  if (value !== '' && Number.isSafeInteger(number) && number >= 0) return number;
  throw new TypeError(`--${option} is a whole number`);
}

function countsLine(counts: RunCounts): string {
  const {points, ...rest} = counts;
  const shown = Object.entries(rest).map(([name, count]) => `${name} ${count}`);
  const hit = Object.entries(points).filter(([, count]) => count > 0);
  return `${shown.join(' · ')}\ncrashed at: ${hit.map(([name, count]) => `${name} ${count}`).join(' · ') || 'nothing'}`;
}

async function tell(schedule: Schedule, report: RunReport, again: string, options: Options): Promise<void> {
  const {violation, foundAt} = report;
  if (violation === null) return;
  const {lines} = await runSchedule(schedule, {keepsTranscript: true});
  console.error(`VIOLATION at event ${foundAt} of ${schedule.events.length}: ${violation.message}`);
  console.error(lines.slice(options.transcript ? 0 : -SHOWN_LINES).join('\n'));
  console.error(`again: ${again}`);
  if (!options.shrink) return;
  const shrunk = await shrinkSchedule(schedule);
  if (shrunk === null) return;
  const path = options.corpus ?? join(tmpdir(), `allocdb-sim-${schedule.seed}.json`);
  writeFileSync(path, scheduleToJson(shrunk.schedule, {kind: shrunk.violation.kind, note: shrunk.violation.message}));
  console.error(
    `shrunk to ${shrunk.schedule.events.length} events in ${shrunk.runs} runs: ${shrunk.violation.message}`,
  );
  console.error(`again: pnpm sim --corpus ${path}`);
}

async function runOne(schedule: Schedule, again: string, options: Options, total: RunCounts): Promise<boolean> {
  const report = await runSchedule(schedule, {keepsTranscript: options.transcript});
  if (options.transcript && report.violation === null) console.log(report.lines.join('\n'));
  const {seed, events} = schedule;
  if (options.count === 1) console.log(`seed ${seed} · transcript ${report.digest} · drawn ${events.length} events`);
  addCounts(total, report.counts);
  await tell(schedule, report, again, options);
  return report.violation === null;
}

async function main(args: string[]): Promise<number> {
  let options: Options;
  try {
    options = optionsOf(args);
    if (options.corpus !== null && options.seed === null && !existsSync(options.corpus)) {
      throw new TypeError(`there is no file ${options.corpus}`);
    }
  } catch (error) {
    // parseArgs reports an unknown option as a TypeError.
    if (!(error instanceof TypeError)) throw error;
    console.error(`sim: ${error.message}\n${USAGE}`);
    return EXIT_USAGE;
  }
  const total = noCounts();
  let isSound = true;
  if (options.seed === null) {
    const path = options.corpus ?? '';
    const {schedule} = scheduleFromJson(readFileSync(path, 'utf8'));
    isSound = await runOne(schedule, `pnpm sim --corpus ${path}`, options, total);
  } else {
    for (let seed = options.seed; isSound && seed < options.seed + options.count; seed++) {
      const schedule = drawSchedule(seed, options.events);
      const again = `pnpm sim --seed ${seed} --events ${options.events}`;
      isSound = await runOne(schedule, again, options, total);
    }
  }
  console.log(countsLine(total));
  if (isSound) console.log('no violation');
  return isSound ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
