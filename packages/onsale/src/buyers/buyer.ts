/**
 * One buyer: wants one to four seats beside each other, and has made up her mind about everything else beforehand, from
 * her own stream of the seed: when she comes, how long she thinks, how often she tries, whether she pays, changes her
 * mind, walks away or asks for an invoice. Only what she finds when she comes is up to the database.
 *
 * She acts through the crowd of her client process, which knows time, the hall and the connection.
 */
import type {ApiResponse} from '@allocdb/api';
import {idOfBigint} from '../id_bytes.ts';
import type {CommandFacts} from '../ledger.ts';
import {Random} from '../random.ts';
import {buyerHolder, type SaleSettings} from '../settings.ts';
import {oddCommand} from './odd_requests.ts';

/** What a buyer needs around her. */
export interface Surroundings {
  readonly settings: SaleSettings;
  /** True once the sale is about to end: nobody waits for seats to show up any more. */
  isClosing(): boolean;
  /** Runs something so many milliseconds later. */
  later(ms: number, act: () => void): void;
  /** Adjacent seats that look free, or, to the `hasty`, any; null when there are none. */
  choose(party: number, hasty: boolean, random: Random): number[] | null;
  resourceOf(seat: number): string;
  /** The reservation that some buyer was granted last. */
  someLease(): string;
  /** Sends an operation of hers; twice, with the same id, when she clicks twice. */
  operate(buyer: number, count: number, command: CommandFacts, twice: boolean, answered: Answered): void;
  /** Looks at seats and corrects the hall's picture. */
  look(seats: readonly number[]): void;
  /** Bookkeeping for progress and for the picture of the hall. */
  granted(seats: readonly number[], lease: string, slots: number, deadline: number): void;
  refused(seats: readonly number[]): void;
  sold(seats: readonly number[]): void;
  givenBack(seats: readonly number[], wasSold: boolean): void;
  lapsed(seats: readonly number[]): void;
  leaves(): void;
}

type Committed = ApiResponse & {readonly type: 'submit_committed'};
type Answered = (response: Committed) => void;

const PARTY_WEIGHTS: readonly number[] = [22, 46, 14, 18];
const INTENTS = ['pay', 'change_mind', 'walk_away', 'invoice'] as const;
const INTENT_WEIGHTS: readonly number[] = [0.73, 0.12, 0.145, 0.005];
/** The share of the buyers who come with each rush, and of those who come on their own. */
const RUSH_WEIGHTS: readonly number[] = [0.2, 0.14, 0.14, 0.12];
const ALONE_WEIGHT = 0.4;
const RUSH_MS = 3;
const PATIENCE_MAX = 7;
const HASTY = 0.2;
const DAWDLES = 0.06;
const CLICKS_TWICE = 0.02;
const REFUNDS = 0.025;
const LOOKS = 0.35;
const ODD = 0.03;

const NOTHING = {seats: [], holder: null, lease: null, ttl: null, epoch: null} as const;

export class Buyer {
  readonly #number: number;
  readonly #around: Surroundings;
  readonly #random: Random;
  readonly #holder: string;
  readonly #party: number;
  readonly #intent: (typeof INTENTS)[number];
  readonly #fenced: boolean;
  #attemptsLeft: number;
  #operations: number = 0;

  constructor(number: number, around: Surroundings) {
    const {seed} = around.settings;
    this.#number = number;
    this.#around = around;
    this.#random = new Random(seed, 'buyer', number);
    this.#holder = buyerHolder(seed, number);
    this.#party = 1 + this.#random.weighted(PARTY_WEIGHTS);
    this.#intent = INTENTS[this.#random.weighted(INTENT_WEIGHTS)] ?? 'pay';
    this.#fenced = this.#random.chance(0.5);
    this.#attemptsLeft = 1 + this.#random.below(PATIENCE_MAX);
  }

  /** Makes her come when she will, counted from the opening of the doors. */
  arrive(): void {
    const {rushesMs, lastArrivalMs} = this.#around.settings;
    const rush = rushesMs[this.#random.weighted([...RUSH_WEIGHTS, ALONE_WEIGHT])];
    const ms = rush === undefined ? this.#random.fraction() * lastArrivalMs : rush + this.#random.fraction() * RUSH_MS;
    this.#around.later(ms, () => this.#choose(this.#random.chance(HASTY)));
  }

  #choose(hasty: boolean): void {
    const seats = this.#attemptsLeft === 0 ? null : this.#around.choose(this.#party, hasty, this.#random);
    if (seats !== null) {
      this.#attemptsLeft--;
      this.#reserve(seats);
    } else if (this.#attemptsLeft === 0 || hasty) this.#around.leaves();
    else if (!this.#around.isClosing()) {
      this.#around.later(this.#random.between(300, 1500), () => this.#choose(false));
    } else if (this.#operations > 0) this.#around.leaves();
    else {
      // Nothing looked free all the time. She came all the way: before she leaves, she tries once regardless.
      this.#attemptsLeft = 1;
      this.#choose(true);
    }
  }

  #reserve(seats: number[]): void {
    const {holdSlots, invoiceSlots} = this.#around.settings;
    const ttl = this.#intent === 'invoice' ? invoiceSlots : holdSlots;
    const command: CommandFacts = {
      ...NOTHING,
      kind: seats.length === 1 ? 'reserve' : 'reserve_bundle',
      seats: seats.map(seat => this.#around.resourceOf(seat)),
      holder: this.#holder,
      ttl,
    };
    this.#operate(command, response => {
      const {reservationId, deadlineSlot} = response;
      if (reservationId === null) this.#refused(seats);
      else {
        const lease = idOfBigint(reservationId);
        this.#granted(seats, lease, ttl);
        this.#around.granted(seats, lease, ttl, Number(deadlineSlot ?? 0n));
      }
    });
  }

  #refused(seats: number[]): void {
    this.#around.refused(seats);
    if (this.#random.chance(LOOKS)) this.#around.look(seats);
    this.#around.later(this.#random.between(60, 450), () => this.#choose(false));
  }

  #granted(seats: number[], lease: string, ttl: number): void {
    const {slotMs} = this.#around.settings;
    const holdMs = ttl * slotMs;
    if (this.#random.chance(ODD)) this.#makeOddRequest(seats, lease);
    if (this.#intent === 'walk_away') this.#around.later(holdMs, () => this.#around.lapsed(seats));
    if (this.#intent === 'walk_away' || this.#intent === 'invoice') {
      this.#around.leaves();
      return;
    }
    const dawdles = this.#intent === 'pay' && this.#random.chance(DAWDLES);
    const thinkMs = dawdles ? holdMs * this.#random.between(0.9, 1.3) : this.#random.between(200, 0.7 * holdMs);
    this.#around.later(thinkMs, () => {
      if (this.#intent === 'pay') this.#pay(seats, lease);
      else this.#giveBack(seats, lease, false);
    });
  }

  #pay(seats: number[], lease: string): void {
    this.#operate(this.#ofLease('confirm', lease), response => {
      if (response.resultCode !== 'ok') {
        this.#around.lapsed(seats);
        if (this.#around.isClosing()) this.#around.leaves();
        else this.#around.later(this.#random.between(60, 450), () => this.#choose(false));
        return;
      }
      this.#around.sold(seats);
      if (!this.#random.chance(REFUNDS)) this.#around.leaves();
      else this.#around.later(this.#random.between(500, 1800), () => this.#giveBack(seats, lease, true));
    });
  }

  #giveBack(seats: number[], lease: string, wasSold: boolean): void {
    this.#operate(this.#ofLease('release', lease), response => {
      if (response.resultCode === 'ok') this.#around.givenBack(seats, wasSold);
      else this.#around.lapsed(seats);
      this.#around.leaves();
    });
  }

  #makeOddRequest(seats: number[], lease: string): void {
    const had = {
      seats: seats.map(seat => this.#around.resourceOf(seat)),
      lease,
      holder: this.#holder,
      othersLease: this.#around.someLease(),
      ttlMax: this.#around.settings.invoiceSlots,
    };
    this.#operate(oddCommand(had, this.#random), () => undefined);
  }

  #ofLease(kind: 'confirm' | 'release', lease: string): CommandFacts {
    const fence = this.#fenced ? {kind: `${kind}_fenced`, epoch: 1} : {kind};
    return {...NOTHING, ...fence, lease, holder: this.#holder};
  }

  #operate(command: CommandFacts, answered: Answered): void {
    const twice = this.#random.chance(CLICKS_TWICE);
    this.#around.operate(this.#number, this.#operations++, command, twice, answered);
  }
}
