/**
 * What a reader of changes costs the writers: the closed loop over TCP with no reader, with one that reads the end of the log
 * as it grows, and with one that asked for the whole log and has stopped reading, which the server drops while the writers
 * go on. In turn, each on a fresh server and directory; readers are processes of their own.
 *
 * Checked in every run: that the log has grown by exactly the answers, that the reader got each of these changes once and in
 * order, and that the one that had stopped was dropped as a slow consumer.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import type {ServerEvent} from './child_server.ts';
import {type LoadRun, runClosedLoop, withServer} from './closed_loop.ts';
import {FeedTail, type TailReport} from './feed_tail.ts';
import type {Cell, Table} from './report.ts';
import {type BenchOptions, type Expectations, type LoadShape, shapeText, times} from './scenario.ts';
import {lastLsnOf, startDatabase} from './server_setup.ts';
import {spreadOf, spreadOrNull} from './stats.ts';
import {SERVER_RESOURCES, workloadConfig} from './workload_config.ts';

/** What the parts of the scenario have in common. */
export interface FeedContext {
  readonly options: BenchOptions;
  readonly dir: string;
  readonly expectations: Expectations;
}

/** Who reads beside the writers. */
export type Reader = 'none' | 'at the end of the log' | 'stopped reading';

/** One run of the writers, and what the reader has read where it does. */
interface WritersRun {
  readonly load: LoadRun;
  readonly tail: TailReport | null;
}

const READERS: readonly Reader[] = ['none', 'at the end of the log', 'stopped reading'];
const SHAPE: LoadShape = {connections: 16, outstanding: 64};
/** How long it may take, over the time it is allowed, until the server has dropped who does not read. */
const DROP_PATIENCE_MS = 60_000;

/** Resolves when the server has ended a connection whose answers lay unread. */
class Drops {
  readonly dropped: Promise<void>;
  #onDropped: () => void = () => undefined;

  constructor() {
    this.dropped = new Promise(resolve => {
      this.#onDropped = resolve;
    });
  }

  onEvent({event, fields}: ServerEvent): void {
    if (event === 'connection_ended' && fields['reason'] === 'slow_consumer') this.#onDropped();
  }
}

async function runWith(reader: Reader, {options, dir, expectations}: FeedContext): Promise<WritersRun> {
  const drops = new Drops();
  // In the midst of the measured seconds: both what it is to have such a reader, and what dropping it is, are in the figure.
  const patienceMs = Math.ceil(1000 * (options.warmUpSeconds + options.seconds / 2));
  const start: typeof startDatabase = (own, profileDir) =>
    startDatabase(own, profileDir, workloadConfig(SERVER_RESOURCES), {
      args: ['--slow-consumer', `${patienceMs}ms`],
      onEvent: event => drops.onEvent(event),
    });
  return withServer(start, join(dir, 'database'), options, async server => {
    const before = await lastLsnOf(server);
    const tail =
      reader === 'none' ? null : await FeedTail.start(server.port, reader === 'stopped reading' ? 'stall' : 'read');
    try {
      const load = await runClosedLoop(server, SHAPE, options);
      const last = await lastLsnOf(server);
      expectations.equal(`answers in the log, reader: ${reader}`, last - before, load.answers);
      if (reader === 'stopped reading') {
        const tooLate = delay(patienceMs + DROP_PATIENCE_MS, 'kept', {ref: false});
        const outcome = await Promise.race([drops.dropped.then(() => 'dropped'), tooLate]);
        expectations.equal('what became of the reader that had stopped reading', outcome, 'dropped');
      }
      if (tail === null || reader !== 'at the end of the log') return {load, tail: null};
      const report = await tail.readTo(last);
      expectations.equal('the first lsn of the reader', report.first, before + 1);
      expectations.equal('the last lsn of the reader', report.last, last);
      expectations.equal('changes that the reader got', report.changes, load.answers);
      return {load, tail: report};
    } finally {
      tail?.kill();
    }
  });
}

/** What the writers get done with each of these readers; the first one is what the others are compared with. */
export async function writersTable(context: FeedContext, readers: readonly Reader[] = READERS): Promise<Table> {
  const {options} = context;
  const dir = join(context.dir, 'writers');
  mkdirSync(dir, {recursive: true});
  const runs: WritersRun[][] = readers.map(() => []);
  for (const i of times(options.repeat)) {
    // Who comes first changes, so that nobody always has the same neighbour.
    for (const j of times(readers.length)) {
      const at = (i + j) % readers.length;
      const reader = readers[at] ?? 'none';
      const run = await runWith(reader, {...context, dir});
      runs[at]?.push(run);
      const rate = Math.round(run.load.answersPerSecond);
      options.progress(`feed: reader ${reader}, run ${i + 1} of ${options.repeat}: ${rate}/s`);
    }
  }
  const alone = (runs[0] ?? []).map(({load}) => load.answersPerSecond);
  return {
    title: `Durable answers per second over TCP at ${shapeText(SHAPE)}, with a reader of changes beside`,
    columns: [
      {name: 'reader', kind: 'text'},
      {name: 'answers/s', kind: 'rate'},
      {name: 'of no reader', kind: 'ratio'},
      {name: 'read/s meanwhile', kind: 'rate'},
      {name: 'behind at the end', kind: 'count'},
      {name: 'server cpu', kind: 'percent'},
      {name: 'client cpu', kind: 'percent'},
      {name: 'reader us/change', kind: 'ratio'},
    ],
    rows: readers.map((reader, at) => rowOf(reader, runs[at] ?? [], alone)),
  };
}

function rowOf(reader: Reader, runs: readonly WritersRun[], alone: readonly number[]): Cell[] {
  const rates = runs.map(({load}) => load.answersPerSecond);
  const tails = runs.map(({tail}) => tail).filter(each => each !== null);
  const behind = spreadOrNull(tails.map(each => each.behind));
  return [
    reader,
    spreadOf(rates),
    spreadOf(rates.map((rate, i) => rate / (alone[i] ?? Number.NaN))),
    spreadOrNull(tails.map(({changes, behind: left, millis}) => ((changes - left) * 1000) / millis)),
    behind === null ? null : Math.round(behind.median),
    spreadOrNull(runs.map(({load}) => load.serverPercent).filter(each => each !== null))?.median ?? null,
    spreadOf(runs.map(({load}) => load.clientPercent)).median,
    spreadOrNull(tails.map(({changes, cpuMillis}) => (1000 * cpuMillis) / changes))?.median ?? null,
  ];
}
