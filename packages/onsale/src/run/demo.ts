/**
 * The demo from beginning to end: a fresh directory, a server, seats, clients, the sale, and the audit of what is left.
 * It leaves nothing behind but what it was asked to keep, whatever ends it.
 */
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {CONDITIONS, type Condition, type DemoOptions, feasibleKills} from '../arguments.ts';
import type {ApiView} from '../audit/api_audit.ts';
import {type AuditResult, audit, checkVerdict} from '../audit/auditor.ts';
import type {Rules} from '../audit/history.ts';
import {LogSource} from '../audit/log_source.ts';
import {readLedger} from '../ledger.ts';
import type {Setup} from '../messages.ts';
import {renderReport} from '../report.ts';
import {parseSeatMap, type Seat, seatName, seatResource} from '../seat_map.ts';
import {PARTY_MAX, type SaleSettings, saleSettings, serverConfig} from '../settings.ts';
import {readApi} from './api_reader.ts';
import {createSeats} from './box_office.ts';
import {ClientProcesses} from './client_processes.ts';
import {DemoFailure} from './failure.ts';
import {planKills} from './kills.ts';
import {CONDITION_NAMES, grouped, Progress} from './progress.ts';
import {Sale, type SaleFacts} from './sale.ts';
import {killServers, type ServerOptions, ServerProcess, verifyDirectory} from './server_process.ts';

/** The longest that the whole demo may take; beyond it something hangs. */
const DEMO_MAX_MS = 180_000;
/** Small and slow checkpoints, so that they happen within the sale and last long enough to be hit. */
const CHECKPOINT_EVERY_MIB = {least: 1, most: 4, buyersPerMib: 10_000};
const CHECKPOINT_MIB_PER_SECOND = 8;
/** Requests on their way, in all, when a rush is on; several times what the first kill wants. */
const WINDOW_TOTAL = 2048;

/** The ledger that is not a buyer's. */
const BOX_OFFICE_LEDGER = 'box_office.jsonl';

/** Runs the demo; true when the auditor found nothing. Rejects when it cannot be run. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const seatsFile = options.seatsFile ?? fileURLToPath(new URL('../../data/hall.csv', import.meta.url));
  const seats = parseSeatMap(readFileSync(seatsFile, 'utf8'), options.seatsFile ?? basename(seatsFile));
  const kills = feasibleKills(options, seats.length);
  const dir = mkdtempSync(join(tmpdir(), 'allocdb-onsale-'));
  const demo = new Demo({...options, seatsFile}, kills, seats, dir);
  const cleanUp = (): void => {
    killServers();
    demo.clients.kill();
    if (!options.keep) rmSync(dir, {recursive: true, force: true});
  };
  process.once('exit', cleanUp);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      console.error(`ended by ${signal}`);
      process.exit(1);
    });
  }
  return demo.run();
}

/** What was asked for, with the seat map decided. */
type SaleOrder = DemoOptions & {readonly seatsFile: string};

class Demo {
  readonly clients: ClientProcesses;
  readonly #options: SaleOrder;
  readonly #seats: readonly Seat[];
  readonly #resources: readonly string[];
  readonly #dir: string;
  readonly #settings: SaleSettings;
  readonly #rules: Rules;
  readonly #server: ServerOptions;
  readonly #progress: Progress;
  readonly #kills: readonly Condition[];
  #createMs: number = 0;
  #abort: (reason: Error) => void = () => undefined;

  constructor(options: SaleOrder, kills: readonly Condition[], seats: readonly Seat[], dir: string) {
    this.#options = options;
    this.#kills = kills;
    this.#seats = seats;
    this.#resources = seats.map(seatResource);
    this.#dir = dir;
    const window = Math.ceil(Math.max(WINDOW_TOTAL, 3 * options.unanswered) / options.clients);
    this.#settings = saleSettings(options.seed, options.buyers, window);
    const {invoiceSlots, slotMs} = this.#settings;
    this.#rules = {maxTtlSlots: invoiceSlots, maxBundleSize: Math.min(PARTY_MAX, seats.length), slotMs};
    this.#server = {
      dataDir: join(dir, 'data'),
      configFile: join(dir, 'config.json'),
      logFile: join(dir, 'server.log'),
      slotMs,
      checkpointEveryMib: checkpointEveryMib(options.buyers),
      checkpointMibPerSecond: CHECKPOINT_MIB_PER_SECOND,
    };
    this.#progress = new Progress(seats.length);
    this.clients = new ClientProcesses(reason => this.#abort(new DemoFailure(reason)));
  }

  async run(): Promise<boolean> {
    const aborted = new Promise<never>((_, reject) => {
      this.#abort = reject;
    });
    const late = new DemoFailure(`the demo did not end within ${DEMO_MAX_MS / 1000} s`);
    const timer = setTimeout(() => this.#abort(late), DEMO_MAX_MS);
    try {
      return await Promise.race([this.#run(), aborted]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #run(): Promise<boolean> {
    const {seed, buyers, keep} = this.#options;
    this.#progress.say(`An on-sale: ${this.#hall()}, ${grouped(buyers)} buyers, seed ${seed}.`);
    for (const condition of this.#options.kills === null ? CONDITIONS : []) {
      if (!this.#kills.includes(condition)) this.#progress.say(`Too small for a kill ${CONDITION_NAMES[condition]}.`);
    }
    if (keep) this.#progress.say(`Everything is kept in ${this.#dir}.`);
    const facts = await this.#sell();
    if (facts.failure !== null) throw new DemoFailure(facts.failure);
    this.#progress.say('The sale is over; the auditor reads API, ledgers and log.');
    const started = performance.now();
    const api = await this.#readApi();
    const verifying = verifyDirectory(this.#server.dataDir);
    const result = this.#audit(facts, api);
    const server = await verifying;
    checkVerdict(result, {
      ok: server['ok'] === true,
      lsn: Number(server['lsn']),
      resources: Number(server['resources']),
      text: JSON.stringify(server['problems'] ?? server),
    });
    const report = renderReport({
      seed,
      buyers,
      clients: this.#options.clients,
      hall: this.#hall(),
      sale: facts,
      audit: result,
      digest: String(server['digest']),
      createMs: this.#createMs,
      auditMs: performance.now() - started,
    });
    this.#progress.say(report);
    return result.findings.violationCount === 0;
  }

  #hall(): string {
    const sections = new Set(this.#seats.map(seat => seat.section)).size;
    return `${grouped(this.#seats.length)} seats in ${grouped(sections)} sections`;
  }

  async #sell(): Promise<SaleFacts> {
    const {options, settings} = {options: this.#options, settings: this.#settings};
    mkdirSync(join(this.#dir, 'ledgers'));
    writeFileSync(this.#server.configFile, JSON.stringify(serverConfig(settings, this.#seats.length), null, 2));
    const clients = this.clients.start(this.#setups());
    const server = await ServerProcess.start(this.#server);
    const started = performance.now();
    await createSeats(server.port, options.seed, this.#resources, this.#ledger(BOX_OFFICE_LEDGER));
    this.#createMs = performance.now() - started;
    await clients;
    this.#progress.say('The seats are on sale, the doors open.');
    const sale = new Sale(
      {
        settings,
        rules: this.#rules,
        server: this.#server,
        unansweredLeast: options.unanswered,
        kills: planKills(this.#kills, settings),
      },
      server,
      this.clients,
      this.#progress,
    );
    const facts = await sale.run();
    if (facts.failure !== null) return facts;
    await this.clients.finish();
    await stopServer(sale.server);
    return facts;
  }

  #setups(): Setup[] {
    const {clients} = this.#options;
    return Array.from({length: clients}, (_, client) => ({
      type: 'setup',
      settings: this.#settings,
      seatsFile: this.#options.seatsFile,
      ledgerFile: this.#ledger(ledgerName(client)),
      client,
      clients,
    }));
  }

  #ledger(name: string): string {
    return join(this.#dir, 'ledgers', name);
  }

  /** Over a connection to a server that was started once more and recovered everything from disk. */
  async #readApi(): Promise<ApiView> {
    const server = await ServerProcess.start(this.#server);
    const view = await readApi(server.port, this.#resources);
    await stopServer(server);
    return view;
  }

  #audit(facts: SaleFacts, api: ApiView): AuditResult {
    const names = Array.from({length: this.#options.clients}, (_, client) => ledgerName(client));
    const ledgers = [BOX_OFFICE_LEDGER, ...names].map(name => ({
      lines: readLedger(this.#ledger(name), name),
      timed: name !== BOX_OFFICE_LEDGER,
    }));
    return audit({
      rules: this.#rules,
      seats: this.#seats.map((seat, i) => ({id: this.#resources[i] ?? '', name: seatName(seat)})),
      log: new LogSource(join(this.#server.dataDir, 'wal')),
      ledgers,
      crashes: facts.kills,
      api,
    });
  }
}

function ledgerName(client: number): string {
  return `client_${client + 1}.jsonl`;
}

function checkpointEveryMib(buyers: number): number {
  const {least, most, buyersPerMib} = CHECKPOINT_EVERY_MIB;
  return Math.min(most, Math.max(least, Math.floor(buyers / buyersPerMib)));
}

async function stopServer(server: ServerProcess): Promise<void> {
  const {code, signal} = await server.stop();
  if (code !== 0) throw new DemoFailure(`asked to stop, the server ended with ${signal ?? code}`);
}
