/**
 * The sale from the opening of the doors until the last buyer has left: watches, kills the server when a planned moment
 * has come, starts it again, and tells how it goes. It decides nothing about seats and judges nothing.
 */
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {Findings} from '../audit/findings.ts';
import {History, type Rules} from '../audit/history.ts';
import {LogSource} from '../audit/log_source.ts';
import {nowUs} from '../ledger.ts';
import type {SaleSettings} from '../settings.ts';
import type {ClientProcesses} from './client_processes.ts';
import {isMet, type Kill, type Moment, type PlannedKill, proofOf} from './kills.ts';
import type {Progress} from './progress.ts';
import {type Recovery, type ServerOptions, ServerProcess} from './server_process.ts';
import {type Watched, Watcher} from './watcher.ts';

export interface SaleOptions {
  readonly settings: SaleSettings;
  readonly rules: Rules;
  readonly server: ServerOptions;
  readonly unansweredLeast: number;
  readonly kills: readonly PlannedKill[];
}

/** What the sale was, apart from who bought what. */
export interface SaleFacts {
  readonly durationMs: number;
  readonly kills: readonly Kill[];
  /** By kill: how the server came back. */
  readonly recoveries: readonly Recovery[];
  readonly checkpointsFinished: number;
  /** Null when the sale went as planned. */
  readonly failure: string | null;
}

const LOOP_MS = 2;
const OPENING_MS = 150;
/** After a start, before the next kill: the clients are to be heard of again first. */
const SETTLE_MS = 300;
const AGAIN_MS = 250;
/** How long a kill that would rather come after a checkpoint waits for one. */
const CHECKPOINTED_MS = 4000;
const KILLS_MAX = 10;
const SALE_MAX_MS = 120_000;

export class Sale {
  readonly #options: SaleOptions;
  readonly #clients: ClientProcesses;
  readonly #progress: Progress;
  readonly #log: LogSource;
  readonly #walDir: string;
  readonly #kills: Kill[] = [];
  readonly #recoveries: Recovery[] = [];
  #planned: PlannedKill[];
  #server: ServerProcess;
  #watcher: Watcher | null = null;
  #watched: Watched | null = null;
  #life: number = 0;
  #openedUs: number = 0;
  #welcomedMs: number = 0;
  #metSinceMs: number | null = null;
  /** When the server of this life was killed, or null. */
  #killedAtMs: number | null = null;
  #checkpointsFinished: number = 0;
  #failure: string | null = null;

  constructor(options: SaleOptions, server: ServerProcess, clients: ClientProcesses, progress: Progress) {
    this.#options = options;
    this.#server = server;
    this.#clients = clients;
    this.#progress = progress;
    this.#planned = [...options.kills];
    this.#walDir = join(options.server.dataDir, 'wal');
    this.#log = new LogSource(this.#walDir);
  }

  get server(): ServerProcess {
    return this.#server;
  }

  /** Ends the sale with this reason. */
  fail(reason: string): void {
    this.#failure ??= reason;
  }

  /** Opens the doors; resolves when all buyers have left and every ordinary hold is over. */
  async run(): Promise<SaleFacts> {
    await this.#welcome();
    this.#openedUs = nowUs() + OPENING_MS * 1000;
    this.#clients.onStatus = () => this.#strike();
    this.#clients.tell({type: 'doors', atUs: this.#openedUs});
    let durationMs = 0;
    while (this.#failure === null) {
      const sinceOpeningMs = (nowUs() - this.#openedUs) / 1000;
      this.#progress.turn(sinceOpeningMs, this.#clients.totals);
      this.#strike();
      if (this.#killedAtMs !== null) await this.#afterKill(this.#killedAtMs);
      else if (this.#server.hasEnded) this.fail('the server ended by itself');
      const {buyersLeft, lastDeadline} = this.#clients.totals;
      if (buyersLeft === 0 && durationMs === 0) durationMs = sinceOpeningMs;
      if (buyersLeft === 0 && this.#isQuiet(lastDeadline)) break;
      if (sinceOpeningMs > SALE_MAX_MS) this.fail(`the sale did not end within ${SALE_MAX_MS / 1000} s`);
      await delay(LOOP_MS);
    }
    if (this.#failure === null && this.#planned.length > 0) {
      const names = this.#planned.map(({condition}) => condition).join(', ');
      this.fail(`the sale ended before its moment for a kill had come: ${names}`);
    }
    await this.#watcher?.close();
    return {
      durationMs,
      kills: this.#kills,
      recoveries: this.#recoveries,
      checkpointsFinished: this.#checkpointsFinished + this.#server.checkpointsFinished,
      failure: this.#failure,
    };
  }

  /** A server is there: clients and watcher go to it. */
  async #welcome(): Promise<void> {
    this.#clients.tell({type: 'server', port: this.#server.port, life: this.#life});
    this.#watched = null;
    this.#watcher = await Watcher.open(this.#server.port);
    this.#watcher.listen(watched => {
      this.#watched = watched;
      this.#strike();
    });
    this.#welcomedMs = performance.now();
  }

  /** No ordinary hold is open any more: the server's time is past the last deadline, and nothing waits to be ended. */
  #isQuiet(lastDeadline: number): boolean {
    this.#watcher?.ask();
    return this.#watched !== null && this.#watched.slot > lastDeadline + 1 && this.#watched.backlog === 0;
  }

  /**
   * Kills the server when a moment has come. Called wherever something is heard, because a moment may be over within a
   * millisecond; what follows from it is done by the loop.
   */
  #strike(): void {
    const [planned] = this.#planned;
    if (planned === undefined || this.#killedAtMs !== null) return;
    const sinceOpeningMs = (nowUs() - this.#openedUs) / 1000;
    if (!this.#isReadyFor(planned, sinceOpeningMs)) return;
    if (planned.condition === 'expirations') this.#watcher?.ask();
    if (!isMet(planned, this.#moment(sinceOpeningMs), this.#options.unansweredLeast)) {
      this.#metSinceMs = null;
      return;
    }
    this.#metSinceMs ??= sinceOpeningMs;
    if (sinceOpeningMs - this.#metSinceMs < planned.delayMs) return;
    this.#killedAtMs = sinceOpeningMs;
    this.#server.kill();
  }

  /** Its time has come, and every client has been heard of in this life of the server. */
  #isReadyFor(planned: PlannedKill, sinceOpeningMs: number): boolean {
    const settled = this.#life === 0 || performance.now() >= this.#welcomedMs + SETTLE_MS;
    return settled && sinceOpeningMs >= planned.fromMs && this.#clients.allConnected(this.#life);
  }

  #moment(sinceOpeningMs: number): Moment {
    const {checkpoint, checkpointsFinished} = this.#server;
    const checkpointed = checkpointsFinished > 0 || performance.now() > this.#welcomedMs + CHECKPOINTED_MS;
    return {sinceOpeningMs, totals: this.#clients.totals, checkpoint, checkpointed, watched: this.#watched};
  }

  /** Sees what a kill left behind, whether it counts, and starts the next server. */
  async #afterKill(killedAtMs: number): Promise<void> {
    const [planned] = this.#planned;
    if (planned === undefined) return;
    const slotBefore = this.#watched?.slot ?? 0;
    const exit = await this.#server.exited;
    if (exit.signal !== 'SIGKILL') {
      this.fail(`the server ended by itself (${exit.signal ?? exit.code})`);
      return;
    }
    const unanswered = await this.#clients.lost(this.#life);
    await this.#watcher?.close();
    this.#log.advance();
    const due = planned.condition === 'expirations' ? this.#dueHolds(slotBefore) : {dueHolds: 0, slot: slotBefore};
    const snapshots = readdirSync(join(this.#options.server.dataDir, 'snapshots'));
    const aftermath = {
      unanswered,
      checkpoint: this.#server.checkpoint,
      unfinishedSnapshots: snapshots.filter(name => name.endsWith('.tmp')),
      ...due,
    };
    const {condition} = planned;
    const proof = proofOf(condition, aftermath, this.#options.unansweredLeast);
    const {lastLsn} = this.#log;
    this.#kills.push({condition, atMs: killedAtMs, lastLsn, logDigest: this.#log.digest(), aftermath, proof});
    this.#progress.killed(this.#kills.length, condition, aftermath, proof);
    this.#planned.shift();
    if (proof === null) this.#planned.unshift({...planned, fromMs: killedAtMs + AGAIN_MS});
    if (this.#kills.length >= KILLS_MAX) this.fail(`after ${KILLS_MAX} kills some moments were still not met`);
    await this.#restart();
  }

  /** Holds that the log shows open although their deadline slot had come: a slot that the server had told or logged. */
  #dueHolds(slotTold: number): {dueHolds: number; slot: number} {
    const history = new History(this.#options.rules, new Findings());
    for (const record of new LogSource(this.#walDir).read()) history.apply(record);
    const slot = Math.max(slotTold, history.lastSlot);
    return {dueHolds: history.dueCount(slot), slot};
  }

  async #restart(): Promise<void> {
    this.#checkpointsFinished += this.#server.checkpointsFinished;
    this.#server = await ServerProcess.start(this.#options.server);
    this.#life++;
    this.#killedAtMs = null;
    this.#metSinceMs = null;
    this.#recoveries.push(this.#server.recovery);
    this.#progress.recovered(this.#server.recovery);
    await this.#welcome();
  }
}
