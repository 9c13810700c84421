// Seeded request streams, biased towards what is likely to be handled wrongly.
//
// Ids come from small pools so that requests meet each other; slots stall, jump to the edges of windows, go back and now
// and then lie near the end of time; operations are repeated, altered, replayed late; frames and payloads are cut, padded
// and mislabelled. A model runs along to know what is alive. Each seed weighs all of this differently. Generated
// streams are not stored: seed, configuration and count give the same bytes on every machine.

import {malformFrame, malformPayload} from './generator_malformed.ts';
import {StreamScans} from './generator_scans.ts';
import {U64_MAX} from './model/bytes.ts';
import {type Command, decodeClientRequest, encodeClientRequest} from './model/command.ts';
import {type ModelConfig, operationWindow} from './model/config.ts';
import {Model, type ModelStart} from './model/model.ts';
import {encodeApiRequest} from './model/request.ts';
import type {Reservation, State} from './model/state.ts';
import {Random} from './random.ts';

const REMEMBERED_PAYLOADS = 48;
const REMEMBERED_RESERVATIONS = 48;

type RequestKind =
  | 'submit'
  | 'batch'
  | 'tick'
  | 'get_resource'
  | 'get_reservation'
  | 'get_lease'
  | 'metrics'
  | 'bad_frame';
type SlotMove = 'stall' | 'step' | 'walk' | 'window' | 'back' | 'far';
type PayloadKind = 'fresh' | 'repeat' | 'conflict' | 'other_client' | 'malformed';

class StreamGenerator {
  readonly #random: Random;
  readonly #scans: StreamScans;
  readonly #config: ModelConfig;
  readonly #model: Model;
  readonly #requestWeights: Record<RequestKind, number>;
  readonly #slotWeights: Record<SlotMove, number>;
  readonly #payloadWeights: Record<PayloadKind, number>;
  readonly #commandWeights: Record<Command['kind'], number>;
  readonly #resourceIds: bigint[];
  readonly #holderIds: [bigint, ...bigint[]];
  readonly #mayEndTime: boolean;
  readonly #payloads: Uint8Array[] = [];
  readonly #reservationIds: bigint[] = [];
  #nextOperationId = 1n;
  #clock: bigint;

  constructor(seed: bigint, config: ModelConfig, start: ModelStart | null) {
    const random = new Random(seed).fork('stream');
    const wide = random.chance(30);
    const id = (index: number): bigint => (wide ? random.u128() : BigInt(index));
    // A swarm: a seed that does much of one thing finds what an average over all things never reaches.
    const swarm = (weight: number): number => weight * random.pick([1, 1, 2, 4]);
    this.#random = random;
    this.#config = config;
    this.#model = new Model(config, start);
    this.#clock = start?.slot ?? BigInt(random.below(50));
    this.#resourceIds = Array.from({length: config.maxResources + 2}, (_, index) => id(index));
    this.#holderIds = [id(1), id(2), id(3)];
    this.#scans = new StreamScans(random.fork('scans'), this.#holderIds);
    this.#mayEndTime = random.chance(12);
    this.#requestWeights = {
      submit: 50,
      batch: swarm(4),
      tick: swarm(8),
      get_resource: swarm(3),
      get_reservation: swarm(3),
      get_lease: swarm(3),
      metrics: swarm(3),
      bad_frame: swarm(1),
    };
    this.#slotWeights = {stall: swarm(40), step: swarm(20), walk: swarm(10), window: swarm(3), back: swarm(3), far: 1};
    this.#payloadWeights = {
      fresh: 80,
      repeat: swarm(6),
      conflict: swarm(3),
      other_client: swarm(1),
      malformed: swarm(2),
    };
    this.#commandWeights = {
      create_resource: swarm(8),
      reserve: swarm(16),
      reserve_bundle: swarm(10),
      confirm: swarm(8),
      confirm_fenced: swarm(5),
      release: swarm(6),
      release_fenced: swarm(5),
      revoke: swarm(6),
      reclaim: swarm(6),
    };
  }

  next(): Uint8Array {
    const frame = this.#frame();
    const response = this.#model.answer(frame);
    const answers = response.kind === 'batch' ? response.answers : [response];
    for (const answer of answers) {
      if (answer.kind === 'committed' && answer.reservationId !== null && !answer.fromRetryCache) {
        this.#reservationIds.push(answer.reservationId);
      }
    }
    if (this.#reservationIds.length > REMEMBERED_RESERVATIONS) this.#reservationIds.shift();
    return frame;
  }

  /** Towards the last lsn holds are gathered, so that a tick can need more lsns than are left. */
  #requestKind(): RequestKind {
    const kind = this.#random.weighted(this.#requestWeights);
    if (!this.#nearLastLsn()) return kind;
    const due = Math.min(this.#model.machine.due(U64_MAX).length, this.#config.maxExpirationsPerTick);
    const lacking = BigInt(due) - (U64_MAX - this.#lastLsn);
    if (lacking >= 0n && this.#random.chance(lacking === 0n ? 20 : 50)) return 'tick';
    return kind === 'tick' ? 'submit' : kind;
  }

  #nearLastLsn(): boolean {
    const lsnsLeft = U64_MAX - this.#lastLsn;
    return lsnsLeft > 0n && lsnsLeft < 12n;
  }

  #frame(): Uint8Array {
    const kind = this.#requestKind();
    switch (kind) {
      case 'submit':
        return encodeApiRequest({kind: 'submit', requestSlot: this.#writeSlot(), payload: this.#payload()});
      case 'batch': {
        const length = this.#random.pick([0, 1, 2, 3, 5, 8]);
        const payloads = Array.from({length}, () => this.#payload());
        return encodeApiRequest({kind: 'submit_batch', requestSlot: this.#writeSlot(), payloads});
      }
      case 'tick':
        return encodeApiRequest({kind: 'tick_expirations', currentSlot: this.#tickSlot()});
      case 'get_resource': {
        const resourceId = this.#resourceId();
        return this.#scans.instead({kind: 'get_resource', requiredLsn: this.#fence(), resourceId}, this.#state);
      }
      case 'get_reservation':
      case 'get_lease': {
        const reservationId = this.#reservationId();
        const currentSlot = this.#readSlot(reservationId);
        return this.#scans.instead({kind, requiredLsn: this.#fence(), currentSlot, reservationId}, this.#state);
      }
      case 'metrics':
        return encodeApiRequest({kind: 'get_metrics', currentSlot: this.#moveSlot(true)});
      case 'bad_frame':
        return this.#badFrame(this.#clock);
    }
  }

  get #state(): State {
    return this.#model.machine.state;
  }

  get #lastLsn(): bigint {
    return this.#state.lastAppliedLsn ?? 0n;
  }

  #clamped(slot: bigint): bigint {
    if (slot < 0n) return 0n;
    return slot > U64_MAX ? U64_MAX : slot;
  }

  /** Slots at which something changes: the lengths of every window, and one beside each. */
  #windowLength(): bigint {
    const {maxTtlSlots, reservationHistoryWindowSlots} = this.#config;
    const lengths: [bigint, ...bigint[]] = [maxTtlSlots, reservationHistoryWindowSlots, operationWindow(this.#config)];
    return this.#random.pick(lengths) + BigInt(this.#random.between(-1, 1));
  }

  #moveSlot(onlyLooks: boolean): bigint {
    const random = this.#random;
    switch (random.weighted(this.#slotWeights)) {
      case 'stall':
        return this.#clock;
      case 'step':
        this.#clock = this.#clamped(this.#clock + 1n);
        return this.#clock;
      case 'walk':
        this.#clock = this.#clamped(this.#clock + BigInt(random.between(2, 6)));
        return this.#clock;
      case 'window': {
        const slot = this.#clamped(this.#clock + this.#windowLength());
        if (slot < 1n << 62n && !onlyLooks) this.#clock = slot;
        return slot;
      }
      case 'back':
        return random.chance(20) ? 0n : this.#clamped(this.#clock - BigInt(random.between(1, 12)));
      case 'far':
        return this.#clamped(U64_MAX - random.pick([0n, 1n, this.#windowLength()]));
    }
  }

  /** Where time may not end, a slot that would be accepted near its end is one of the present instead. */
  #writeSlot(): bigint {
    const full = this.#state.operations.size === this.#config.maxOperations;
    // A full operation table refuses everything alike: enough of that, once in a while time moves past it.
    if (full && this.#random.chance(10)) {
      const past = this.#clock + operationWindow(this.#config) + 1n;
      if (past < 1n << 62n) this.#clock = past;
    }
    const slot = this.#moveSlot(false);
    const accepted = slot + operationWindow(this.#config) <= U64_MAX;
    return slot >= 1n << 62n && accepted && !this.#mayEndTime ? this.#clock : slot;
  }

  #tickSlot(): bigint {
    if (this.#nearLastLsn()) return this.#clamped(this.#clock + this.#config.maxTtlSlots);
    const history = this.#config.reservationHistoryWindowSlots;
    if (history > 0n && this.#random.chance(3)) return U64_MAX - (history >> 1n);
    const deadline = this.#random.chance(30) ? this.#livingReservation(['reserved'])?.deadlineSlot : undefined;
    const slot = deadline ?? this.#moveSlot(false);
    const accepted = slot + history <= U64_MAX;
    return slot >= 1n << 62n && accepted && !this.#mayEndTime ? this.#clock : slot;
  }

  #readSlot(reservationId: bigint): bigint {
    const retireAfter = this.#state.reservations.get(reservationId)?.retireAfterSlot;
    if (retireAfter !== undefined && retireAfter !== null && this.#random.chance(50)) {
      return this.#clamped(retireAfter + BigInt(this.#random.between(-1, 1)));
    }
    return this.#moveSlot(true);
  }

  #fence(): bigint | null {
    const last = this.#lastLsn;
    return this.#random.pick([null, null, 0n, last, last > 3n ? last - 3n : last, this.#clamped(last + 1n), U64_MAX]);
  }

  #resourceId(): bigint {
    return this.#random.pickFrom(this.#resourceIds) ?? 0n;
  }

  #livingReservation(states: readonly string[]): Reservation | null {
    const fitting = [...this.#state.reservations.values()].filter(row => states.includes(row.state));
    return this.#random.pickFrom(fitting);
  }

  #reservationId(): bigint {
    const random = this.#random;
    const ofThisShard = this.#config.shardId << 64n;
    const choice = random.below(100);
    if (choice < 35) return random.pickFrom([...this.#state.reservations.keys()]) ?? 1n;
    if (choice < 80) return random.pickFrom(this.#reservationIds) ?? ofThisShard;
    if (choice < 86) return ofThisShard | this.#clamped(this.#lastLsn + BigInt(random.between(0, 3)));
    if (choice < 92) return BigInt.asUintN(128, (ofThisShard | this.#lastLsn) ^ (1n << BigInt(random.below(128))));
    return ofThisShard | BigInt(random.below(4));
  }

  /** Mostly one the command can succeed on, with its holder and epoch; sometimes any, sometimes with another's. */
  #target(states: readonly string[]): {reservationId: bigint; holderId: bigint; leaseEpoch: bigint} {
    const random = this.#random;
    const fitting = random.chance(65) ? this.#livingReservation(states) : null;
    const reservationId = fitting?.reservationId ?? this.#reservationId();
    const row = this.#state.reservations.get(reservationId);
    const holderId = row !== undefined && random.chance(85) ? row.holderId : random.pick(this.#holderIds);
    const epoch = row?.leaseEpoch ?? 1n;
    const leaseEpoch = random.chance(70) ? epoch : random.pick([epoch - 1n, epoch + 1n, 0n, U64_MAX]);
    return {reservationId, holderId, leaseEpoch};
  }

  #ttl(): bigint {
    const random = this.#random;
    const {maxTtlSlots} = this.#config;
    if (random.chance(6)) return random.pick([0n, maxTtlSlots + 1n, U64_MAX]);
    if (random.chance(20)) return maxTtlSlots;
    const most = maxTtlSlots > 8n ? 8 : Number(maxTtlSlots);
    return BigInt(random.between(1, most));
  }

  #members(): bigint[] {
    const random = this.#random;
    const {maxBundleSize} = this.#config;
    const length = random.chance(10) ? random.pick([0, maxBundleSize + 1]) : random.between(1, maxBundleSize);
    const free = [...this.#state.resources.values()]
      .filter(row => row.state === 'available')
      .map(row => row.resourceId);
    const members: bigint[] = [];
    while (members.length < length) {
      const candidate = random.chance(90) ? free.splice(random.below(free.length), 1)[0] : undefined;
      const repeated = random.chance(6) ? random.pickFrom(members) : null;
      members.push(repeated ?? candidate ?? this.#resourceId());
    }
    return members;
  }

  #commandKind(): Command['kind'] {
    const random = this.#random;
    const {maxResources} = this.#config;
    const created = this.#state.resources.size;
    if (2 * created < maxResources && random.chance(40)) return 'create_resource';
    if (this.#nearLastLsn() && random.chance(80)) return 'reserve';
    const kind = random.weighted(this.#commandWeights);
    // Once there is nothing left to create, trying is worth a look now and then, no more.
    return kind === 'create_resource' && created === maxResources && random.chance(80) ? 'reserve' : kind;
  }

  #command(): Command {
    const random = this.#random;
    const {resources} = this.#state;
    const kind = this.#commandKind();
    switch (kind) {
      case 'create_resource':
        return {kind, resourceId: this.#resourceId()};
      case 'reserve': {
        const free = [...resources.values()].filter(row => row.state === 'available');
        const resourceId = (random.chance(60) ? random.pickFrom(free)?.resourceId : undefined) ?? this.#resourceId();
        return {kind, resourceId, holderId: random.pick(this.#holderIds), ttlSlots: this.#ttl()};
      }
      case 'reserve_bundle':
        return {kind, holderId: random.pick(this.#holderIds), ttlSlots: this.#ttl(), resourceIds: this.#members()};
      case 'confirm':
      case 'confirm_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved']);
        if (kind === 'confirm') return {kind, reservationId, holderId};
        return {kind, reservationId, holderId, leaseEpoch: BigInt.asUintN(64, leaseEpoch)};
      }
      case 'release':
      case 'release_fenced': {
        const {reservationId, holderId, leaseEpoch} = this.#target(['reserved', 'confirmed']);
        if (kind === 'release') return {kind, reservationId, holderId};
        return {kind, reservationId, holderId, leaseEpoch: BigInt.asUintN(64, leaseEpoch)};
      }
      case 'revoke':
        return {kind, reservationId: this.#target(['confirmed']).reservationId};
      case 'reclaim':
        return {kind, reservationId: this.#target(['revoking']).reservationId};
    }
  }

  /** The same effect under another tag, where there is one: a different command to the retry cache. */
  #nearlySame(command: Command): Command {
    const {kind} = command;
    if (kind === 'reserve') return {...command, kind: 'reserve_bundle', resourceIds: [command.resourceId]};
    if (kind === 'confirm') return {...command, kind: 'confirm_fenced', leaseEpoch: 1n};
    if (kind === 'release_fenced') return {kind: 'release', ...this.#target(['reserved'])};
    return this.#command();
  }

  #freshPayload(): Uint8Array {
    const operationId = this.#nextOperationId;
    this.#nextOperationId += 1n;
    return encodeClientRequest(operationId, BigInt(this.#random.below(3)), this.#command());
  }

  #payload(): Uint8Array {
    const random = this.#random;
    const kind = random.weighted(this.#payloadWeights);
    if (kind === 'malformed') return this.#malformed();
    const earlier = kind === 'fresh' ? null : random.pickFrom(this.#payloads);
    if (kind === 'fresh' || earlier === null) {
      const payload = this.#freshPayload();
      this.#payloads.push(payload);
      if (this.#payloads.length > REMEMBERED_PAYLOADS) this.#payloads.shift();
      return payload;
    }
    if (kind === 'repeat') return earlier;
    const {operationId, clientId, command} = decodeClientRequest(earlier);
    if (kind === 'other_client') return encodeClientRequest(operationId, random.u128(), command);
    const altered = random.chance(40) ? this.#nearlySame(command) : this.#command();
    return encodeClientRequest(operationId, clientId, altered);
  }

  #malformed(): Uint8Array {
    const random = this.#random;
    const holderId = random.pick(this.#holderIds);
    const bundle: Command = {kind: 'reserve_bundle', holderId, ttlSlots: 1n, resourceIds: this.#members()};
    const payload = this.#freshPayload();
    return malformPayload(
      random,
      payload,
      encodeClientRequest(random.u128(), 0n, bundle),
      this.#config.maxCommandBytes,
    );
  }

  #badFrame(requestSlot: bigint): Uint8Array {
    const frames: [Uint8Array, ...Uint8Array[]] = [
      encodeApiRequest({kind: 'submit', requestSlot, payload: this.#freshPayload()}),
      encodeApiRequest({kind: 'submit_batch', requestSlot, payloads: [this.#freshPayload(), this.#freshPayload()]}),
      encodeApiRequest({kind: 'get_resource', requiredLsn: this.#fence(), resourceId: this.#resourceId()}),
      encodeApiRequest({kind: 'get_lease', requiredLsn: 1n, currentSlot: requestSlot, reservationId: 1n}),
      encodeApiRequest({kind: 'get_metrics', currentSlot: requestSlot}),
      encodeApiRequest({kind: 'tick_expirations', currentSlot: requestSlot}),
    ];
    return this.#scans.insteadOfBad(malformFrame(this.#random, frames), requestSlot);
  }
}

/** Frames for handleApiBytes: the same for the same arguments, always. */
export function generateStream(
  seed: bigint,
  config: ModelConfig,
  count: number,
  start: ModelStart | null = null,
): Uint8Array[] {
  const generator = new StreamGenerator(seed, config, start);
  return Array.from({length: count}, () => generator.next());
}
