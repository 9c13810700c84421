/**
 * A series of kills on one data directory. A cycle: clients work, the server is killed at a moment that the seed chooses,
 * in its recovery too, and is started again; then every answer of the cycle is asked for again and must be the same, and
 * every operation without an answer is settled to one result by its id. At the end the directory is verified, and all that
 * any client was told is checked as a history against it.
 *
 * The seed decides what clients want and when to kill; what the server was doing then it does not decide.
 */
import {cpSync, existsSync, renameSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ApiResponse} from '@allocdb/api';
import {configOfLimits, configToJson, type DatabaseConfig, verifyDirectory} from '@allocdb/node';
import {checkHistory, type HistoryReport, openDirectoryLog} from '@allocdb/node/history';
import {Random} from '@allocdb/sim';
import {pause, tempDir, tempFile, withDeadline} from '../command.ts';
import {KillClient, keepBusy} from './kill_clients.ts';
import {differenceOf, KillRecorder, type Told} from './kill_recorder.ts';
import {KillServer} from './kill_server.ts';
import {KillWorkload, RESOURCES} from './kill_workload.ts';

const CONNECTIONS = 32;
const SLOT_MS = 10;
const AGAIN_MS = 60_000;
/** The slowest checkpoint at 1 MiB/s takes a fraction of it. */
const CHECKPOINT_MS = 30_000;
const AGAIN_BATCH = 128;
const SMALL_TICK = 1000;

/** A promise that did not hold. */
export class KillViolation extends Error {}

/** When a server is killed: after some answers, some time into a checkpoint, or some time behind the end of one. */
export type MomentToDie = 'among_answers' | 'in_checkpoint' | 'behind_checkpoint';

export interface SeriesOptions {
  readonly cycles: number;
  /** Goes on behind `cycles` until this holds, for as many cycles more at most, which end as told; else the seed decides. */
  readonly goesOn?: {
    readonly cycles: number;
    readonly until: (counts: KillCounts, dir: string) => boolean;
    readonly ends?: MomentToDie;
  };
  /** Whether the log is in small segments that are cut as soon as they can be; else the seed decides. */
  readonly cutsLog?: boolean;
  /** Asked after each cycle: whether the series is to end before its time, complete as far as it has come. */
  readonly isOver?: () => boolean;
  /** Told after each cycle, and at the end, how often what happened so far. */
  readonly onProgress?: (counts: KillCounts) => void;
  /** Whether answers are asked for again; without it only the history tells. Default true. */
  readonly asksAgain?: boolean;
  /** Keeps directory and history where a promise broke. Default false. */
  readonly keeps?: boolean;
  /** A fault: what is done to the directory when the server was killed; `before` is a copy of it from the cycle's begin. */
  readonly afterKill?: (dir: string, cycle: number, before: string) => void;
  /** A fault: what clients are told instead. */
  readonly tamper?: (response: ApiResponse) => ApiResponse;
}

/** How often what happened. */
export type KillCounts = Record<
  | 'cycles'
  | 'kills'
  | 'inRecovery'
  | 'inCheckpoint'
  | 'behindCheckpoint'
  | 'answers'
  | 'askedAgain'
  | 'unanswered'
  | 'happened'
  | 'notHappened'
  | 'attempts'
  | 'reads'
  | 'records'
  | 'findings',
  number
>;

/** What a series leaves behind, for tests that look closer. */
export interface SeriesEnd {
  readonly counts: KillCounts;
  readonly report: HistoryReport;
  readonly dir: string;
  readonly history: string;
}

/** Runs one series. Throws {@link KillViolation} where a promise broke. The caller removes directories with `cleanUp`. */
export async function runSeries(seed: number, options: SeriesOptions): Promise<SeriesEnd> {
  const series = new Series(seed, options);
  try {
    return await series.run();
  } catch (error) {
    const where = options.keeps === true ? `; kept in ${series.keep()}` : '';
    throw new KillViolation(`seed ${seed}: ${(error as Error).message}${where}`, {cause: error});
  }
}

class Series {
  readonly #options: SeriesOptions;
  readonly #seed: number;
  readonly #random: Random;
  readonly #recorder: KillRecorder;
  readonly #workload: KillWorkload;
  readonly #dir: string = join(tempDir(), 'data');
  readonly #config: DatabaseConfig;
  readonly #configFile: string;
  readonly #cutsLog: boolean;
  #lives: number = 0;
  readonly #counts: KillCounts = {
    cycles: 0,
    kills: 0,
    inRecovery: 0,
    inCheckpoint: 0,
    behindCheckpoint: 0,
    answers: 0,
    askedAgain: 0,
    unanswered: 0,
    happened: 0,
    notHappened: 0,
    attempts: 0,
    reads: 0,
    records: 0,
    findings: 0,
  };

  constructor(seed: number, options: SeriesOptions) {
    this.#seed = seed;
    this.#options = options;
    this.#random = new Random(BigInt(seed));
    const cutsLog = this.#random.chance(50);
    this.#cutsLog = options.cutsLog ?? cutsLog;
    this.#recorder = new KillRecorder(options.tamper ?? null);
    this.#workload = new KillWorkload(this.#random, seed);
    const limits = {maxResources: RESOURCES, maxReservations: 50_000, maxOperations: 200_000, maxTtlSlots: 2000};
    const config = configOfLimits(limits, SLOT_MS);
    // The records of one tick must fit into half of a small segment.
    const engine = {...config.engine, maxExpirationsPerTick: SMALL_TICK};
    this.#config = this.#cutsLog ? {...config, engine} : config;
    this.#configFile = tempFile('config.json', JSON.stringify(configToJson(this.#config)));
  }

  async run(): Promise<SeriesEnd> {
    const {afterKill, isOver} = this.#options;
    const before = `${this.#dir}.before`;
    for (let cycle = 1; this.#isToRun(cycle); cycle++) {
      if (afterKill !== undefined && cycle > 1) cpSync(this.#dir, before, {recursive: true});
      const ends = cycle > this.#options.cycles ? this.#options.goesOn?.ends : undefined;
      await this.#live(ends ?? this.#drawMoment());
      this.#counts.cycles++;
      afterKill?.(this.#dir, cycle, before);
      rmSync(before, {recursive: true, force: true});
      this.#counts.answers = this.#recorder.answers;
      this.#options.onProgress?.(this.#counts);
      if (isOver?.() === true) break;
    }
    await this.#lastLife();
    return this.#judge();
  }

  #isToRun(cycle: number): boolean {
    const {cycles, goesOn} = this.#options;
    if (cycle <= cycles) return true;
    return goesOn !== undefined && cycle <= cycles + goesOn.cycles && !goesOn.until(this.#counts, this.#dir);
  }

  /** Sets directory and history aside and returns where. */
  keep(): string {
    const place = join(tmpdir(), `allocdb-kill-${this.#seed}-${process.pid}`);
    rmSync(place, {recursive: true, force: true});
    // A server that never came up has left none.
    if (existsSync(this.#dir)) renameSync(this.#dir, place);
    writeFileSync(join(`${place}.history`), this.#recorder.text(this.#config));
    return place;
  }

  /** From a start, which may be killed a few times before it succeeds, to a kill. */
  async #live(ends: MomentToDie): Promise<void> {
    const random = this.#random;
    while (this.#lives > 0 && random.chance(30)) await this.#dieInRecovery();
    const server = this.#start();
    const clients = await this.#connect(await server.listening());
    // Sometimes before everything was asked again; what was not stays to be asked.
    const isHasty = random.chance(10);
    const asked = this.#askAgain(clients);
    // Reported when it is awaited, which may be after the kill.
    asked.catch(() => undefined);
    if (isHasty) await pause(random.below(40));
    else await withDeadline(asked, 'every operation to be answered again', AGAIN_MS);
    let isOver = false;
    const busy = clients.map(client => keepBusy(client, clients, this.#workload, random, this.#recorder, () => isOver));
    await this.#until(ends, server);
    const wasListening = server.listens;
    const end = await server.kill();
    isOver = true;
    await withDeadline(Promise.all([...busy, asked]), 'the clients to notice', AGAIN_MS);
    await Promise.all(clients.map(client => client.close()));
    if (end.signal !== 'SIGKILL' || !wasListening) {
      throw new Error(`the server ended by itself with ${end.code}: ${JSON.stringify(server.events.at(-1))}`);
    }
    this.#counts.kills++;
    if (server.isInCheckpoint) this.#counts.inCheckpoint++;
    else if (server.hasCheckpointed) this.#counts.behindCheckpoint++;
  }

  #drawMoment(): MomentToDie {
    const percent = this.#random.below(100);
    if (percent < 65) return 'among_answers';
    return percent < 85 ? 'in_checkpoint' : 'behind_checkpoint';
  }

  async #until(moment: MomentToDie, server: KillServer): Promise<void> {
    const random = this.#random;
    const recorder = this.#recorder;
    const isAmongAnswers = moment === 'among_answers';
    // A checkpoint begins after a MiB of log, which takes about so many answers.
    const answers = recorder.answers + (isAmongAnswers ? random.between(100, 2000) : 9000);
    const delayMs = random.below(isAmongAnswers ? 12 : 30);
    const deadline = performance.now() + CHECKPOINT_MS;
    const isReached = (): boolean => {
      if (server.hasEnded) return true;
      if (moment === 'behind_checkpoint') return server.hasCheckpointed || performance.now() > deadline;
      return recorder.answers >= answers || (moment === 'in_checkpoint' && server.isInCheckpoint);
    };
    while (!isReached()) await pause(1);
    await pause(delayMs);
  }

  async #dieInRecovery(): Promise<void> {
    const server = this.#start();
    const delayMs = this.#random.below(80);
    if (!(await server.recovering())) await server.listening();
    await Promise.race([pause(delayMs), server.listening().catch(() => undefined)]);
    const {signal, code} = await server.kill();
    if (signal !== 'SIGKILL') throw new Error(`the server ended in its recovery with ${code}`);
    this.#counts.kills++;
    if (!server.listens) this.#counts.inRecovery++;
  }

  #start(): KillServer {
    const mibPerSecond = [1, 4, 16, 128][this.#random.below(4)] ?? 1;
    this.#lives++;
    return new KillServer({
      dir: this.#dir,
      configFile: this.#configFile,
      slotMs: SLOT_MS,
      mibPerSecond,
      cutsLog: this.#cutsLog,
    });
  }

  #connect(port: number): Promise<KillClient[]> {
    const life = this.#lives;
    return Promise.all(
      Array.from({length: CONNECTIONS}, (_, i) => KillClient.open(port, BigInt(i + 1), `${life}.${i}`, this.#recorder)),
    );
  }

  /** Asks again for everything that was answered since it was last asked, and for what was not answered. */
  async #askAgain(clients: readonly KillClient[]): Promise<void> {
    if (this.#options.asksAgain === false) return;
    const recorder = this.#recorder;
    const told = [...recorder.unchecked.values()];
    const open = [...recorder.unanswered.values()];
    const all = [...told, ...open].map(({operation, command}) => ({id: operation, command}));
    this.#shuffle(all);
    const problems: string[] = [];
    for (let at = 0, next = 0; at < all.length; at += AGAIN_BATCH, next++) {
      const client = clients[next % clients.length];
      client?.submitBatch(all.slice(at, at + AGAIN_BATCH), (again, sent) => {
        const why = sent.type === 'attempt' ? this.#settled(sent.operation, again) : null;
        if (why !== null) problems.push(why);
      });
    }
    await Promise.all(clients.map(client => client.below(1)));
    // What was sent on two connections at once was asked again, too.
    problems.push(...recorder.differing);
    if (problems.length > 0) throw new Error(`asked again: ${problems.slice(0, 3).join('; ')}`);
  }

  /** Notes an answer that was asked for again; returns why it is wrong, or null. */
  #settled(operation: bigint, again: Told | null): string | null {
    const recorder = this.#recorder;
    if (again === null) return `operation ${operation} was refused`;
    const first = recorder.unchecked.get(operation);
    if (first !== undefined) {
      recorder.unchecked.delete(operation);
      this.#counts.askedAgain++;
      return differenceOf(first, again, true);
    }
    if (recorder.unanswered.delete(operation)) {
      // Settled now; the next life must settle it in the same way.
      recorder.unchecked.set(operation, again);
      this.#counts.unanswered++;
      if (again.answer.fromRetryCache) this.#counts.happened++;
      else this.#counts.notHappened++;
    }
    return null;
  }

  #shuffle<Value>(values: Value[]): void {
    for (let i = values.length - 1; i > 0; i--) {
      const other = this.#random.below(i + 1);
      [values[i], values[other]] = [values[other] as Value, values[i] as Value];
    }
  }

  /** Settles what is left, and stops the server, in order or not. */
  async #lastLife(): Promise<void> {
    const server = this.#start();
    const clients = await this.#connect(await server.listening());
    await withDeadline(this.#askAgain(clients), 'every operation to be answered again', AGAIN_MS);
    await Promise.all(clients.map(client => client.close()));
    if (this.#random.chance(50)) await server.kill();
    else {
      const {code} = await server.stop();
      if (code !== 0) throw new Error(`the server stopped with ${code}`);
    }
  }

  #judge(): SeriesEnd {
    const {problems} = verifyDirectory(this.#dir);
    if (problems.length > 0) throw new Error(`the directory is not sound: ${problems.join('; ')}`);
    const recorder = this.#recorder;
    using log = openDirectoryLog(this.#dir);
    const header = {type: 'history', version: 1, begins: 'empty', core: this.#config.core} as const;
    const report = checkHistory(header, recorder.entries, {log});
    const counts = this.#counts;
    counts.answers = recorder.answers;
    counts.attempts = report.attempts;
    counts.reads = report.reads;
    counts.records = Number((report.log?.lastLsn ?? 0n) - (report.log?.replayedFrom ?? 0n) + 1n);
    counts.findings = report.found;
    this.#options.onProgress?.(counts);
    if (report.found > 0) {
      const first = report.findings.slice(0, 5).map(({check, message}) => `${check}: ${message}`);
      throw new Error(`the history has ${report.found} findings: ${first.join('; ')}`);
    }
    return {counts, report, dir: this.#dir, history: recorder.text(this.#config)};
  }
}
