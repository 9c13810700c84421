/**
 * The core and the naive model side by side: every request is given to both, and the first difference is returned as text.
 * Compared are answers, ids, deadlines, lsns and the retry flag of every command, what is due at every tick, every read,
 * and, when asked, digests and whole states. A twin of the core runs along under another hash seed, takes the other path
 * through the core's interface, and is put through a snapshot now and then.
 *
 * What is asked comes from a stream (`equivalence_streams.ts`, or generated frames); no vitest here, because campaigns run
 * it too.
 */
import {isDeepStrictEqual} from 'node:util';
import {checkInvariants, digestOf} from '@allocdb/core';
import {type ApiRequest, type Expiry, Model, type ModelConfig, type ModelStart, type Random} from '@allocdb/sim';
import {CoreDriver} from './core_driver.ts';
import {type ReservationScan, type ResourceScan, reservationsWalkOf, resourcesPageOf} from './core_scans.ts';
import {digestOfModel} from './equivalence_digest.ts';

const U64_MAX = 2n ** 64n - 1n;
const REMEMBERED_PAYLOADS = 20;
/** Slices of a snapshot hold up to so many words beyond the largest record. */
const ROOM_WORDS_MAX = 200;

/** Something that was applied, as a core does it; run on another core it must give the same. */
export interface Action {
  readonly run: (core: CoreDriver) => unknown;
  readonly expected: unknown;
}

export interface PairOptions {
  readonly config: ModelConfig;
  readonly start: ModelStart | null;
  readonly random: Random;
  /** Whether records are mixed in that no engine would log: a repeat, an expire of anything, gaps between lsns. */
  readonly disturbed: boolean;
  /** Is told of everything that was applied or answered from memory. */
  readonly onAction?: (action: Action) => void;
}

/** Values with bigints as readable text. */
export function text(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}` : part));
}

export function randomHashSeed(random: Random): Int32Array {
  return Int32Array.from({length: 8}, () => random.u32());
}

export class Pair {
  readonly model: Model;
  readonly core: CoreDriver;
  commands: number = 0;
  reloads: number = 0;
  readonly codes: Map<string, number> = new Map();
  #twin: CoreDriver;
  readonly #options: PairOptions;
  readonly #random: Random;
  #payloads: Uint8Array[] = [];

  constructor(options: PairOptions) {
    const {config, start, random} = options;
    this.#options = options;
    this.#random = random;
    this.model = new Model(config, start);
    this.core = new CoreDriver(config, start, randomHashSeed(random));
    this.#twin = new CoreDriver(config, start, randomHashSeed(random));
  }

  /** What was answered differently, or null. */
  step(request: ApiRequest): string | null {
    const random = this.#random;
    if (random.chance(2)) {
      this.#twin = this.#twin.reloaded(randomHashSeed(random), random.below(ROOM_WORDS_MAX));
      this.reloads++;
    }
    if (this.#options.disturbed && random.chance(10)) {
      const difference = this.#disturb();
      if (difference !== null) return difference;
    }
    switch (request.kind) {
      case 'submit':
        return this.#submit(request.requestSlot, request.payload);
      case 'submit_batch': {
        const {requestSlot, payloads} = request;
        for (const payload of payloads) {
          const difference = this.#submit(requestSlot, payload);
          if (difference !== null) return difference;
        }
        return null;
      }
      case 'tick_expirations':
        return this.#tick(request.currentSlot);
      case 'get_metrics':
        return this.#metrics(request.currentSlot);
      case 'get_resource': {
        const {resourceId} = request;
        const expected = this.model.machine.state.resources.get(resourceId) ?? null;
        return this.#same(`resource ${resourceId}`, expected, this.core.resource(resourceId));
      }
      case 'get_reservation':
      case 'get_lease': {
        const {reservationId, currentSlot} = request;
        const read = this.model.answerRequest({kind: 'get_lease', requiredLsn: null, currentSlot, reservationId});
        const expected = read.kind === 'lease_found' ? read.reservation : read.kind;
        return this.#same(`reservation ${reservationId}`, expected, this.core.reservation(reservationId, currentSlot));
      }
      case 'scan_resources':
        return this.#resources(request);
      case 'scan_reservations':
        return this.#reservations(request);
    }
  }

  /** The core's digest against that of the model's records. The hash seed decides where a key lies, and nothing else. */
  compareDigests(): string | null {
    const expected = digestOfModel(this.model.machine.state);
    const difference = this.#same('digest', expected, digestOf(this.core.db));
    return difference ?? this.#same('digest under another hash seed', expected, digestOf(this.#twin.db));
  }

  /** Every record of both, row by row, and the invariants of both. */
  compareStates(): string | null {
    const difference = this.#same('state', this.model.dumpState(), this.core.dumpState()) ?? this.#walks();
    if (difference !== null) return difference;
    const violations = [
      ...checkInvariants(this.core.db),
      ...checkInvariants(this.#twin.db),
      ...this.model.invariants(),
    ];
    return violations.length > 0 ? violations.join('; ') : this.compareDigests();
  }

  #same(what: string, expected: unknown, actual: unknown): string | null {
    if (isDeepStrictEqual(expected, actual)) return null;
    return `${what}\nmodel ${text(expected)}\ncore  ${text(actual)}`;
  }

  /** Both tables from the first row on. */
  #walks(): string | null {
    const whole = {requiredLsn: null, state: null, position: 0n, limit: 0};
    const all = {kind: 'scan_reservations', currentSlot: this.core.lastSlot, holderId: null, ...whole} as const;
    return this.#resources({kind: 'scan_resources', ...whole}) ?? this.#reservations(all);
  }

  #resources(request: ResourceScan): string | null {
    const expected = this.model.answerRequest({...request, requiredLsn: null});
    const difference = this.#same(text(request), expected, resourcesPageOf(this.core, request));
    return difference ?? this.#same(`${text(request)} of the twin`, expected, resourcesPageOf(this.#twin, request));
  }

  #reservations(request: ReservationScan): string | null {
    const expected = this.model.answerRequest({...request, requiredLsn: null});
    const sizes = {rowsMax: this.#random.between(1, 9), foundMax: this.#random.between(1, 5)};
    const difference = this.#same(text(request), expected, reservationsWalkOf(this.core, request, sizes));
    return difference ?? this.#same('that of the twin', expected, reservationsWalkOf(this.#twin, request, sizes));
  }

  /** Applies to both cores and compares; `onTwin` may take another way to the same. */
  #act(what: string, expected: unknown, run: Action['run'], onTwin: Action['run'] = run): string | null {
    this.#options.onAction?.({run: onTwin, expected});
    const difference = this.#same(what, expected, run(this.core));
    return difference ?? this.#same(`${what} of the twin`, expected, onTwin(this.#twin));
  }

  #submit(slot: bigint, payload: Uint8Array): string | null {
    this.commands++;
    this.#payloads.push(payload);
    if (this.#payloads.length > REMEMBERED_PAYLOADS) this.#payloads.shift();
    const expected = this.model.submit(slot, payload);
    const code = expected.kind === 'committed' ? expected.result : expected.failure.code;
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (expected.kind === 'committed' && expected.fromRetryCache) {
      this.codes.set('from_retry_cache', (this.codes.get('from_retry_cache') ?? 0) + 1);
    }
    return this.#act(
      'answer',
      expected,
      core => core.submit(slot, payload, true),
      core => core.submit(slot, payload, false),
    );
  }

  #tick(slot: bigint): string | null {
    const due = this.model.machine.due(slot);
    const batch = due.slice(0, this.core.config.maxExpirationsPerTick);
    const expected = {first: batch, count: due.length, any: due.length > 0};
    const difference = this.#same(`due at ${slot}`, expected, this.core.due(slot));
    if (difference !== null || U64_MAX - this.core.lastLsn < BigInt(batch.length)) return difference;
    const at = slot > this.core.lastSlot ? slot : this.core.lastSlot;
    for (const expiry of batch) {
      const failed = this.#expire(at, this.core.lastLsn + 1n, expiry);
      if (failed !== null) return failed;
    }
    return null;
  }

  #expire(slot: bigint, lsn: bigint, expiry: Expiry): string | null {
    this.commands++;
    const expected = this.model.applyExpire(lsn, slot, expiry);
    return this.#act('expire', expected, core => core.applyExpire(lsn, slot, expiry));
  }

  #metrics(slot: bigint): string | null {
    const {logicalSlotLag, expirationBacklog, operationTableUsed} = this.model.metrics(slot);
    const {count, any} = this.core.due(slot);
    const actual = {lag: this.core.slotLag(slot), due: count, any, used: this.core.db.operations.used};
    const expected = {
      lag: logicalSlotLag,
      due: expirationBacklog,
      any: expirationBacklog > 0,
      used: operationTableUsed,
    };
    return this.#same(`metrics at ${slot}`, expected, actual);
  }

  #disturb(): string | null {
    const random = this.#random;
    const {lastSlot: slot, lastLsn} = this.core;
    if (lastLsn > U64_MAX - 20n) return null;
    const lsn = lastLsn + BigInt(random.between(1, 3));
    const payload = random.pickFrom(this.#payloads);
    if (payload !== null && random.chance(50)) {
      let expected: unknown;
      try {
        expected = this.model.applyClient(lsn, slot, payload);
      } catch {
        // It does not decode, so it is never logged.
        return null;
      }
      this.commands++;
      return this.#act('logged repeat', expected, core => core.applyClient(lsn, slot, payload));
    }
    const held = random.pickFrom([...this.model.machine.state.reservations.values()]);
    const reservationId = held !== null && random.chance(90) ? held.reservationId : random.u128();
    const deadlineSlot = held !== null && random.chance(80) ? held.deadlineSlot : slot;
    return this.#expire(slot, lsn, {reservationId, deadlineSlot});
  }
}
