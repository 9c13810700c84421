/**
 * Who owns a few resources, followed through the changes of a log: as far as the log says, and what was known at one lsn.
 * It applies what was answered and decides nothing itself, so it cannot disagree with what clients were told.
 *
 * A resource of which nothing was seen yet may be owned by a reservation from before the first change: its standing is
 * then unknown, and stays so until something tells.
 */
import type {Change, HolderId, ReservationId, ReserveChange, ResourceId} from '@allocdb/api';
import type {KnownState} from './known_state.ts';
import type {ReservationRecord} from './snapshot_records.ts';
import type {Subjects} from './subjects.ts';

/** States of a reservation, by name. */
export type HoldingState = 'reserved' | 'confirmed' | 'revoking' | 'released' | 'expired' | 'revoked';

/** A reservation that owns, or owned, one of the resources; a value of its own at each moment. */
export interface Holding {
  readonly reservation: ReservationId;
  readonly holder: HolderId;
  /** The reserve that granted it; its slot is null where it lies before the first change. */
  readonly sinceLsn: bigint;
  readonly sinceSlot: bigint | null;
  readonly deadlineSlot: bigint;
  /** Null where it was granted before the first change and nothing has told since. */
  readonly state: HoldingState | null;
  readonly epoch: bigint | null;
  /** The change that brought the state; null where that lies before the first change. */
  readonly stateLsn: bigint | null;
  readonly stateSlot: bigint | null;
  readonly resourceCount: number;
}

/** How a resource stands at one moment. */
export type Standing =
  | {readonly is: 'absent'}
  | {readonly is: 'free'}
  | {readonly is: 'held'; readonly by: Holding}
  | {readonly is: 'unknown'};

const OVER: ReadonlySet<HoldingState | null> = new Set<HoldingState | null>(['released', 'expired', 'revoked']);
const ABSENT: Standing = {is: 'absent'};
const FREE: Standing = {is: 'free'};
const UNKNOWN: Standing = {is: 'unknown'};

/** Ended reservations that are remembered, so that what came too late for them can be told. */
const ENDED_KEPT = 10_000;

/** True for a holding that owns nothing any more. */
export function isOver(holding: Holding): boolean {
  return OVER.has(holding.state);
}

export class Ownership {
  private readonly from: bigint;
  private readonly known: KnownState | null;
  private hasPassedKnown: boolean = false;
  private readonly standings: Map<ResourceId, Standing> = new Map();
  private readonly created: Map<ResourceId, bigint> = new Map();
  private readonly watched: Set<ReservationId>;
  private readonly holdings: Map<ReservationId, Holding> = new Map();
  /** Which of the watched resources a reservation has. */
  private readonly members: Map<ReservationId, readonly ResourceId[]> = new Map();
  private readonly ended: ReservationId[] = [];

  /** `from` is the lsn of the first change that will be applied; `known` is of an lsn of at least `from` - 1. */
  constructor(subjects: Subjects, from: bigint, known: KnownState | null) {
    this.from = from;
    this.known = known;
    this.watched = new Set(subjects.reservations);
    for (const id of subjects.resources) this.standings.set(id, from === 1n ? ABSENT : UNKNOWN);
    if (known !== null) this.begin(known);
  }

  /** True for a resource that is followed. */
  follows(resource: ResourceId): boolean {
    return this.standings.has(resource);
  }

  /** How a resource stands now; unknown for one that is not followed. */
  standingOf(resource: ResourceId): Standing {
    return this.standings.get(resource) ?? UNKNOWN;
  }

  /** Lsn at which a resource was created; null where that was not seen. */
  createdAt(resource: ResourceId): bigint | null {
    return this.created.get(resource) ?? null;
  }

  /** A reservation that was asked about or has owned one of the resources; null for any other. */
  holdingOf(reservation: ReservationId): Holding | null {
    return this.holdings.get(reservation) ?? null;
  }

  /** Whether a reservation has owned this resource, as far as was seen. */
  hasOwned(reservation: ReservationId, resource: ResourceId): boolean {
    return this.members.get(reservation)?.includes(resource) ?? false;
  }

  /** Reservations that are followed by now. */
  get reservations(): Iterable<ReservationId> {
    return this.holdings.keys();
  }

  /** Before the change of this lsn: what is known at an lsn that has been passed counts from here on. */
  reach(lsn: bigint): void {
    const {known} = this;
    if (known === null || this.hasPassedKnown || lsn <= known.lsn) return;
    this.hasPassedKnown = true;
    for (const record of known.reservations.values()) {
      const holding = this.holdings.get(record.id);
      if (holding?.state === null) this.put({...holding, state: stateOf(record), epoch: record.epoch});
    }
    for (const [id, record] of known.resources) {
      if (this.standingOf(id).is !== 'unknown') continue;
      if (record === null) this.standings.set(id, ABSENT);
      else if (record.reservation === null) this.standings.set(id, FREE);
      const by = known.reservations.get(record?.reservation as ReservationId);
      if (by !== undefined) this.give(holdingOf(by, true), by.resources);
    }
  }

  /** Applies a change; changes come in lsn order. */
  apply(change: Change): void {
    this.reach(change.lsn);
    const {result} = change;
    if (result === null) this.forget(change);
    if (result === 'resource_not_found' && change.kind === 'reserve') this.learn(change.resources[0], ABSENT);
    if (result !== 'ok') return;
    switch (change.kind) {
      case 'create_resource':
        if (!this.follows(change.resource)) return;
        this.standings.set(change.resource, FREE);
        this.created.set(change.resource, change.lsn);
        return;
      case 'reserve':
      case 'reserve_bundle':
        this.grant(change);
        return;
      case 'confirm':
        this.move(change, change.reservation, 'confirmed', 0n);
        return;
      case 'release':
        this.move(change, change.reservation, 'released', 1n);
        return;
      case 'revoke':
        this.move(change, change.reservation, 'revoking', 1n);
        return;
      case 'reclaim':
        this.move(change, change.reservation, 'revoked', 0n);
        return;
      case 'expire':
        this.move(change, change.reservation, 'expired', 1n);
        return;
    }
  }

  private get isExact(): boolean {
    return this.known !== null && this.known.lsn === this.from - 1n;
  }

  /** What was known at a later lsn tells of the beginning too: what is owned then by an old reservation was so before. */
  private begin(known: KnownState): void {
    for (const [id, record] of known.resources) {
      if (record === null) this.standings.set(id, ABSENT);
      else if (this.isExact) this.standings.set(id, FREE);
    }
    for (const record of known.reservations.values()) {
      const wasLive = record.releasedLsn === null || record.releasedLsn >= this.from;
      if (record.lsn >= this.from) continue;
      this.members.set(record.id, this.followed(record.resources));
      // One that was over before owned nothing any more; what came too late for it is told all the same.
      if (wasLive) this.put(holdingOf(record, this.isExact));
      else this.keep(holdingOf(record, true));
    }
  }

  private grant(change: ReserveChange): void {
    const {lease, lsn, slot, resources, holder} = change;
    if (lease === null || !(this.watched.has(lease.id) || resources.some(id => this.follows(id)))) return;
    const holding: Holding = {
      reservation: lease.id,
      holder,
      sinceLsn: lsn,
      sinceSlot: slot,
      deadlineSlot: lease.deadlineSlot,
      state: 'reserved',
      epoch: 1n,
      stateLsn: lsn,
      stateSlot: slot,
      resourceCount: resources.length,
    };
    this.give(holding, resources);
  }

  private give(holding: Holding, resources: readonly ResourceId[]): void {
    this.members.set(holding.reservation, this.followed(resources));
    this.put(holding);
  }

  private followed(resources: readonly ResourceId[]): readonly ResourceId[] {
    return resources.filter(id => this.follows(id));
  }

  /** Stores a reservation and how it leaves its resources. */
  private put(holding: Holding): void {
    const {reservation} = holding;
    for (const id of this.members.get(reservation) ?? []) {
      const now = this.standings.get(id);
      const isPassedOn = now?.is === 'held' && now.by.reservation !== reservation;
      if (!isOver(holding)) this.standings.set(id, {is: 'held', by: holding});
      else if (!isPassedOn) this.standings.set(id, FREE);
    }
    this.keep(holding);
  }

  private keep(holding: Holding): void {
    const {reservation} = holding;
    this.holdings.set(reservation, holding);
    if (!isOver(holding)) return;
    this.ended.push(reservation);
    if (this.ended.length <= ENDED_KEPT) return;
    const oldest = this.ended.shift();
    if (oldest === undefined) return;
    this.holdings.delete(oldest);
    this.members.delete(oldest);
  }

  private move({lsn, slot}: Change, reservation: ReservationId, state: HoldingState, epochs: bigint): void {
    const holding = this.holdings.get(reservation);
    if (holding === undefined) return;
    const epoch = holding.epoch === null ? epochOf(state) : holding.epoch + epochs;
    this.put({...holding, state, epoch, stateLsn: lsn, stateSlot: slot});
  }

  private learn(resource: ResourceId | undefined, standing: Standing): void {
    if (resource !== undefined && this.standings.get(resource)?.is === 'unknown')
      this.standings.set(resource, standing);
  }

  /** A change of which nobody noted what it did: what it names may have changed. */
  private forget(change: Change): void {
    if ('reservation' in change) {
      const holding = this.holdings.get(change.reservation);
      if (holding === undefined || isOver(holding)) return;
      for (const id of this.members.get(change.reservation) ?? []) this.standings.set(id, UNKNOWN);
      this.holdings.set(change.reservation, {...holding, state: null, epoch: null});
      return;
    }
    const named = change.kind === 'create_resource' ? [change.resource] : change.resources;
    for (const id of named) if (this.follows(id)) this.standings.set(id, UNKNOWN);
  }
}

/** The epoch of a reservation that was brought into a state from its first grant on. */
function epochOf(state: HoldingState): bigint {
  return state === 'confirmed' || state === 'reserved' ? 1n : 2n;
}

function stateOf(record: ReservationRecord): HoldingState {
  return record.state as HoldingState;
}

/** A reservation from before the first change; its state is that of the record only where the record is of that moment. */
function holdingOf(record: ReservationRecord, isExact: boolean): Holding {
  const isCertain = isExact || record.state === 'reserved';
  return {
    reservation: record.id,
    holder: record.holder,
    sinceLsn: record.lsn,
    sinceSlot: null,
    deadlineSlot: record.deadlineSlot,
    state: isCertain ? stateOf(record) : null,
    epoch: isCertain ? record.epoch : null,
    stateLsn: record.releasedLsn,
    stateSlot: null,
    resourceCount: record.resources.length,
  };
}
