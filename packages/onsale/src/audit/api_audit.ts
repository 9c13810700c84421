/**
 * The API against history and ledgers, at the end: every seat and every live reservation as the server shows them, each
 * sold seat with one owner that lists it, each acknowledged sale with its buyer, and a sum that leaves no seat out.
 */
import type {Findings} from './findings.ts';
import type {History} from './history.ts';

/** A seat as the API shows it; null when it knows none. */
export interface ApiSeat {
  readonly state: string;
  readonly lease: string | null;
  readonly version: number;
}

/** A reservation as the API shows it; null when it knows none. */
export interface ApiLease {
  readonly holder: string;
  readonly state: string;
  readonly epoch: number;
  readonly deadline: number;
  readonly createdLsn: number;
  readonly seats: readonly string[];
}

/** Everything that was read over the API at the end. */
export interface ApiView {
  readonly seats: ReadonlyMap<string, ApiSeat | null>;
  readonly leases: ReadonlyMap<string, ApiLease | null>;
}

/** A seat to be sold: its resource id and what people call it. */
export interface NamedSeat {
  readonly id: string;
  readonly name: string;
}

/** How many seats are in which state. */
export interface SeatSum {
  sold: number;
  held: number;
  free: number;
  all: number;
}

export class ApiAudit {
  readonly #history: History;
  readonly #api: ApiView;
  readonly #findings: Findings;

  constructor(history: History, api: ApiView, findings: Findings) {
    this.#history = history;
    this.#api = api;
    this.#findings = findings;
  }

  checkSeats(seats: readonly NamedSeat[]): SeatSum {
    const sum: SeatSum = {sold: 0, held: 0, free: 0, all: seats.length};
    for (const {id, name} of seats) {
      const shown = this.#api.seats.get(id) ?? null;
      const moments = this.#history.seats.get(id) ?? [];
      const last = moments.at(-1);
      const should = last === undefined ? null : {...last, version: moments.length - 1};
      const same =
        shown !== null &&
        should !== null &&
        shown.state === should.state &&
        shown.lease === should.lease &&
        shown.version === should.version;
      this.#findings.check('api_seat', same, () => `${name} is ${textOf(shown)}, the log makes it ${textOf(should)}`);
      if (shown?.state === 'confirmed') sum.sold++;
      else if (shown?.state === 'reserved') sum.held++;
      else if (shown?.state === 'available') sum.free++;
    }
    const total = sum.sold + sum.held + sum.free;
    const counted = `${sum.sold} sold + ${sum.held} held + ${sum.free} free = ${total}`;
    this.#findings.check('sum', total === sum.all, () => `${counted}, and there are ${sum.all} seats`);
    return sum;
  }

  checkLeases(): void {
    for (const lease of this.#history.leases.values()) {
      if (lease.state === 'released' || lease.state === 'expired') continue;
      const shown = this.#api.leases.get(lease.id) ?? null;
      const same =
        shown !== null &&
        shown.holder === lease.holder &&
        shown.state === lease.state &&
        shown.epoch === lease.epoch &&
        shown.deadline === lease.deadline &&
        shown.createdLsn === lease.createdLsn &&
        shown.seats.join() === lease.seats.join();
      const told = shown === null ? 'not there' : `${shown.state} by ${shown.holder} with ${shown.seats.length} seats`;
      this.#findings.check(
        'api_lease',
        same,
        () =>
          `reservation ${lease.id} is ${told}, the log makes it ${lease.state} by ${lease.holder} with ${lease.seats.length} seats`,
      );
    }
  }

  /** From the API alone: whoever lists a seat owns it, a seat has one owner, and a sold one has one that it names. */
  checkOwners(seats: readonly NamedSeat[]): void {
    const owners = new Map<string, string[]>();
    for (const [id, lease] of this.#api.leases) {
      if (lease === null || (lease.state !== 'confirmed' && lease.state !== 'reserved')) continue;
      for (const seat of lease.seats) owners.set(seat, [...(owners.get(seat) ?? []), id]);
    }
    for (const {id, name} of seats) {
      const listed = owners.get(id) ?? [];
      const shown = this.#api.seats.get(id) ?? null;
      const named = shown?.lease ?? null;
      const right = named === null ? listed.length === 0 : listed.length === 1 && listed[0] === named;
      this.#findings.check(
        'one_owner',
        right,
        () =>
          `${name} names owner ${named ?? 'none'}, and is listed by ${listed.length === 0 ? 'none' : listed.join(' and ')}`,
      );
    }
  }

  /** From ledgers and API alone, without the log: who was told "yours" and did not give it back has it. */
  checkSales(sales: ReadonlyMap<string, string>): void {
    for (const [id, buyer] of sales) {
      const shown = this.#api.leases.get(id) ?? null;
      const kept = shown !== null && shown.state === 'confirmed' && shown.holder === buyer;
      const told = shown === null ? 'not there' : `${shown.state} by ${shown.holder}`;
      this.#findings.check('sale_kept', kept, () => `buyer ${buyer} was sold reservation ${id}, which is ${told}`);
      if (!kept) continue;
      for (const seat of shown.seats) {
        const state = this.#api.seats.get(seat) ?? null;
        const sold = state !== null && state.state === 'confirmed' && state.lease === id;
        this.#findings.check(
          'sale_kept',
          sold,
          () => `buyer ${buyer} was sold seat ${seat}, which is ${textOf(state)}`,
        );
      }
    }
  }
}

function textOf(seat: ApiSeat | null): string {
  if (seat === null) return 'not there';
  return `${seat.state}${seat.lease === null ? '' : ` for ${seat.lease}`} at version ${seat.version}`;
}
