/**
 * A small sale that never was: a log, ledgers and an API that agree with each other, made by hand in a test and then
 * tampered with. It knows the rules only as far as its own script needs them: who writes it says what each command
 * answers, so that it cannot share a mistake with the auditor.
 */
import type {ApiLease, ApiSeat} from '../src/audit/api_audit.ts';
import {type AuditInput, type AuditResult, audit, checkVerdict} from '../src/audit/auditor.ts';
import type {Crash} from '../src/audit/ledger_audit.ts';
import type {LogContent, LogRecord} from '../src/audit/log_command.ts';
import type {AnswerEntry, CommandFacts, LedgerEntry, LookEntry} from '../src/ledger.ts';

const NOTHING = {seats: [], holder: null, lease: null, ttl: null, epoch: null} as const;
const SLOT_US = 50_000;

export type Mutable<T> = {-readonly [Key in keyof T]: T[Key]};

export function id(number: number): string {
  return number.toString(16).padStart(32, '0');
}

interface Told {
  readonly result?: string;
  readonly granted?: string | null;
  readonly deadline?: number | null;
}

export class World {
  readonly records: Mutable<LogRecord>[] = [];
  readonly entries: LedgerEntry[] = [];
  readonly crashes: Mutable<Crash>[] = [];
  readonly apiSeats: Map<string, ApiSeat | null> = new Map();
  readonly apiLeases: Map<string, ApiLease | null> = new Map();
  verdict = {ok: true, lsn: 0, resources: 0, text: ''};
  slot: number = 0;
  #operations: number = 1000;
  #us: number = 1_000_000;

  get lastLsn(): number {
    return this.records.at(-1)?.lsn ?? 0;
  }

  /** Lets so many slots pass, on every clock. */
  pass(slots: number): void {
    this.slot += slots;
    this.#us += slots * SLOT_US;
  }

  /** Executes a command and tells its sender. */
  command(command: Partial<CommandFacts> & {kind: string}, told: Told = {}): string {
    const operation = this.unanswered(command);
    this.answer(operation, command, told);
    return operation;
  }

  /** Executes a command and tells nobody. */
  unanswered(command: Partial<CommandFacts> & {kind: string}): string {
    const operation = id(this.#operations++);
    this.log({type: 'command', operation, command: {...NOTHING, ...command}});
    return operation;
  }

  /** Tells the sender of the last command, or of this one. */
  answer(operation: string, command: Partial<CommandFacts> & {kind: string}, told: Told = {}): void {
    const logged = this.records.find(({content}) => content.type === 'command' && content.operation === operation);
    const again = this.entries.some(entry => entry.entry === 'answer' && entry.operation === operation);
    const last = this.crashes.at(-1)?.lastLsn ?? 0;
    this.entries.push({
      entry: 'answer',
      ...this.#times(),
      operation,
      command: {...NOTHING, ...command},
      result: told.result ?? 'ok',
      lsn: logged?.lsn ?? 0,
      granted: told.granted ?? null,
      deadline: told.deadline ?? null,
      cached: again || (logged?.lsn ?? 0) <= last,
    });
  }

  reserve(seats: readonly string[], holder: string, ttl: number = 60): string {
    const lease = id(this.lastLsn + 1);
    const kind = seats.length === 1 ? 'reserve' : 'reserve_bundle';
    this.command({kind, seats, holder, ttl}, {granted: lease, deadline: this.slot + ttl});
    return lease;
  }

  look(seat: string, state: string, lease: string | null, version: number): void {
    this.entries.push({entry: 'look', ...this.#times(), seat, state, lease, version});
  }

  expire(lease: string, deadline: number): void {
    this.log({type: 'expire', lease, deadline});
  }

  log(content: LogContent): void {
    this.records.push({lsn: this.lastLsn + 1, slot: this.slot, content});
  }

  crash(lost: readonly (string | null)[] = []): void {
    for (const operation of lost) this.entries.push({entry: 'lost', life: this.crashes.length, operation});
    this.crashes.push({lastLsn: this.lastLsn, logDigest: digestOf(this.records)});
  }

  answerOf(operation: string): Mutable<AnswerEntry> {
    const found = this.entries.find(entry => entry.entry === 'answer' && entry.operation === operation);
    if (found?.entry !== 'answer') throw new Error(`no answer to ${operation}`);
    return found;
  }

  lookAt(seat: string): Mutable<LookEntry> {
    const found = this.entries.find(entry => entry.entry === 'look' && entry.seat === seat);
    if (found?.entry !== 'look') throw new Error(`no look at ${seat}`);
    return found;
  }

  audit(): AuditResult {
    let read: readonly LogRecord[] = [];
    const {records} = this;
    const input: AuditInput = {
      rules: {maxTtlSlots: 100, maxBundleSize: 4, slotMs: 50},
      seats: [...this.apiSeats.keys()].map(seat => ({id: seat, name: `seat ${Number(`0x${seat}`)}`})),
      log: {
        *read() {
          for (const [i, record] of records.entries()) {
            read = records.slice(0, i + 1);
            yield record;
          }
        },
        digest: () => digestOf(read),
      },
      ledgers: [{timed: true, lines: this.entries.map((entry, i) => ({place: `ledger:${i + 1}`, entry}))}],
      crashes: this.crashes,
      api: {seats: this.apiSeats, leases: this.apiLeases},
    };
    const result = audit(input);
    checkVerdict(result, this.verdict);
    return result;
  }

  #times(): {life: number; sentUs: number; receivedUs: number; sends: number} {
    const sentUs = this.#us;
    this.#us += 1000;
    return {life: this.crashes.length, sentUs, receivedUs: sentUs + 500, sends: 1};
  }
}

function digestOf(records: readonly LogRecord[]): string {
  return JSON.stringify(records);
}

export const SEAT: readonly string[] = [1, 2, 3, 4, 5].map(id);
export const BUYER: readonly string[] = [101, 102, 103, 104].map(id);

const seat = (i: number): string => SEAT[i] ?? '';
const buyer = (i: number): string => BUYER[i] ?? '';

export interface Story {
  readonly world: World;
  readonly sold: string;
  readonly expired: string;
  readonly held: string;
  readonly sale: string;
  readonly refusal: string;
  readonly lost: string;
}

/**
 * Five seats: 1 and 2 sold to buyer 1 as a bundle, 3 held until it expired and then held by buyer 4, 4 given back, 5 never
 * wanted; a crash in between, with one request unanswered.
 */
export function story(): Story {
  const world = new World();
  for (const created of SEAT) world.command({kind: 'create_resource', seats: [created]});
  const sold = world.reserve([seat(0), seat(1)], buyer(0));
  world.look(seat(0), 'reserved', sold, 1);
  const refusal = world.command(
    {kind: 'reserve', seats: [seat(1)], holder: buyer(1), ttl: 60},
    {result: 'resource_busy'},
  );
  const expired = world.reserve([seat(2)], buyer(1));
  const deadline = world.slot + 60;
  const back = world.reserve([seat(3)], buyer(2));
  world.pass(10);
  const release = {kind: 'release_fenced', lease: back, holder: buyer(2), epoch: 1};
  const lost = world.unanswered(release);
  world.crash([lost, null]);
  world.answer(lost, release);
  const confirm = {kind: 'confirm', lease: sold, holder: buyer(0)};
  const sale = world.command(confirm);
  world.answer(sale, confirm);
  world.pass(50);
  world.expire(expired, deadline);
  const held = world.reserve([seat(2)], buyer(3), 100);

  world.apiSeats.set(seat(0), {state: 'confirmed', lease: sold, version: 2});
  world.apiSeats.set(seat(1), {state: 'confirmed', lease: sold, version: 2});
  world.apiSeats.set(seat(2), {state: 'reserved', lease: held, version: 3});
  world.apiSeats.set(seat(3), {state: 'available', lease: null, version: 2});
  world.apiSeats.set(seat(4), {state: 'available', lease: null, version: 0});
  const of = (lease: string, holder: string, state: string, seats: string[], slots: number): void => {
    const createdLsn = Number(`0x${lease}`);
    world.apiLeases.set(lease, {holder, state, epoch: 1, deadline: slots, createdLsn, seats});
  };
  of(sold, buyer(0), 'confirmed', [seat(0), seat(1)], 60);
  of(held, buyer(3), 'reserved', [seat(2)], world.slot + 100);
  world.verdict = {ok: true, lsn: world.lastLsn, resources: SEAT.length, text: ''};
  return {world, sold, expired, held, sale, refusal, lost};
}
