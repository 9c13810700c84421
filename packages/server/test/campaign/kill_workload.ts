/**
 * What the clients of a kill campaign want: a few hot resources and many others, holds that expire within tenths of a
 * second and holds that last, bundles, confirmations, releases by the holder and by others, revocations, reads. The seed
 * decides every wish; which of them come true, and in which order, the server decides.
 *
 * Not here: sending (`kill_clients.ts`).
 */
import type {ApiRequest, Command} from '@allocdb/api';
import type {Random} from '@allocdb/sim';

export const RESOURCES = 300;
const HOT_RESOURCES = 6;
const KNOWN_HOLDS = 64;
/** Slots are 10 ms. */
const SHORT_SLOTS = 15;
const LONG_SLOTS = 2000;

export interface Operation {
  readonly id: bigint;
  readonly command: Command;
}

export interface Hold {
  readonly id: bigint;
  readonly holder: bigint;
}

/** A read, as it is sent and as it is recorded. */
export interface ReadWish {
  readonly kind: 'get_resource' | 'get_reservation' | 'get_lease';
  readonly id: bigint;
  readonly requiredLsn: bigint | null;
}

export class KillWorkload {
  readonly #random: Random;
  readonly #prefix: bigint;
  #operations: number = 0;
  #created: number = 0;
  readonly #holds: Hold[] = [];

  constructor(random: Random, seed: number) {
    this.#random = random;
    this.#prefix = BigInt(seed) << 64n;
  }

  /** The next wish of a client; until every resource is there mostly to create one. */
  operation(client: bigint): Operation {
    return {id: this.#prefix | BigInt(++this.#operations), command: this.#command(client)};
  }

  read(lastLsn: bigint): ReadWish {
    const random = this.#random;
    const kind = (['get_resource', 'get_reservation', 'get_lease'] as const)[random.below(3)] ?? 'get_lease';
    const id = kind === 'get_resource' ? this.#resource() : this.#hold().id;
    return {kind, id, requiredLsn: random.chance(40) ? lastLsn + BigInt(random.below(3) === 0 ? 1 : 0) : null};
  }

  /** A hold that somebody was granted. */
  granted(hold: Hold): void {
    if (this.#holds.length < KNOWN_HOLDS) this.#holds.push(hold);
    else this.#holds[this.#random.below(KNOWN_HOLDS)] = hold;
  }

  #command(client: bigint): Command {
    const random = this.#random;
    if (this.#created < RESOURCES && random.chance(70)) {
      return {kind: 'create_resource', resourceId: BigInt(++this.#created)};
    }
    const dice = random.below(100);
    const ttlSlots = BigInt(
      random.chance(60) ? random.between(1, SHORT_SLOTS) : random.between(SHORT_SLOTS, LONG_SLOTS),
    );
    if (dice < 32) return {kind: 'reserve', resourceId: this.#resource(), holderId: client, ttlSlots};
    if (dice < 46) {
      const resourceIds = Array.from({length: random.between(1, 4)}, () => this.#resource());
      return {kind: 'reserve_bundle', resourceIds, holderId: client, ttlSlots};
    }
    if (dice < 48) return {kind: 'create_resource', resourceId: this.#resource()};
    const hold = this.#hold();
    const holderId = random.chance(93) ? hold.holder : client;
    const leaseEpoch = BigInt(random.chance(85) ? 1 : 2);
    if (dice < 58) return {kind: 'confirm', reservationId: hold.id, holderId};
    if (dice < 63) return {kind: 'confirm_fenced', reservationId: hold.id, holderId, leaseEpoch};
    if (dice < 80) return {kind: 'release', reservationId: hold.id, holderId};
    if (dice < 85) return {kind: 'release_fenced', reservationId: hold.id, holderId, leaseEpoch};
    return {kind: dice < 92 ? 'revoke' : 'reclaim', reservationId: hold.id};
  }

  #resource(): bigint {
    const random = this.#random;
    return BigInt(1 + random.below(random.chance(35) ? HOT_RESOURCES : RESOURCES + 2));
  }

  #hold(): Hold {
    const hold = this.#holds[this.#random.below(this.#holds.length)];
    return hold ?? {id: 1n + BigInt(this.#random.below(5000)), holder: 1n};
  }
}

/** The request for a read; the server has its own slot. */
export function readRequest({kind, id, requiredLsn}: ReadWish): ApiRequest {
  if (kind === 'get_resource') return {type: kind, requiredLsn, resourceId: id};
  return {type: kind, requiredLsn, currentSlot: 0n, reservationId: id};
}
