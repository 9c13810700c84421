/**
 * The state machine alone, from bytes: read ahead, decode, look for a retry, check slot arithmetic, apply, in batches, as
 * the engine calls it, without log, answers or sockets. Only the batches are timed; making the next one is not.
 *
 * Every result is compared with what the workload expects, so that a figure is never one of refusals.
 */
import {performance} from 'node:perf_hooks';
import {AllocDb, DECODE, Outcome, overflowOf, RESULT, SlotOverflow} from '@allocdb/core';
import {spreadOf} from './stats.ts';
import {
  HOT_RESOURCES,
  PAYLOAD_BYTES_MAX,
  Workload,
  writeCreate,
  writeKeptConfirm,
  writeKeptReserve,
} from './workload.ts';
import {TTL_SLOTS, workloadConfig} from './workload_config.ts';

const BATCH = 256;
/** More than a batch, so that the answer a lane needs has been given; fewer where there are few resources. */
const LANES = 1024;
const LANES_MIN = 512;
/** Fewest resources with which the lanes have one each. */
export const CORE_RESOURCES_MIN: number = HOT_RESOURCES + LANES_MIN;
/** At 100 ms to a slot, a million commands per second. */
const COMMANDS_PER_SLOT = 100_000;

/** Commands applied and the time it took. */
export interface CoreRun {
  readonly commands: number;
  readonly millis: number;
}

/** Nanoseconds of a command by stage, medians over batches. */
export interface CoreStages {
  readonly readAhead: number;
  readonly decode: number;
  readonly lookUp: number;
  readonly slots: number;
  readonly apply: number;
}

export class CoreRunner {
  readonly db: AllocDb;
  readonly #workload: Workload;
  readonly #lanes: number;
  readonly #bytes: Uint8Array = new Uint8Array(BATCH * PAYLOAD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #lengths: Int32Array = new Int32Array(BATCH);
  readonly #codes: Uint8Array = new Uint8Array(BATCH);
  readonly #outcome: Outcome = new Outcome();
  readonly #overflow: SlotOverflow = new SlotOverflow();
  #lsn: number = 1;
  #slot: number = 1;
  #lane: number = 0;

  /** Builds a database and creates `resources` resources, the hot ones held. */
  constructor(resources: number) {
    const seed = Int32Array.from({length: 8}, (_, i) => Math.imul(i + 1, 0x9e3779b1 | 0));
    this.db = new AllocDb(workloadConfig(resources).core, seed);
    this.#lanes = resources < HOT_RESOURCES + LANES ? LANES_MIN : LANES;
    this.#workload = new Workload({lanes: this.#lanes, resources, ttlSlots: TTL_SLOTS});
    for (let i = 0; i < resources; i++) this.#setUp(writeCreate(this.#view, 0, i, i));
    for (let i = 0; i < HOT_RESOURCES; i++) {
      const reserved = this.#setUp(writeKeptReserve(this.#view, 0, resources + 2 * i, i, TTL_SLOTS));
      this.#setUp(writeKeptConfirm(this.#view, 0, resources + 2 * i + 1, reserved));
    }
  }

  /** Applies commands until their batches have taken so long. Throws Error when a result is not the expected one. */
  run(millis: number): CoreRun {
    let [commands, elapsed] = [0, 0];
    while (elapsed < millis) {
      this.#fillBatch();
      const beganMs = performance.now();
      this.#applyBatch();
      elapsed += performance.now() - beganMs;
      this.#settleBatch();
      commands += BATCH;
    }
    return {commands, millis: elapsed};
  }

  /**
   * Where the time of a command goes. A batch is taken through every stage by itself, then applied as a whole; applying is
   * what is left of the whole. Decoding and lookups that are repeated for that find their memory near.
   */
  stages(millis: number): CoreStages {
    const passes: [name: keyof CoreStages, pass: () => void][] = [
      ['readAhead', () => this.#readAhead()],
      ['decode', () => this.#each((at, length) => void this.db.decodeClient(this.#view, at, length))],
      ['lookUp', () => this.#each((at, length) => void this.#find(at, length))],
      ['slots', () => this.#each((at, length) => void this.#overflows(at, length))],
      ['apply', () => this.#applyAll()],
    ];
    const samples = new Map<keyof CoreStages, number[]>(passes.map(([name]) => [name, []]));
    for (const endMs = performance.now() + millis; performance.now() < endMs; ) {
      this.#fillBatch();
      for (const [name, pass] of passes) {
        const beganMs = performance.now();
        pass();
        samples.get(name)?.push(((performance.now() - beganMs) * 1e6) / BATCH);
      }
      this.#settleBatch();
    }
    const of = (name: keyof CoreStages): number => spreadOf(samples.get(name) ?? []).median;
    const [decode, lookUp, slots] = [of('decode'), of('lookUp') - of('decode'), of('slots') - of('decode')];
    return {readAhead: of('readAhead'), decode, lookUp, slots, apply: of('apply') - decode - lookUp - slots};
  }

  /** Applies at least so many commands, and reads no clock. */
  runCommands(count: number): void {
    for (let left = count; left > 0; left -= BATCH) {
      this.#fillBatch();
      this.#applyBatch();
      this.#settleBatch();
    }
  }

  #fillBatch(): void {
    let at = 0;
    for (let i = 0; i < BATCH; i++) {
      const length = this.#workload.writePayload((this.#lane + i) % this.#lanes, this.#view, at);
      this.#lengths[i] = length;
      at += length;
    }
  }

  #each(step: (at: number, length: number) => void): void {
    for (let i = 0, at = 0; i < BATCH; i++) {
      const length = this.#lengths[i] as number;
      step(at, length);
      at += length;
    }
  }

  #find(at: number, length: number): void {
    this.db.decodeClient(this.#view, at, length);
    this.db.findRetry(this.#slot, 0, this.#outcome);
  }

  #overflows(at: number, length: number): void {
    this.db.decodeClient(this.#view, at, length);
    overflowOf(this.db, this.#slot, 0, this.#overflow);
  }

  #applyBatch(): void {
    this.#readAhead();
    this.#applyAll();
  }

  #applyAll(): void {
    let at = 0;
    const slot = this.#slot;
    for (let i = 0; i < BATCH; i++) {
      const length = this.#lengths[i] as number;
      this.#codes[i] = this.#apply(at, length, slot);
      at += length;
    }
  }

  /** As the engine does for requests that arrive together. */
  #readAhead(): void {
    const {lookahead} = this.db;
    lookahead.begin();
    for (let i = 0, at = 0; i < BATCH; i++) {
      const length = this.#lengths[i] as number;
      lookahead.note(this.#view, at, length);
      at += length;
    }
    lookahead.load();
  }

  #apply(at: number, length: number, slot: number): number {
    const {db} = this;
    const outcome = this.#outcome;
    if (db.decodeClient(this.#view, at, length) !== DECODE.NONE) return 0;
    if (db.findRetry(slot, 0, outcome)) return 0;
    if (overflowOf(db, slot, 0, this.#overflow)) return 0;
    const lsn = this.#lsn++;
    db.applyFresh(lsn | 0, (lsn / 0x1_0000_0000) | 0, slot, 0, outcome);
    return outcome.code;
  }

  #settleBatch(): void {
    const first = this.#lsn - BATCH;
    for (let i = 0; i < BATCH; i++) {
      const lane = (this.#lane + i) % this.#lanes;
      const expected = this.#workload.expectedResult(lane);
      if (this.#codes[i] !== expected) {
        throw new Error(`lsn ${first + i}: expected result ${expected}, got ${this.#codes[i]}`);
      }
      const lsn = first + i;
      this.#workload.settle(lane, lsn | 0, (lsn / 0x1_0000_0000) | 0, 0, 0);
    }
    this.#lane = (this.#lane + BATCH) % this.#lanes;
    this.#slot = 1 + Math.floor(this.#lsn / COMMANDS_PER_SLOT);
  }

  /** Applies the payload at the beginning of the buffer and returns its lsn. */
  #setUp(length: number): number {
    const lsn = this.#lsn;
    const code = this.#apply(0, length, this.#slot);
    if (code !== RESULT.OK) throw new Error(`setup: lsn ${lsn} has result ${code}`);
    this.#slot = 1 + Math.floor(this.#lsn / COMMANDS_PER_SLOT);
    return lsn;
  }
}
