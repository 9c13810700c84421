/**
 * All buyers of one client process: their calendar, their picture of the hall, and their way to the connection. Thousands
 * act at once; none has a timer or a promise of her own, only entries in one calendar that is looked at every few
 * milliseconds.
 */
import {performance} from 'node:perf_hooks';
import type {CommandFacts} from '../ledger.ts';
import type {Random} from '../random.ts';
import {type Seat, seatResource} from '../seat_map.ts';
import {clientIdOf, operationOf, type SaleSettings} from '../settings.ts';
import {Buyer, type Surroundings} from './buyer.ts';
import {lookFrame, submitFrame} from './frames.ts';
import {HallView} from './hall_view.ts';
import type {Request, RequestPipe} from './request_pipe.ts';

const PAGE_MS = 4;
/** How long seats that were refused are not tried again. */
const AVOIDED_MS = 600;
const TRIED_MS = 400;
/** Stands for a reservation until there is one. */
const NOBODYS = 'ffffffffffffffffffffffffffffffff';
/** Sold seats come back so rarely that nobody waits for it. */
const FOR_GOOD: number = Number.POSITIVE_INFINITY;

export class Crowd implements Surroundings {
  readonly settings: SaleSettings;
  readonly #pipe: RequestPipe;
  readonly #hall: HallView;
  readonly #resources: readonly string[];
  readonly #seatOf: Map<string, number>;
  readonly #clientId: string;
  readonly #buyers: Buyer[] = [];
  /** What is to be done, by page of PAGE_MS after the opening. */
  readonly #calendar: Map<number, (() => void)[]> = new Map();
  #page: number = 0;
  #made: number = 0;
  #lastLease: string = NOBODYS;
  #openedMs: number = Number.POSITIVE_INFINITY;
  buyersLeft: number = 0;
  heldSeats: number = 0;
  soldSeats: number = 0;
  /** The latest deadline slot of an ordinary hold; 0 before the first. */
  lastDeadline: number = 0;

  constructor(settings: SaleSettings, seats: readonly Seat[], client: number, clients: number, pipe: RequestPipe) {
    this.settings = settings;
    this.#pipe = pipe;
    this.#hall = new HallView(seats);
    this.#resources = seats.map(seatResource);
    this.#seatOf = new Map(this.#resources.map((resource, seat) => [resource, seat]));
    this.#clientId = clientIdOf(settings.seed, client);
    for (let buyer = client; buyer < settings.buyers; buyer += clients) this.#buyers.push(new Buyer(buyer, this));
    this.buyersLeft = this.#buyers.length;
  }

  /** Opens the doors at this time of this process's clock; buyers begin to come. */
  open(atMs: number): void {
    this.#openedMs = atMs;
    for (const buyer of this.#buyers) buyer.arrive();
  }

  /** Lets everybody act whose time has come; returns how many requests that made. */
  turn(): number {
    const made = this.#made;
    const nowMs = performance.now();
    const page = Math.floor((nowMs - this.#openedMs) / PAGE_MS);
    this.#hall.fade(nowMs);
    while (this.#page <= page) {
      const due = this.#calendar.get(this.#page);
      this.#calendar.delete(this.#page);
      this.#page++;
      for (const act of due ?? []) act();
    }
    return this.#made - made;
  }

  isClosing(): boolean {
    return performance.now() - this.#openedMs - this.#pipe.downMs >= this.settings.closesMs;
  }

  later(ms: number, act: () => void): void {
    const fromOpening = Math.max(0, performance.now() - this.#openedMs) + ms;
    const page = Math.max(this.#page, Math.ceil(fromOpening / PAGE_MS));
    const acts = this.#calendar.get(page);
    if (acts === undefined) this.#calendar.set(page, [act]);
    else acts.push(act);
  }

  choose(party: number, hasty: boolean, random: Random): number[] | null {
    if (hasty) return this.#hall.wish(party, random);
    const seats = this.#hall.choose(party, random);
    // Nobody else of this process goes for seats that one of its buyers is trying to get.
    if (seats !== null) this.#hall.taken(seats, performance.now() + TRIED_MS);
    return seats;
  }

  resourceOf(seat: number): string {
    return this.#resources[seat] ?? '';
  }

  someLease(): string {
    return this.#lastLease;
  }

  operate(
    buyer: number,
    count: number,
    command: CommandFacts,
    twice: boolean,
    answered: Parameters<Surroundings['operate']>[4],
  ): void {
    const operation = operationOf(this.settings.seed, buyer, count);
    const frame = submitFrame(operation, this.#clientId, command);
    let told = false;
    const request = (): Request => ({
      frame,
      operation,
      command,
      seat: null,
      sentUs: 0,
      sends: 0,
      answered: response => {
        if (told || response.type !== 'submit_committed') return;
        told = true;
        answered(response);
      },
    });
    this.#send(request());
    if (twice) this.#send(request());
  }

  look(seats: readonly number[]): void {
    for (const number of seats) {
      const seat = this.resourceOf(number);
      const request: Request = {
        frame: lookFrame(seat),
        operation: null,
        command: null,
        seat,
        sentUs: 0,
        sends: 0,
        answered: response => {
          if (response.type === 'resource_found') this.#seen(seat, response.state);
        },
      };
      this.#send(request);
    }
  }

  granted(seats: readonly number[], lease: string, slots: number, deadline: number): void {
    this.#lastLease = lease;
    this.heldSeats += seats.length;
    this.#hall.taken(seats, performance.now() + slots * this.settings.slotMs);
    if (slots === this.settings.holdSlots) this.lastDeadline = Math.max(this.lastDeadline, deadline);
  }

  refused(seats: readonly number[]): void {
    this.#hall.taken(seats, performance.now() + AVOIDED_MS);
  }

  sold(seats: readonly number[]): void {
    this.heldSeats -= seats.length;
    this.soldSeats += seats.length;
    this.#hall.taken(seats, FOR_GOOD);
  }

  givenBack(seats: readonly number[], wasSold: boolean): void {
    if (wasSold) this.soldSeats -= seats.length;
    else this.heldSeats -= seats.length;
    this.#hall.free(seats);
  }

  lapsed(seats: readonly number[]): void {
    this.heldSeats -= seats.length;
  }

  leaves(): void {
    this.buyersLeft--;
  }

  #send(request: Request): void {
    this.#made++;
    this.#pipe.send(request);
  }

  #seen(resource: string, state: string): void {
    const seat = this.#seatOf.get(resource);
    if (seat === undefined) return;
    if (state === 'available') this.#hall.free([seat]);
    else if (state === 'confirmed') this.#hall.taken([seat], FOR_GOOD);
    else this.#hall.taken([seat], performance.now() + 0.5 * this.settings.holdSlots * this.settings.slotMs);
  }
}
