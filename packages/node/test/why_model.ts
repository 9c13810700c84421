/**
 * A naive database for the tests of histories: every thing and every reservation is an object in a map, each change is
 * answered by walking over them, and who owned what at each lsn is written down at that moment. It shares nothing with
 * what it judges but the type of a change.
 */
import {
  type Change,
  clientIdFromBigint,
  type HolderId,
  holderIdFromBigint,
  operationIdFromBigint,
  type ReservationId,
  type ResourceId,
  type ResultName,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from '@allocdb/api';
import {HistoryRandom} from './history_random.ts';

export const SHARD = 7n;

export interface ModelReservation {
  readonly id: ReservationId;
  readonly lsn: bigint;
  readonly slot: bigint;
  readonly holder: HolderId;
  readonly deadlineSlot: bigint;
  readonly members: readonly ResourceId[];
  state: string;
  epoch: bigint;
  endLsn: bigint | null;
}

/** What was so just before a change: who owned each resource that it names, and its reservation. */
export interface Truth {
  readonly change: Change;
  /** Owner by resource; null for one that is free, absent from the map for one that does not exist. */
  readonly owners: ReadonlyMap<ResourceId, ModelReservation | null>;
  readonly reservation: ModelReservation | null;
  /** The first member that made a reserve fail, and whether the command itself names it before. */
  readonly culprit: ResourceId | null;
}

/** What is asked of the database, or done by it. */
export type Asked =
  | {readonly kind: 'create_resource'; readonly resource: ResourceId}
  | {
      readonly kind: 'reserve' | 'reserve_bundle';
      readonly resources: readonly ResourceId[];
      readonly holder: HolderId;
      readonly ttlSlots: bigint;
    }
  | {
      readonly kind: 'confirm' | 'release';
      readonly reservation: ReservationId;
      readonly holder: HolderId;
      readonly epoch: bigint | null;
    }
  | {readonly kind: 'revoke' | 'reclaim'; readonly reservation: ReservationId}
  | {readonly kind: 'expire'; readonly reservation: ReservationId; readonly deadlineSlot: bigint};

const STATES_FOR = {
  confirm: ['reserved'],
  release: ['reserved', 'confirmed'],
  revoke: ['confirmed'],
  reclaim: ['revoking'],
  expire: ['reserved'],
} as const;

export class NaiveDatabase {
  readonly changes: Change[] = [];
  readonly truths: Truth[] = [];
  /** Owner by resource; null for one that is free. */
  readonly resources: Map<ResourceId, ModelReservation | null> = new Map();
  readonly reservations: Map<ReservationId, ModelReservation> = new Map();
  slot: bigint = 0n;

  get lastLsn(): bigint {
    return BigInt(this.changes.length);
  }

  /** Answers the next change, and writes down what was so before it. */
  execute(asked: Asked, slot: bigint, operation: bigint = 1000n + this.lastLsn): Change {
    const lsn = this.lastLsn + 1n;
    this.slot = slot;
    const named = asked.kind === 'create_resource' ? [asked.resource] : 'resources' in asked ? asked.resources : [];
    const owners = new Map<ResourceId, ModelReservation | null>();
    for (const id of named) {
      const owner = this.resources.get(id);
      if (owner !== undefined) owners.set(id, owner === null ? null : {...owner});
    }
    const known = 'reservation' in asked ? (this.reservations.get(asked.reservation) ?? null) : null;
    const reservation = known === null ? null : {...known};
    const culprit = 'resources' in asked ? this.culpritOf(asked.resources) : null;
    const result = this.resultOf(asked, known, culprit);
    if (result === 'ok') this.apply(asked, lsn, known);
    const change = changeOf(asked, {lsn, slot, result}, operation);
    this.changes.push(change);
    this.truths.push({change, owners, reservation, culprit});
    return change;
  }

  private culpritOf(resources: readonly ResourceId[]): ResourceId | null {
    return resources.find((id, i) => resources.indexOf(id) < i || this.resources.get(id) !== null) ?? null;
  }

  private resultOf(asked: Asked, known: ModelReservation | null, culprit: ResourceId | null): ResultName {
    if (asked.kind === 'create_resource') return this.resources.has(asked.resource) ? 'already_exists' : 'ok';
    if ('resources' in asked) {
      if (culprit === null) return 'ok';
      return this.resources.has(culprit) ? 'resource_busy' : 'resource_not_found';
    }
    if (known === null) return 'reservation_not_found';
    const states: readonly string[] = STATES_FOR[asked.kind];
    if (asked.kind === 'expire') {
      return states.includes(known.state) && asked.deadlineSlot === known.deadlineSlot ? 'ok' : 'noop';
    }
    if (known.endLsn !== null) return 'reservation_retired';
    if ('holder' in asked && asked.holder !== known.holder) return 'holder_mismatch';
    if ('epoch' in asked && asked.epoch !== null && asked.epoch !== known.epoch) return 'stale_epoch';
    return states.includes(known.state) ? 'ok' : 'invalid_state';
  }

  private apply(asked: Asked, lsn: bigint, known: ModelReservation | null): void {
    if (asked.kind === 'create_resource') this.resources.set(asked.resource, null);
    else if ('resources' in asked) {
      const {resources: members, holder, ttlSlots} = asked;
      const fixed = {id: idOf(lsn), lsn, slot: this.slot, holder, deadlineSlot: this.slot + ttlSlots, members};
      const made: ModelReservation = {...fixed, state: 'reserved', epoch: 1n, endLsn: null};
      this.reservations.set(made.id, made);
      for (const id of members) this.resources.set(id, made);
    } else if (known !== null) this.move(known, asked.kind, lsn);
  }

  private move(known: ModelReservation, kind: keyof typeof STATES_FOR, lsn: bigint): void {
    const states = {
      confirm: 'confirmed',
      release: 'released',
      revoke: 'revoking',
      reclaim: 'revoked',
      expire: 'expired',
    };
    known.state = states[kind];
    if (kind !== 'confirm' && kind !== 'reclaim') known.epoch++;
    if (kind === 'confirm' || kind === 'revoke') return;
    known.endLsn = lsn;
    for (const id of known.members) this.resources.set(id, null);
  }
}

function changeOf(asked: Asked, base: Pick<Change, 'lsn' | 'slot' | 'result'>, operation: bigint): Change {
  if (asked.kind === 'expire') return {...base, ...asked};
  const head = {...base, operation: operationIdFromBigint(operation), client: clientIdFromBigint(1n)};
  if (!('resources' in asked)) return {...head, ...asked};
  const lease = base.result === 'ok' ? {id: idOf(base.lsn), deadlineSlot: base.slot + asked.ttlSlots} : null;
  return {...head, ...asked, lease};
}

function idOf(lsn: bigint): ReservationId {
  return reservationIdFromBigint((SHARD << 64n) | lsn);
}

const RESOURCES = 5;
const HOLDERS = 3;

/** The resources that random histories speak of. */
export const ALL_RESOURCES: readonly ResourceId[] = Array.from({length: RESOURCES}, (_, i) =>
  resourceIdFromBigint(BigInt(i + 1)),
);

/** Random things to ask of a database, and the slots at which to ask them. */
export class RandomAsker {
  slot: bigint = 1n;
  private readonly random: HistoryRandom;

  constructor(seed: number) {
    this.random = new HistoryRandom(seed);
  }

  /** What to ask next; null where nothing comes to mind. */
  next(database: NaiveDatabase): Asked | null {
    const {random} = this;
    if (random.chance(0.3)) this.slot += BigInt(random.below(3));
    const dice = random.below(100);
    if (dice < 12) return {kind: 'create_resource', resource: this.resource()};
    if (dice < 50) {
      const count = random.chance(0.3) ? random.below(4) + 1 : 1;
      const resources = Array.from({length: count}, () => this.resource());
      const kind = count === 1 && random.chance(0.9) ? 'reserve' : 'reserve_bundle';
      return {kind, resources, holder: this.holder(), ttlSlots: BigInt(1 + random.below(5))};
    }
    return dice < 60 ? this.expire(database) : this.act(database);
  }

  private expire(database: NaiveDatabase): Asked | null {
    const isDue = (each: ModelReservation): boolean => each.state === 'reserved' && each.deadlineSlot <= this.slot;
    const due = [...database.reservations.values()].filter(isDue);
    const chosen = this.random.chance(0.1) ? this.anyOf(database) : due[this.random.below(due.length)];
    if (chosen === undefined || (chosen.state === 'reserved' && !isDue(chosen))) return null;
    return {kind: 'expire', reservation: chosen.id, deadlineSlot: chosen.deadlineSlot};
  }

  private act(database: NaiveDatabase): Asked {
    const {random} = this;
    const kinds = ['confirm', 'confirm', 'release', 'release', 'revoke', 'reclaim'] as const;
    const kind = kinds[random.below(kinds.length)] ?? 'revoke';
    const known = random.chance(0.95) ? this.anyOf(database) : undefined;
    const reservation = known?.id ?? idOf(BigInt(100_000 + random.below(1000)));
    const holder = known !== undefined && random.chance(0.85) ? known.holder : this.holder();
    const epoch = random.chance(0.5) ? null : BigInt(1 + random.below(2));
    return kind === 'revoke' || kind === 'reclaim' ? {kind, reservation} : {kind, reservation, holder, epoch};
  }

  private anyOf({reservations}: NaiveDatabase): ModelReservation | undefined {
    const all = [...reservations.values()];
    return all[all.length - 1 - this.random.below(Math.min(all.length, 8))];
  }

  private resource(): ResourceId {
    return resourceIdFromBigint(BigInt(1 + this.random.below(RESOURCES)));
  }

  private holder(): HolderId {
    return holderIdFromBigint(BigInt(1 + this.random.below(HOLDERS)));
  }
}

/** A random history: so many tries, or up to so many changes. */
export function naiveHistory(seed: number, tries: number, changes: number = tries): NaiveDatabase {
  const database = new NaiveDatabase();
  const asker = new RandomAsker(seed);
  for (let i = 0; i < tries && database.changes.length < changes; i++) {
    const asked = asker.next(database);
    if (asked !== null) database.execute(asked, asker.slot);
  }
  return database;
}
