/**
 * What happened, rebuilt from the log alone: plain maps, one record after another, by the rules that the documentation
 * promises. It shares nothing with the machine that executed the commands, so that a fault there cannot hide here.
 *
 * It remembers every state that every seat ever had, because answers are about moments. Tables are taken as large enough:
 * a command refused for lack of room is a fault of the demo's configuration and shows as an answer without cause.
 */
import type {CommandFacts} from '../ledger.ts';
import type {Findings} from './findings.ts';
import type {LogRecord} from './log_command.ts';

/** What the database was configured with, as far as answers depend on it. */
export interface Rules {
  readonly maxTtlSlots: number;
  readonly maxBundleSize: number;
  readonly slotMs: number;
}

/** A state of a seat; its version is its place in the seat's list. */
export interface Moment {
  readonly lsn: number;
  readonly state: string;
  readonly lease: string | null;
}

/** A reservation. */
export interface Lease {
  readonly id: string;
  readonly holder: string;
  readonly seats: readonly string[];
  readonly createdLsn: number;
  readonly deadline: number;
  readonly ttl: number;
  /** The operation that made it. */
  readonly operation: string;
  state: 'reserved' | 'confirmed' | 'released' | 'expired';
  epoch: number;
}

/** An operation in the log, what its answer must be, and what its sender wrote about it. */
export interface Executed {
  readonly operation: string;
  readonly lsn: number;
  readonly command: CommandFacts;
  readonly result: string;
  readonly granted: string | null;
  readonly deadline: number | null;
  answers: number;
  /** Infinity until an answer tells. */
  firstSentUs: number;
}

/** Result, and reservation and deadline where one was granted. */
interface Outcome {
  readonly result: string;
  readonly lease?: Lease;
}

const AVAILABLE = 'available';

export class History {
  readonly seats: Map<string, Moment[]> = new Map();
  readonly leases: Map<string, Lease> = new Map();
  readonly operations: Map<string, Executed> = new Map();
  /** Each expiration: its lsn and what ended. */
  readonly expirations: {readonly lsn: number; readonly lease: Lease}[] = [];
  lastLsn: number = 0;
  lastSlot: number = 0;
  readonly #rules: Rules;
  readonly #findings: Findings;

  constructor(rules: Rules, findings: Findings) {
    this.#rules = rules;
    this.#findings = findings;
  }

  apply(record: LogRecord): void {
    const {lsn, slot, content} = record;
    const findings = this.#findings;
    findings.check('log_order', lsn === this.lastLsn + 1, () => `lsn ${lsn} follows lsn ${this.lastLsn}`);
    findings.check('log_order', slot >= this.lastSlot, () => `lsn ${lsn} is of slot ${slot}, behind ${this.lastSlot}`);
    this.lastLsn = lsn;
    this.lastSlot = Math.max(slot, this.lastSlot);
    if (content.type === 'command') this.#execute(lsn, slot, content.operation, content.command);
    else if (content.type === 'expire') this.#expire(lsn, slot, content.lease, content.deadline);
    else findings.check('log_order', false, () => `lsn ${lsn} is ${content.why}`);
  }

  /** The seat as it is after the last record, or null. */
  seatNow(seat: string): Moment | null {
    return this.seats.get(seat)?.at(-1) ?? null;
  }

  /** Holds that should have ended at this slot and have not. */
  dueCount(slot: number): number {
    let count = 0;
    for (const lease of this.leases.values()) {
      if (lease.state === 'reserved' && lease.deadline <= slot) count++;
    }
    return count;
  }

  #execute(lsn: number, slot: number, operation: string, command: CommandFacts): void {
    const before = this.operations.get(operation);
    const once = this.#findings.check(
      'operation_once',
      before === undefined,
      () => `operation ${operation} is at lsn ${before?.lsn} and again at lsn ${lsn}`,
    );
    if (!once) return;
    const {result, lease} = this.#outcome(lsn, slot, operation, command);
    this.operations.set(operation, {
      operation,
      lsn,
      command,
      result,
      granted: lease?.id ?? null,
      deadline: lease?.deadline ?? null,
      answers: 0,
      firstSentUs: Number.POSITIVE_INFINITY,
    });
  }

  #outcome(lsn: number, slot: number, operation: string, command: CommandFacts): Outcome {
    switch (command.kind) {
      case 'create_resource':
        return {result: this.#create(lsn, command.seats[0] ?? '')};
      case 'reserve':
      case 'reserve_bundle':
        return this.#reserve(lsn, slot, operation, command);
      case 'confirm':
      case 'confirm_fenced':
        return {result: this.#confirm(lsn, command)};
      default:
        return {result: this.#release(lsn, command)};
    }
  }

  #create(lsn: number, seat: string): string {
    if (this.seats.has(seat)) return 'already_exists';
    this.seats.set(seat, [{lsn, state: AVAILABLE, lease: null}]);
    return 'ok';
  }

  #reserve(lsn: number, slot: number, operation: string, command: CommandFacts): Outcome {
    const {seats, holder, ttl} = command;
    const {maxBundleSize, maxTtlSlots} = this.#rules;
    if (seats.length === 0 || seats.length > maxBundleSize) return {result: 'bundle_too_large'};
    if (ttl === null || ttl === 0 || ttl > maxTtlSlots) return {result: 'ttl_out_of_range'};
    for (const [i, seat] of seats.entries()) {
      if (seats.indexOf(seat) < i) return {result: 'resource_busy'};
      const now = this.seatNow(seat);
      if (now === null) return {result: 'resource_not_found'};
      if (now.state !== AVAILABLE) return {result: 'resource_busy'};
    }
    const id = lsn.toString(16).padStart(32, '0');
    const made = {id, holder: holder ?? '', seats, createdLsn: lsn, deadline: slot + ttl, ttl, operation};
    const lease: Lease = {...made, state: 'reserved', epoch: 1};
    this.leases.set(id, lease);
    this.#move(lsn, lease, 'reserved');
    return {result: 'ok', lease};
  }

  /** The reservation that a command may act on, or why not. */
  #heldBy(command: CommandFacts): Lease | string {
    const lease = this.leases.get(command.lease ?? '');
    if (lease === undefined) return 'reservation_not_found';
    if (lease.state === 'released' || lease.state === 'expired') return 'reservation_retired';
    if (lease.holder !== command.holder) return 'holder_mismatch';
    if (command.epoch !== null && command.epoch !== lease.epoch) return 'stale_epoch';
    return lease;
  }

  #confirm(lsn: number, command: CommandFacts): string {
    const lease = this.#heldBy(command);
    if (typeof lease === 'string') return lease;
    if (lease.state !== 'reserved') return 'invalid_state';
    lease.state = 'confirmed';
    this.#move(lsn, lease, 'confirmed');
    return 'ok';
  }

  #release(lsn: number, command: CommandFacts): string {
    const lease = this.#heldBy(command);
    if (typeof lease === 'string') return lease;
    lease.state = 'released';
    lease.epoch++;
    this.#move(lsn, lease, AVAILABLE);
    return 'ok';
  }

  #expire(lsn: number, slot: number, id: string, deadline: number): void {
    const lease = this.leases.get(id);
    const wrong = (): string | null => {
      if (lease === undefined) return 'there is no such reservation';
      if (lease.deadline !== deadline) return `its deadline is slot ${lease.deadline}, not ${deadline}`;
      if (slot < deadline) return `its deadline is slot ${deadline}, and this is slot ${slot}`;
      return lease.state === 'reserved' ? null : `it is ${lease.state}`;
    };
    const why = wrong();
    this.#findings.check('expire_late', why === null, () => `lsn ${lsn} expires reservation ${id}, but ${why}`);
    if (lease === undefined || lease.state !== 'reserved') return;
    lease.state = 'expired';
    lease.epoch++;
    this.expirations.push({lsn, lease});
    this.#move(lsn, lease, AVAILABLE);
  }

  #move(lsn: number, lease: Lease, state: string): void {
    const owner = state === AVAILABLE ? null : lease.id;
    for (const seat of lease.seats) this.seats.get(seat)?.push({lsn, state, lease: owner});
  }
}
