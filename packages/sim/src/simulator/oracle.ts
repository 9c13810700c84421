// What each request must be answered with: the naive model, fed with the engine's requests in the engine's order.
//
// The model neither queues nor fails. Where the engine refuses for a reason of its own (its queue, a full disk, a halt)
// the reason is judged from the circumstances, and a command that was refused for certain is kept from the model, so that
// an engine which applied it after all differs from then on. Every record that the model logged is kept: after a crash
// the model is built again through the lsn that the engine recovered to.
// Not here: when an answer may be shown, and what clients make of it (`clients.ts`, `ledger.ts`),
// and what a halt makes of answers that wait (`after_halt.ts`).
import {CodecError, U64_MAX} from '../model/bytes.ts';
import {type ClientRequest, decodeClientRequest} from '../model/command.ts';
import type {ModelConfig} from '../model/config.ts';
import {Model, type ModelStart} from '../model/model.ts';
import {type ApiRequest, decodeApiRequest} from '../model/request.ts';
import {encodeApiResponse, type Metrics} from '../model/response.ts';
import {pageInIdOrder} from '../model/scans.ts';
import type {Committed, Expiry, State} from '../model/state.ts';
import type {AskedMetrics, Circumstances, Decision, LogRecord, Part} from './decision.ts';
import {FRAME_HEADER_BYTES, RECORD_HEADER_BYTES} from './frame_watch.ts';
import {
  engineHalted,
  hex,
  maskedMetrics,
  overloaded,
  type Refused,
  sameBytes,
  startsWith,
  storageFailure,
  storageFull,
} from './refusals.ts';
import {Violation} from './violation.ts';

/** What opening found, as metrics must tell it. */
export interface Recovered {
  readonly lsn: bigint;
  readonly hasSnapshot: boolean;
  readonly snapshotLsn: bigint;
}

/** Payload of the record of an expiry. */
const EXPIRE_BYTES = 25;
const NOTHING: Decision = {needs: null, isRefusal: false, parts: [], metrics: null};

type Recovery = Pick<Metrics, 'startupKind' | 'loadedSnapshotLsn' | 'replayedWalFrameCount' | 'replayedWalLastLsn'>;

export class Oracle {
  readonly config: ModelConfig;
  readonly #start: ModelStart | null;
  readonly #maxFrameBytes: number;
  #model: Model;
  #records: LogRecord[] = [];
  #recovery: Recovery | null = null;

  constructor(config: ModelConfig, start: ModelStart | null, maxFrameBytes: number) {
    this.config = config;
    this.#maxFrameBytes = maxFrameBytes;
    this.#start = start;
    this.#model = new Model(config, start);
  }

  get model(): Model {
    return this.#model;
  }

  get state(): State {
    return this.#model.machine.state;
  }

  get lastLsn(): bigint {
    return this.state.lastAppliedLsn ?? 0n;
  }

  get records(): readonly LogRecord[] {
    return this.#records;
  }

  /** The record of an lsn that was logged since the beginning. */
  record(lsn: bigint): LogRecord | null {
    return this.#records[Number(lsn - (this.#start?.lsn ?? 0n)) - 1] ?? null;
  }

  /** Client records behind an lsn. */
  commandsBehind(lsn: bigint): number {
    let count = 0;
    for (let i = this.#records.length - 1; i >= 0; i--) {
      const record = this.#records[i];
      if (record === undefined || record.lsn <= lsn) break;
      if (record.payload !== null) count++;
    }
    return count;
  }

  /** Which kind of record this request would append, if anything. */
  wouldLog(frame: Uint8Array, stated: (slot: bigint) => bigint): 'client' | 'internal' | null {
    const request = requestOf(frame);
    if (request === null) return null;
    if (request.kind === 'tick_expirations') {
      return this.#dueInTick(stated(request.currentSlot)).length > 0 && this.lastLsn !== U64_MAX ? 'internal' : null;
    }
    if (request.kind !== 'submit' && request.kind !== 'submit_batch') return null;
    const payloads = request.kind === 'submit' ? [request.payload] : request.payloads;
    return payloads.some(payload => this.#fate(stated(request.requestSlot), payload) === 'log') ? 'client' : null;
  }

  /** Judges the answer that the engine has decided on, and takes over what it has applied. */
  judge(request: ApiRequest, actual: Uint8Array, at: Circumstances): Decision {
    switch (request.kind) {
      case 'submit': {
        const {payload} = request;
        const isFull = at.depth >= this.config.maxSubmissionQueue || !this.#fitsFrame(payload.length, 1, at);
        const {part, end} = this.#command(at.stated(request.requestSlot), payload, actual, 0, at, isFull);
        if (end !== actual.length) differ('an answer with nothing behind it', actual);
        const isRefusal = part.fate === 'refused';
        const needs = part.fate === 'committed' || isRefusal ? this.lastLsn : null;
        return {...NOTHING, needs, isRefusal, parts: [part]};
      }
      case 'submit_batch':
        return this.#batch(at.stated(request.requestSlot), request.payloads, actual, at);
      case 'tick_expirations':
        return this.#tick(at.stated(request.currentSlot), actual, at);
      case 'get_resource':
      case 'scan_resources':
        return this.#read(request, 'resource', actual, at);
      case 'get_reservation':
      case 'get_lease':
      case 'scan_reservations':
        return this.#read({...request, currentSlot: at.stated(request.currentSlot)}, 'reservation', actual, at);
      case 'get_metrics':
        return this.#metrics(at.stated(request.currentSlot), actual, at);
    }
  }

  /** The engine has recovered through an lsn: what is behind it never was. */
  recoverTo({lsn, hasSnapshot, snapshotLsn}: Recovered): void {
    this.#model = this.modelAt(lsn);
    this.#records = this.#records.filter(record => record.lsn <= lsn);
    const replayed = lsn - snapshotLsn;
    const withLog = replayed > 0n;
    const bare = withLog ? 'wal_only' : 'fresh_start';
    this.#recovery = {
      startupKind: hasSnapshot ? (withLog ? 'snapshot_and_wal' : 'snapshot_only') : bare,
      loadedSnapshotLsn: snapshotLsn === 0n ? null : snapshotLsn,
      replayedWalFrameCount: Number(replayed),
      replayedWalLastLsn: withLog ? lsn : null,
    };
  }

  /** The model as it was at an lsn. */
  modelAt(lsn: bigint): Model {
    if (lsn === this.lastLsn) return this.#model;
    const model = new Model(this.config, this.#start);
    for (const {lsn: at, slot, payload, expiry} of this.#records) {
      if (at > lsn) break;
      if (payload !== null) model.applyClient(at, slot, payload);
      else if (expiry !== null) model.applyExpire(at, slot, expiry);
    }
    return model;
  }

  #command(
    slot: bigint,
    payload: Uint8Array,
    actual: Uint8Array,
    from: number,
    at: Circumstances,
    isFull: boolean,
  ): {part: Part; end: number} {
    const {config} = this;
    const fate = this.#fate(slot, payload);
    const as = (fate: Part['fate'], bytes: Uint8Array, answer: Committed | null = null): {part: Part; end: number} => {
      if (!startsWith(actual, from, bytes)) differ(bytes, actual.subarray(from));
      const {length} = bytes;
      return {
        part: {payload, fate, answer, length, slot: this.#effective(slot), lsn: this.lastLsn},
        end: from + length,
      };
    };
    const postponed = (bytes: Uint8Array): {part: Part; end: number} => as('postponed', bytes);
    const unknown = (bytes: Uint8Array): {part: Part; end: number} => as('unknown', bytes);
    const halted = engineHalted('submit');
    if (fate !== 'invalid') {
      if (at.haltedBefore) return unknown(halted);
      // What became durable before the halt, within the same request, is answered as it was decided.
      if (fate === 'log' && at.haltedAfter && this.lastLsn < at.knownLsnAfter) return this.#applied(slot, payload, as);
      if (at.haltedAfter && startsWith(actual, from, halted)) return unknown(halted);
      const failed = storageFailure('submit');
      if (at.haltedAfter && startsWith(actual, from, failed)) {
        if (fate === 'log') this.#submit(slot, payload);
        return unknown(failed);
      }
    }
    if (fate === 'log') {
      const queueFull = overloaded('submit', at.depth, config.maxSubmissionQueue);
      if (isFull) return postponed(queueFull);
      const noSpace = storageFull('submit');
      if (at.spaceRefused && startsWith(actual, from, noSpace)) return postponed(noSpace);
    }
    return this.#applied(slot, payload, as);
  }

  #applied<T>(slot: bigint, payload: Uint8Array, as: (fate: Part['fate'], bytes: Uint8Array, to?: Committed) => T): T {
    const answer = this.#submit(slot, payload);
    const expected = encodeApiResponse(answer);
    return answer.kind === 'committed' ? as('committed', expected, answer) : as('refused', expected);
  }

  /** Whether the open frame takes so many more records; while none is being written a full one is written first. */
  #fitsFrame(payloadBytes: number, count: number, {writingLsn}: Circumstances): boolean {
    if (writingLsn === null) return true;
    let bytes = FRAME_HEADER_BYTES + payloadBytes + RECORD_HEADER_BYTES * count;
    for (let i = this.#records.length - 1; i >= 0; i--) {
      const record = this.#records[i];
      if (record === undefined || record.lsn <= writingLsn) break;
      bytes += RECORD_HEADER_BYTES + (record.payload?.length ?? EXPIRE_BYTES);
    }
    return bytes <= this.#maxFrameBytes;
  }

  #batch(slot: bigint, payloads: readonly Uint8Array[], actual: Uint8Array, at: Circumstances): Decision {
    const {maxSubmissionQueue} = this.config;
    const count = payloads.length;
    const refusal = overloaded('submit', at.depth, maxSubmissionQueue);
    const tooMany = at.depth > 0 && at.depth + count > maxSubmissionQueue;
    const bytes = payloads.reduce((sum, {length}) => sum + length, 0);
    // While a frame is being written a batch is taken as a whole or not at all.
    const fits = this.#fitsFrame(bytes, count, at) && (at.writingLsn === null || U64_MAX - this.lastLsn >= count);
    const isHalted = at.haltedBefore || (at.haltedAfter && !startsWith(actual, 3, refusal));
    const refused = count > 0 && !isHalted && (tooMany || !fits);
    const parts: Part[] = [];
    let from = 3;
    for (const payload of payloads) {
      if (refused) {
        if (!startsWith(actual, from, refusal)) differ(refusal, actual.subarray(from));
        parts.push({payload, fate: 'postponed', answer: null, length: refusal.length, slot, lsn: this.lastLsn});
        from += refusal.length;
      } else {
        const {part, end} = this.#command(slot, payload, actual, from, at, false);
        parts.push(part);
        from = end;
      }
    }
    const head = Uint8Array.of(16, count & 0xff, count >> 8);
    if (!startsWith(actual, 0, head) || from !== actual.length) differ(head, actual);
    // A log that fails within the batch leaves members behind the last that is told as committed; nobody is told those.
    const shown = parts.findLast(({fate}) => fate === 'committed');
    return {...NOTHING, needs: shown?.lsn ?? null, parts};
  }

  #tick(currentSlot: bigint, actual: Uint8Array, at: Circumstances): Decision {
    if (at.haltedBefore) return this.#plain(engineHalted('tick'), actual, NOTHING);
    const batch = this.#dueInTick(currentSlot);
    if (batch.length > 0) {
      const isOneOf = (bytes: Uint8Array): boolean => sameBytes(actual, bytes);
      if (at.haltedAfter && isOneOf(engineHalted('tick'))) return NOTHING;
      if (at.spaceRefused && isOneOf(storageFull('tick'))) return NOTHING;
      const fits = this.#fitsFrame(EXPIRE_BYTES * batch.length, batch.length, at);
      if (!fits && isOneOf(overloaded('tick', at.depth, this.config.maxSubmissionQueue))) return NOTHING;
    }
    const before = this.lastLsn;
    const answer = this.#model.tick(currentSlot);
    const groupLast = this.lastLsn;
    const slot = this.state.lastRequestSlot ?? 0n;
    for (const [index, expiry] of batch.entries()) {
      if (before + BigInt(index) >= groupLast) break;
      this.#records.push({
        lsn: before + 1n + BigInt(index),
        slot,
        payload: null,
        key: '',
        expiry,
        isStored: false,
        groupLast,
      });
    }
    return this.#plain(encodeApiResponse(answer), actual, {
      ...NOTHING,
      needs: this.lastLsn,
      isRefusal: answer.kind === 'tick_rejected',
    });
  }

  #read(request: ApiRequest, of: Refused, actual: Uint8Array, at: Circumstances): Decision {
    if (at.haltedBefore) return this.#plain(engineHalted(of), actual, NOTHING);
    const expected = encodeApiResponse(this.#model.answerRequest(request));
    return this.#plain(expected, pageInIdOrder(actual), {...NOTHING, needs: this.lastLsn});
  }

  #metrics(currentSlot: bigint, actual: Uint8Array, at: Circumstances): Decision {
    const {activeSnapshotLsn} = at;
    if (at.haltedBefore) {
      const asked = {slot: currentSlot, activeSnapshotLsn};
      return this.#plain(this.haltedMetrics(asked, at.knownLsn, actual), actual, NOTHING);
    }
    const metrics: Metrics = {
      ...this.#model.metrics(currentSlot),
      ...this.#recovery,
      queueDepth: at.depth,
      activeSnapshotLsn,
    };
    // Where they show no lag, the slot that they were asked for is lost in a halt.
    const asked = {slot: metrics.logicalSlotLag > 0n ? currentSlot : 0n, activeSnapshotLsn};
    const decision = {...NOTHING, needs: this.lastLsn, metrics: asked};
    return this.#plain(encodeApiResponse({kind: 'metrics', metrics}), actual, decision);
  }

  /** Metrics of a halted engine: those of the state that is durable. The backlog may be an older one, and is the given. */
  haltedMetrics({slot, activeSnapshotLsn}: AskedMetrics, durableLsn: bigint, given: Uint8Array): Uint8Array {
    const metrics = {...this.modelAt(durableLsn).metrics(slot), ...this.#recovery, activeSnapshotLsn};
    return maskedMetrics(encodeApiResponse({kind: 'metrics', metrics: {...metrics, acceptingWrites: false}}), given);
  }

  #plain(expected: Uint8Array, actual: Uint8Array, decision: Decision): Decision {
    if (!sameBytes(expected, actual)) differ(expected, actual);
    return decision;
  }

  #submit(slot: bigint, payload: Uint8Array): ReturnType<Model['submit']> {
    const answer = this.#model.submit(slot, payload);
    if (answer.kind === 'committed' && !answer.fromRetryCache) {
      const lsn = answer.appliedLsn;
      const isStored = answer.result !== 'operation_table_full';
      this.#records.push({
        lsn,
        slot: this.#effective(0n),
        payload,
        key: keyOf(payload),
        expiry: null,
        isStored,
        groupLast: lsn,
      });
    }
    return answer;
  }

  #effective(statedSlot: bigint): bigint {
    const last = this.state.lastRequestSlot;
    return last !== null && last > statedSlot ? last : statedSlot;
  }

  #dueInTick(currentSlot: bigint): Expiry[] {
    return this.#model.machine.due(currentSlot).slice(0, this.config.maxExpirationsPerTick);
  }

  /** How far a command gets: refused by decoding, answered without the log, or logged. */
  #fate(statedSlot: bigint, payload: Uint8Array): 'invalid' | 'known' | 'log' {
    if (payload.length > this.config.maxCommandBytes) return 'invalid';
    let request: ClientRequest;
    try {
      request = decodeClientRequest(payload);
    } catch {
      return 'invalid';
    }
    const {machine} = this.#model;
    const slot = this.#effective(statedSlot);
    if (machine.recall(request, slot) !== null || this.lastLsn === U64_MAX) return 'known';
    return machine.clientSlotOverflow(request.command, slot) === null ? 'log' : 'known';
  }
}

const COMMAND_OFFSET = 32;

/** One operation with one command, whoever sends it. Throws CodecError for what is no command. */
export function keyOf(payload: Uint8Array): string {
  return `${decodeClientRequest(payload).operationId} ${hex(payload.subarray(COMMAND_OFFSET))}`;
}

/** The request that these bytes are, or null: the caller's error, which is never answered. */
export function requestOf(frame: Uint8Array): ApiRequest | null {
  try {
    return decodeApiRequest(frame);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

function differ(expected: Uint8Array | string, actual: Uint8Array): never {
  const shown = typeof expected === 'string' ? expected : hex(expected);
  throw new Violation('answer', `model ${shown}, engine ${hex(actual)}`);
}
