// Commands and reads from a few drawn numbers and the state that is there: "confirm one of the holds" becomes bytes.
//
// The choice is among what the model has at that moment, so that a schedule of which events were removed still does
// something with every event that is left. Most choices can succeed; the rest are aimed at refusals and at the edges of
// the number ranges.
import {U64_MAX} from '../model/bytes.ts';
import type {Command} from '../model/command.ts';
import {type ModelConfig, operationWindow} from '../model/config.ts';
import type {Reservation, State} from '../model/state.ts';
import {Random} from '../random.ts';
import type {SlotMove} from './schedule.ts';

const HOLDERS = 3;
const REMEMBERED = 64;
const LATE_SLOT: bigint = 1n << 62n;

type Target = {reservationId: bigint; holderId: bigint; leaseEpoch: bigint};

export class CommandDraw {
  /** Ids of reservations that were granted, newest last: most of them are over. */
  readonly granted: bigint[] = [];
  /** The present slot of the run. */
  clock: bigint;
  readonly holderIds: readonly bigint[];
  readonly #config: ModelConfig;
  readonly #state: () => State;
  readonly #mayEndTime: boolean;
  readonly #resourceIds: readonly bigint[];
  readonly #operationSalt: bigint;

  constructor(
    seed: number,
    config: ModelConfig,
    settings: {wideIds: boolean; mayEndTime: boolean},
    start: bigint | null,
    state: () => State,
  ) {
    const random = new Random(BigInt(seed)).fork('ids');
    const id = (index: number): bigint => (settings.wideIds ? random.u128() : BigInt(index));
    this.#config = config;
    this.#state = state;
    this.#mayEndTime = settings.mayEndTime;
    this.#resourceIds = Array.from({length: config.maxResources + 2}, (_, index) => id(index));
    this.holderIds = Array.from({length: HOLDERS}, (_, index) => id(index + 1));
    this.#operationSalt = settings.wideIds ? random.u128() : 0n;
    this.clock = start ?? BigInt(random.below(50));
  }

  operationId(op: number): bigint {
    return BigInt.asUintN(128, BigInt(op) * (this.#operationSalt | 1n) + this.#operationSalt);
  }

  noteGranted(reservationId: bigint): void {
    this.granted.push(reservationId);
    if (this.granted.length > REMEMBERED) this.granted.shift();
  }

  /** Moves the clock, unless the slot is only looked at, and returns the slot that is stated. */
  slot(move: SlotMove, random: Random, onlyLooks: boolean): bigint {
    if (!onlyLooks) this.#leaveFullTable(random);
    const slot = clamped(this.clock + this.#distance(move, random));
    if (move === 'back') return slot;
    if (move === 'zero') return 0n;
    if (move !== 'far') {
      if (slot < LATE_SLOT && !onlyLooks) this.clock = slot;
      return slot;
    }
    const late = clamped(U64_MAX - random.pick([0n, 1n, this.#windowLength(random)]));
    const accepted = late + operationWindow(this.#config) <= U64_MAX;
    return accepted && !onlyLooks && !this.#mayEndTime ? this.clock : late;
  }

  /** The deadline of one of the holds, or a slot beside it. */
  dueSlot(random: Random): bigint {
    const hold = this.#living(['reserved'], random);
    if (hold === null) return this.slot('step', random, false);
    const slot = clamped(hold.deadlineSlot + random.pick([0n, 0n, 0n, -1n, 1n]));
    if (slot > this.clock && slot < LATE_SLOT) this.clock = slot;
    return slot;
  }

  /** The first slot at which nothing can end any more: its history would end behind the last slot. */
  beyondSlot(): bigint {
    return clamped(U64_MAX - this.#config.reservationHistoryWindowSlots + 1n);
  }

  command(kind: Command['kind'], random: Random): Command {
    switch (kind) {
      case 'create_resource':
        return {kind, resourceId: this.#uncreated(random) ?? this.resourceId(random)};
      case 'reserve': {
        const free = random.chance(70) ? random.pickFrom(this.#free()) : null;
        return {
          kind,
          resourceId: free ?? this.resourceId(random),
          holderId: this.#holder(random),
          ttlSlots: this.#ttl(random),
        };
      }
      case 'reserve_bundle':
        return {kind, holderId: this.#holder(random), ttlSlots: this.#ttl(random), resourceIds: this.#members(random)};
      case 'confirm':
      case 'confirm_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved'], random);
        return kind === 'confirm' ? {kind, reservationId, holderId} : {kind, reservationId, holderId, leaseEpoch};
      }
      case 'release':
      case 'release_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved', 'confirmed'], random);
        return kind === 'release' ? {kind, reservationId, holderId} : {kind, reservationId, holderId, leaseEpoch};
      }
      case 'revoke':
        return {kind, reservationId: this.#target(['confirmed'], random).reservationId};
      case 'reclaim':
        return {kind, reservationId: this.#target(['revoking'], random).reservationId};
    }
  }

  /** The same effect under another tag, where there is one; any other command elsewhere. */
  nearlySame(command: Command, random: Random): Command {
    if (command.kind === 'reserve') return {...command, kind: 'reserve_bundle', resourceIds: [command.resourceId]};
    if (command.kind === 'confirm') return {...command, kind: 'confirm_fenced', leaseEpoch: 1n};
    return this.command(random.pick(['reserve', 'release', 'create_resource']), random);
  }

  resourceId(random: Random): bigint {
    return random.pickFrom(this.#resourceIds) ?? 0n;
  }

  reservationId(random: Random): bigint {
    const ofThisShard = this.#config.shardId << 64n;
    const last = this.#state().lastAppliedLsn ?? 0n;
    const choice = random.below(100);
    if (choice < 40) return random.pickFrom([...this.#state().reservations.keys()]) ?? 1n;
    if (choice < 85) return random.pickFrom(this.granted) ?? ofThisShard;
    if (choice < 90) return ofThisShard | clamped(last + BigInt(random.between(0, 3)));
    if (choice < 95) return BigInt.asUintN(128, (ofThisShard | last) ^ (1n << BigInt(random.below(128))));
    return ofThisShard | BigInt(random.below(4));
  }

  fence(random: Random): bigint | null {
    const last = this.#state().lastAppliedLsn ?? 0n;
    return random.pick([null, null, 0n, last, last > 3n ? last - 3n : last, clamped(last + 1n), U64_MAX]);
  }

  /** A full operation table refuses everything alike: enough of that, once in a while time moves past it. */
  #leaveFullTable(random: Random): void {
    if (this.#state().operations.size < this.#config.maxOperations || !random.chance(25)) return;
    const past = this.clock + operationWindow(this.#config) + 1n;
    if (past < LATE_SLOT) this.clock = past;
  }

  #distance(move: SlotMove, random: Random): bigint {
    switch (move) {
      case 'step':
        return 1n;
      case 'walk':
        return BigInt(random.between(2, 6));
      case 'window':
        return this.#windowLength(random);
      case 'back':
        return -BigInt(random.between(1, 12));
      default:
        return 0n;
    }
  }

  /** Slots at which something changes: the lengths of every window, and one beside each. */
  #windowLength(random: Random): bigint {
    const {maxTtlSlots, reservationHistoryWindowSlots} = this.#config;
    const length = random.pick([maxTtlSlots, reservationHistoryWindowSlots, operationWindow(this.#config)]);
    return length + BigInt(random.between(-1, 1));
  }

  #holder(random: Random): bigint {
    return random.pickFrom(this.holderIds) ?? 0n;
  }

  #ttl(random: Random): bigint {
    const {maxTtlSlots} = this.#config;
    if (random.chance(5)) return random.pick([0n, maxTtlSlots + 1n, U64_MAX]);
    if (random.chance(20)) return maxTtlSlots;
    return BigInt(random.between(1, maxTtlSlots > 8n ? 8 : Number(maxTtlSlots)));
  }

  #free(): bigint[] {
    return [...this.#state().resources.values()].filter(row => row.state === 'available').map(row => row.resourceId);
  }

  #uncreated(random: Random): bigint | null {
    if (random.chance(10)) return null;
    return random.pickFrom(this.#resourceIds.filter(id => !this.#state().resources.has(id)));
  }

  #members(random: Random): bigint[] {
    const {maxBundleSize} = this.#config;
    const length = random.chance(8) ? random.pick([0, maxBundleSize + 1]) : random.between(1, maxBundleSize);
    const free = this.#free();
    const members: bigint[] = [];
    while (members.length < length) {
      const id = (random.chance(90) ? random.pickFrom(free) : null) ?? this.resourceId(random);
      if (!members.includes(id) || random.chance(5)) members.push(id);
      else if (free.length <= members.length) members.push(this.resourceId(random));
    }
    return members;
  }

  #living(states: readonly string[], random: Random): Reservation | null {
    return random.pickFrom([...this.#state().reservations.values()].filter(row => states.includes(row.state)));
  }

  /** Mostly one that the command can succeed on, with its holder and epoch. */
  #target(states: readonly string[], random: Random): Target {
    const fitting = random.chance(88) ? this.#living(states, random) : null;
    const reservationId = fitting?.reservationId ?? this.reservationId(random);
    const row = this.#state().reservations.get(reservationId);
    const holderId = row !== undefined && random.chance(90) ? row.holderId : this.#holder(random);
    const epoch = row?.leaseEpoch ?? 1n;
    const leaseEpoch = random.chance(75) ? epoch : random.pick([epoch - 1n, epoch + 1n, 0n, U64_MAX]);
    return {reservationId, holderId, leaseEpoch: BigInt.asUintN(64, leaseEpoch)};
  }
}

function clamped(slot: bigint): bigint {
  if (slot < 0n) return 0n;
  return slot > U64_MAX ? U64_MAX : slot;
}
