/**
 * A campaign of abuse against the real server in a process of its own, in rounds: for a while only the honest client is
 * there, then random and changed frames come over several connections at once, with requests of HTTP beside them, and the
 * honest client goes on by its schedule. Quiet and abuse take turns in the same processes, so that what else the machine
 * does, and how warm the server is, meets both alike. Every case is judged; the first that breaks a promise is made small
 * and told with its bytes. So is memory: what the server needs must not grow from round to round.
 *
 * A seed is a run of so many frames. Not here: cases and their judge (`../abuse_cases.ts`, `../abuse_session.ts`).
 */
import {spawnSync} from 'node:child_process';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {Role} from '../../src/index.ts';
import {type AbuseCase, caseOf} from '../abuse_cases.ts';
import {httpCaseOf, requestsOf} from '../abuse_http_cases.ts';
import {runHttpCase} from '../abuse_http_session.ts';
import {AbuseServer, connectionsAt, ROOMY} from '../abuse_server_process.ts';
import {type AbuseTarget, describeCase, runCase, shrunk} from '../abuse_session.ts';
import {TokenFile} from '../access_tokens.ts';
import {pause, startScript, withDeadline} from '../command.ts';
import {OpenApiDocument, type Part} from '../openapi_document.ts';
import type {HonestOrder, HonestPhase} from './abuse_honest_program.ts';

const HONEST = fileURLToPath(new URL('abuse_honest_program.ts', import.meta.url));
const SLOT_MS = 100;
const AT_ONCE = 12;
const HTTP_AT_ONCE = 2;
const DRAWN_EACH = 60;
/** Steps a second of the honest client. */
const HONEST_RATE = 200;
const PHASE_MS = 120_000;
const SETTLE_MS = 300;
/** Bytes from the first rounds to the last: more than what is compiled and cached comes to, less than a byte for each sent. */
const GROWTH_MAX: number = 3 << 20;
const LIMITS = {maxFrameBytes: 64 << 10, maxBatch: 3, drainMs: 10_000};

/** A promise that did not hold. */
export class AbuseViolation extends Error {}

export interface AbuseOptions {
  /** Frames that are sent, more or less; a case is brought to its end. */
  readonly frames: number;
  /** How often quiet and abuse take turns; each abuse is its part of the frames. */
  readonly rounds: number;
  /** How long the honest client is measured before each abuse. */
  readonly undisturbedMs: number;
  /** Asked between cases: whether to end before all frames were sent. */
  readonly isOver: () => boolean;
  /** Told now and then what was added. */
  readonly report: (counts: Record<string, number>) => void;
  /** A fault of the finder's own test. */
  readonly tamper?: AbuseTarget['tamper'];
}

/** What is known at the end of a run. */
export interface AbuseEnd {
  /** By round. */
  readonly undisturbed: readonly HonestPhase[];
  /** By round; as many, but for a run that was ended early. */
  readonly abused: readonly HonestPhase[];
  readonly rssBefore: number;
  readonly rssAfter: number;
  readonly rssPeak: number;
  /** Bytes that the server needed after each round. */
  readonly live: readonly number[];
}

/** Runs one seed. Throws {@link AbuseViolation} where a promise broke. The caller removes what was made with `cleanUp`. */
export async function runAbuse(seed: number, options: AbuseOptions): Promise<AbuseEnd> {
  const file = new TokenFile({name: 'write', role: 'write'}, {name: 'operate', role: 'operate'});
  const tokens = {write: file.tokenOf('write'), operate: file.tokenOf('operate')};
  const start = (): Promise<AbuseServer> =>
    AbuseServer.start({slotMs: SLOT_MS, capacities: ROOMY, maxConnections: 1000, tokenFile: file.path, limits: LIMITS});
  const server = await start();
  const roleOf = (token: string): Role | null =>
    token === tokens.write ? 'write' : token === tokens.operate ? 'operate' : null;
  const rules = {maxFrameBytes: LIMITS.maxFrameBytes, maxBatch: LIMITS.maxBatch, roleOf};
  const {tamper} = options;
  const target = {port: server.port, rules, ...(tamper === undefined ? {} : {tamper})};
  const honest = new Honest({port: server.port, token: tokens.write, rate: HONEST_RATE});
  const abuse = await Abuse.prepare(seed, {...options, target, tokens, server});
  const takeBack = giveWay();
  const [undisturbed, abused, live]: [HonestPhase[], HonestPhase[], number[]] = [[], [], []];
  const rssBefore = server.residentBytes();
  for (let round = 1; round <= options.rounds && !options.isOver(); round++) {
    // What is left of the last abuse, or of the start, counts for neither.
    await pause(SETTLE_MS);
    await honest.phase();
    await pause(options.undisturbedMs);
    undisturbed.push(await honest.phase());
    await abuse.run((options.frames * round) / options.rounds);
    const measured = await honest.phase();
    abused.push(measured);
    const wrong = measured.wrong.length === 0 ? null : `an honest answer is wrong: ${measured.wrong.join('; ')}`;
    const fault = abuse.fault ?? (server.end === null ? wrong : `the server ended: ${server.lines.join('\n')}`);
    if (fault !== null) {
      throw new AbuseViolation(`seed ${seed}: ${fault}\n${await smallest(abuse.suspects, target, server, start)}`);
    }
    live.push(await server.liveBytes());
  }
  const growth = growthOf(live);
  if (growth > GROWTH_MAX) {
    throw new AbuseViolation(
      `seed ${seed}: the server needs more memory from round to round, in bytes ${live.join(', ')}`,
    );
  }
  await abuse.tellEnds();
  honest.close();
  takeBack();
  const rssAfter = server.residentBytes();
  const end = await server.stop();
  if (end.code !== 0) throw new AbuseViolation(`seed ${seed}: the server stopped with ${JSON.stringify(end)}`);
  return {undisturbed, abused, rssBefore, rssAfter, rssPeak: abuse.rssPeak, live};
}

/**
 * Whoever abuses a server does so from another machine: what it costs to make the frames is not to be taken from the
 * server's time. So this process runs only where server and honest client leave a processor idle; a nicer priority would
 * not do, because a system lets even the nicest finish its slice of milliseconds. What is started for the next seed has the
 * ordinary policy again. Without `chrt`, or leave to use it, all of them have the same.
 */
function giveWay(): () => void {
  const setPolicy = (policy: '--idle' | '--other'): void => {
    spawnSync('chrt', ['--all-tasks', policy, '--pid', '0', String(process.pid)], {stdio: 'ignore'});
  };
  setPolicy('--idle');
  return () => setPolicy('--other');
}

/**
 * How much more was needed after both of the last two rounds than after either of the first two, in which all that is kept
 * for good is made. What one round happens to keep a little longer is no growth.
 */
function growthOf(live: readonly number[]): number {
  return Math.min(...live.slice(-2)) - Math.max(...live.slice(0, 2));
}

/** The case that broke the promise, made small: of those that were under way the first that does it again. */
async function smallest(
  suspects: readonly AbuseCase[],
  target: AbuseTarget,
  server: AbuseServer,
  start: () => Promise<AbuseServer>,
): Promise<string> {
  if (suspects.length === 0) return '';
  let current = server;
  const fails = async (abuse: AbuseCase): Promise<boolean> => {
    if (current.end !== null) current = await start();
    const {fault} = await runCase({...target, port: current.port}, abuse);
    // A server that falls does so when it has said its last.
    await pause(50);
    return fault !== null || current.end !== null;
  };
  for (const suspect of suspects) {
    if (await fails(suspect)) return describeCase(await shrunk(suspect, fails));
  }
  const seeds = suspects.map(({seed}) => seed).join(', ');
  return `none of the cases that were under way fails alone: ${seeds}`;
}

interface AbuseParts extends AbuseOptions {
  readonly target: AbuseTarget;
  readonly tokens: Readonly<Record<'write' | 'operate', string>>;
  readonly server: AbuseServer;
}

/** Sends cases until enough frames were sent, or one broke a promise. */
class Abuse {
  fault: string | null = null;
  /** Cases that were under way when it broke. */
  suspects: readonly AbuseCase[] = [];
  rssPeak: number = 0;
  readonly #seed: bigint;
  readonly #parts: AbuseParts;
  readonly #underWay: Set<AbuseCase> = new Set();
  readonly #drawn: Parameters<typeof httpCaseOf>[1];
  #bound: number = 0;
  #frames: number = 0;
  #next: number = 0;
  #nextHttp: bigint = 0n;

  /** Reads of the server what its HTTP port can be asked. */
  static async prepare(seed: number, parts: AbuseParts): Promise<Abuse> {
    const {server, tokens} = parts;
    const authorization = `Bearer ${tokens.operate}`;
    const response = await fetch(`http://127.0.0.1:${server.httpPort}/openapi.json`, {headers: {authorization}});
    const document = new OpenApiDocument((await response.json()) as Part);
    const drawn = requestsOf(document, seed, DRAWN_EACH);
    // Whoever may do nothing gets no further than that: most of them may write.
    const authorized = drawn.map((request, i) => (i % 5 === 0 ? request : {...request, token: tokens.write}));
    return new Abuse(seed, parts, authorized);
  }

  private constructor(seed: number, parts: AbuseParts, drawn: Parameters<typeof httpCaseOf>[1]) {
    this.#seed = BigInt(seed) << 32n;
    this.#parts = parts;
    this.#drawn = drawn;
  }

  /** Goes on until so many frames were sent since the first. */
  async run(frames: number): Promise<void> {
    this.#bound = frames;
    await Promise.all([
      ...Array.from({length: AT_ONCE}, () => this.#overTcp()),
      ...Array.from({length: HTTP_AT_ONCE}, () => this.#overHttp()),
    ]);
  }

  /** Reports with what the server says that it has ended connections. */
  async tellEnds(): Promise<void> {
    const {server, tokens, report} = this.#parts;
    const {ends} = await connectionsAt(server.httpPort, tokens.operate);
    report(Object.fromEntries(Object.entries(ends).map(([reason, count]) => [`end_${reason}`, count])));
  }

  #isOver(): boolean {
    return this.fault !== null || this.#frames >= this.#bound || this.#parts.isOver();
  }

  async #overTcp(): Promise<void> {
    const {target, tokens, server, report} = this.#parts;
    while (!this.#isOver()) {
      const number = this.#next++;
      // Whoever may overrule others names nobody else: honest holds stay what they are.
      const role = number % 2 === 0 ? 'write' : 'operate';
      const abuse = caseOf(this.#seed | BigInt(number), tokens[role], role === 'write');
      this.#frames += abuse.pieces.length;
      this.#underWay.add(abuse);
      const {fault, frames, answers, end} = await runCase(target, abuse);
      if (fault !== null) this.#broke(`${fault}\n${describeCase(abuse)}`, [...this.#underWay]);
      this.#underWay.delete(abuse);
      report({frames: abuse.pieces.length, read: frames, answers, connections: 1, [`told_${end}`]: 1});
      if (number % 100 === 0 && server.end === null) {
        this.rssPeak = Math.max(this.rssPeak, server.residentBytes());
      }
    }
  }

  async #overHttp(): Promise<void> {
    const {server, report} = this.#parts;
    while (!this.#isOver()) {
      const abuse = httpCaseOf(this.#seed | this.#nextHttp++, this.#drawn);
      const {fault, responses} = await runHttpCase(server.httpPort, abuse);
      if (fault !== null) this.#broke(`HTTP: ${fault}\n${describeCase(abuse)}`, []);
      report({httpRequests: abuse.pieces.length, httpAnswers: responses.length});
    }
  }

  #broke(fault: string, suspects: readonly AbuseCase[]): void {
    this.suspects = this.fault === null ? suspects : this.suspects;
    this.fault ??= fault;
  }
}

/** The program of the honest client. */
class Honest {
  readonly #child: ReturnType<typeof startScript>;
  readonly #lines: AsyncIterator<string>;
  #errors: string = '';

  constructor(order: HonestOrder) {
    this.#child = startScript(HONEST, [JSON.stringify(order)]);
    this.#lines = createInterface({input: this.#child.stdout})[Symbol.asyncIterator]();
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#errors += chunk;
    });
  }

  /** Ends a phase: what was measured in it. */
  async phase(): Promise<HonestPhase> {
    this.#child.stdin.write('phase\n');
    const {value, done} = await withDeadline(this.#lines.next(), 'the honest client', PHASE_MS);
    if (done === true) throw new AbuseViolation(`the honest client has ended: ${this.#errors}`);
    return JSON.parse(value) as HonestPhase;
  }

  close(): void {
    this.#child.stdin.end();
  }
}
