/**
 * Requests for the equivalence, made while they are answered: every choice looks at the model as it stands, so that most
 * commands meet something they can act on, and the rest miss it by one. The bias is the profile's.
 *
 * Frames that do not decode, batches and malformed payloads are the business of the package's generator, whose streams
 * are run beside these.
 */
import {type Command, encodeClientRequest} from '@allocdb/core';
import {type ApiRequest, type ModelConfig, operationWindow, Random, type Reservation, type State} from '@allocdb/sim';
import type {Profile} from './equivalence_profiles.ts';

const U64_MAX = 2n ** 64n - 1n;
const REMEMBERED = 40;

type CommandKind = Command['kind'];

export class CommandStream {
  readonly #random: Random;
  readonly #profile: Profile;
  readonly #config: ModelConfig;
  readonly #state: () => State;
  readonly #resourceIds: readonly bigint[];
  readonly #holderIds: readonly [bigint, ...bigint[]];
  readonly #weights: Record<CommandKind, number>;
  readonly #repeatPercent: number;
  readonly #movePercent: number;
  readonly #payloads: Uint8Array[] = [];
  #clock: bigint;
  #operations: number = 0;

  /** `state` gives the state that the next request meets. */
  constructor(seed: bigint, profile: Profile, state: () => State) {
    const random = new Random(seed).fork('commands');
    const {config, start} = profile;
    // Ids that differ in one byte only, in any of the sixteen, or in all of them.
    const shift = BigInt(8 * random.below(15));
    const id = random.chance(30) ? () => random.u128() : (index: number) => BigInt(index) << shift;
    this.#random = random;
    this.#profile = profile;
    this.#config = config;
    this.#state = state;
    this.#clock = start?.slot ?? 0n;
    this.#resourceIds = Array.from({length: config.maxResources + 2}, (_, index) => id(index));
    this.#holderIds = [id(1), id(2)];
    const swarm = (weight: number): number => weight * random.pick([1, 1, 2, 4]);
    this.#weights = {
      create_resource: swarm(6),
      reserve: swarm(14),
      reserve_bundle: swarm(profile.name === 'large_bundles' ? 30 : 8),
      confirm: swarm(7),
      confirm_fenced: swarm(5),
      release: swarm(6),
      release_fenced: swarm(5),
      revoke: swarm(6),
      reclaim: swarm(6),
    };
    this.#repeatPercent = random.pick([3, 10, 25]);
    this.#movePercent = random.pick([10, 30, 60]);
  }

  next(): ApiRequest {
    const random = this.#random;
    const choice = random.below(100);
    const ticks = this.#profile.name === 'small_ticks' ? 20 : 8;
    if (choice < ticks) return {kind: 'tick_expirations', currentSlot: this.#tickSlot()};
    if (choice < ticks + 3) return {kind: 'get_resource', requiredLsn: null, resourceId: this.#resourceId()};
    if (choice < ticks + 8) {
      const held = random.pickFrom([...this.#state().reservations.values()]);
      const reservationId = held?.reservationId ?? this.#near(held);
      const edge = held?.retireAfterSlot ?? held?.deadlineSlot ?? this.#clock;
      const currentSlot = clamped(edge + BigInt(random.between(-1, 1)));
      return {kind: 'get_lease', requiredLsn: null, currentSlot, reservationId};
    }
    if (choice < ticks + 10) return {kind: 'get_metrics', currentSlot: clamped(this.#clock + this.#window())};
    return {kind: 'submit', requestSlot: this.#slot(), payload: this.#payload()};
  }

  #slot(): bigint {
    const random = this.#random;
    if (!random.chance(this.#movePercent)) return this.#clock;
    const {operations} = this.#state();
    // A full operation table refuses everything alike: time moves past it soon.
    if (operations.size >= this.#config.maxOperations && random.chance(40)) return this.#moveBy(this.#window() + 1n);
    const choice = random.below(100);
    if (choice < 55) return this.#moveBy(BigInt(random.between(1, 3)));
    if (choice < 75) return this.#moveBy(this.#window());
    if (choice < 93) return clamped(this.#clock - BigInt(random.between(1, 10)));
    if (this.#profile.name === 'end_of_time') return clamped(U64_MAX - this.#window());
    // Refused for certain while a window does not fit behind it: time must not end in every run.
    return U64_MAX - random.pick([0n, operationWindow(this.#config) - 1n]);
  }

  /** Time goes on, but not so far that nothing is accepted any more, unless that is what the run is about. */
  #moveBy(slots: bigint): bigint {
    const isLast = this.#profile.name === 'end_of_time';
    const most = U64_MAX - operationWindow(this.#config) - this.#config.maxTtlSlots;
    const slot = clamped(this.#clock + slots);
    if (isLast || slot <= most) this.#clock = slot;
    return this.#clock;
  }

  /** The length of a window, or one beside it. */
  #window(): bigint {
    const {maxTtlSlots, reservationHistoryWindowSlots} = this.#config;
    const length = this.#random.pick([maxTtlSlots, reservationHistoryWindowSlots, operationWindow(this.#config)]);
    const near = length + BigInt(this.#random.between(-1, 1));
    return near < 0n || near > 1n << 40n ? 1n : near;
  }

  #tickSlot(): bigint {
    const held = this.#pick(['reserved']);
    if (held !== null && this.#random.chance(60))
      return clamped(held.deadlineSlot + BigInt(this.#random.between(-1, 1)));
    // Behind the last slot that leaves room for the history window nothing can expire.
    return this.#random.chance(5) ? clamped(U64_MAX - this.#config.reservationHistoryWindowSlots + 1n) : this.#slot();
  }

  #pick(states: readonly string[]): Reservation | null {
    return this.#random.pickFrom([...this.#state().reservations.values()].filter(row => states.includes(row.state)));
  }

  #resourceId(): bigint {
    return this.#random.pickFrom(this.#resourceIds) ?? 0n;
  }

  /** A reservation id beside one that exists: of another shard, the next lsn, or one that is gone. */
  #near(held: Reservation | null): bigint {
    const random = this.#random;
    const last = (this.#config.shardId << 64n) | (this.#state().lastAppliedLsn ?? 1n);
    const base = held?.reservationId ?? last;
    const flipped = base ^ (1n << BigInt(random.below(128)));
    return random.pick([flipped, base > 0n ? base - 1n : base, last, base ^ (1n << 64n)]);
  }

  #target(states: readonly string[]): {reservationId: bigint; holderId: bigint; leaseEpoch: bigint} {
    const random = this.#random;
    const held = random.chance(80) ? this.#pick(states) : random.pickFrom([...this.#state().reservations.values()]);
    const reservationId = held === null || random.chance(8) ? this.#near(held) : held.reservationId;
    const holderId = held === null || random.chance(8) ? random.pick(this.#holderIds) : held.holderId;
    const epoch = held?.leaseEpoch ?? 1n;
    const leaseEpoch = random.chance(85) ? epoch : random.pick([epoch - 1n, epoch + 1n, U64_MAX, 1n << 32n]);
    return {reservationId, holderId, leaseEpoch};
  }

  #ttl(): bigint {
    const random = this.#random;
    const {maxTtlSlots} = this.#config;
    if (random.chance(5)) return random.pick([0n, maxTtlSlots + 1n, U64_MAX]);
    if (random.chance(30)) return maxTtlSlots;
    return BigInt(random.between(1, Number(maxTtlSlots < 6n ? maxTtlSlots : 6n)));
  }

  #free(): bigint[] {
    const free: bigint[] = [];
    for (const {state, resourceId} of this.#state().resources.values())
      if (state === 'available') free.push(resourceId);
    return free;
  }

  #members(): bigint[] {
    const random = this.#random;
    const {maxBundleSize} = this.#config;
    const free = this.#free();
    const wanted = random.pick([1, maxBundleSize, random.between(1, maxBundleSize), free.length]);
    const members = free.slice(0, Math.min(wanted, maxBundleSize));
    const at = random.below(members.length + 1);
    if (random.chance(6)) members.splice(at, 1, this.#resourceId());
    if (random.chance(4)) members.splice(at, 0, ...members.slice(0, 1));
    if (random.chance(3)) return random.chance(50) ? [] : [...this.#resourceIds.slice(0, maxBundleSize + 1)];
    return members;
  }

  #kind(): CommandKind {
    const {resources, reservations} = this.#state();
    const random = this.#random;
    if (resources.size < this.#config.maxResources && random.chance(reservations.size === 0 ? 60 : 25)) {
      return 'create_resource';
    }
    return random.weighted(this.#weights);
  }

  #command(): Command {
    const random = this.#random;
    const kind = this.#kind();
    switch (kind) {
      case 'create_resource': {
        const next = this.#resourceIds[this.#state().resources.size];
        return {kind, resourceId: random.chance(80) ? (next ?? 0n) : this.#resourceId()};
      }
      case 'reserve': {
        const free = random.chance(75) ? random.pickFrom(this.#free()) : null;
        const resourceId = free ?? this.#resourceId();
        return {kind, resourceId, holderId: random.pick(this.#holderIds), ttlSlots: this.#ttl()};
      }
      case 'reserve_bundle':
        return {kind, holderId: random.pick(this.#holderIds), ttlSlots: this.#ttl(), resourceIds: this.#members()};
      case 'confirm':
      case 'confirm_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved']);
        return kind === 'confirm' ? {kind, reservationId, holderId} : {kind, reservationId, holderId, leaseEpoch};
      }
      case 'release':
      case 'release_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved', 'confirmed']);
        return kind === 'release' ? {kind, reservationId, holderId} : {kind, reservationId, holderId, leaseEpoch};
      }
      case 'revoke':
      case 'reclaim':
        return {kind, reservationId: this.#target([kind === 'revoke' ? 'confirmed' : 'revoking']).reservationId};
    }
  }

  /** A new operation, one of few ids again, or, byte for byte, one that was sent before, whatever became of it. */
  #payload(): Uint8Array {
    const random = this.#random;
    const {operationIds} = this.#profile;
    const earlier = random.chance(this.#repeatPercent) ? random.pickFrom(this.#payloads) : null;
    if (earlier !== null && random.chance(70)) return earlier;
    const index = operationIds === null ? this.#operations++ : random.below(operationIds);
    // The first half of the few ids differ in their lowest byte, the others in their highest.
    const isHigh = operationIds !== null && index >= operationIds >> 1;
    const ownId = isHigh ? BigInt(index) << 120n : BigInt(index);
    const operationId = earlier === null ? ownId : operationIdOf(earlier);
    const bytes = encodeClientRequest({operationId, clientId: BigInt(random.below(3)), command: this.#command()});
    this.#payloads.push(bytes);
    if (this.#payloads.length > REMEMBERED) this.#payloads.shift();
    return bytes;
  }
}

function operationIdOf(payload: Uint8Array): bigint {
  const view = new DataView(payload.buffer, payload.byteOffset);
  return view.getBigUint64(0, true) | (view.getBigUint64(8, true) << 64n);
}

function clamped(slot: bigint): bigint {
  if (slot < 0n) return 0n;
  return slot > U64_MAX ? U64_MAX : slot;
}
