/**
 * The workload through the interfaces that applications use in process: `engine.submit` with request objects, and the
 * typed facade of `openDb` with string ids. Each lane is an async loop that waits for its answer before it goes on; every
 * answer is checked.
 */
import {performance} from 'node:perf_hooks';
import {RESULT_NAMES} from '@allocdb/core';
import {
  type Database,
  type HolderId,
  holderIdFromBigint,
  openDb,
  type ReservationId,
  type ResourceId,
  resourceIdFromBigint,
  type SingleNodeEngine,
} from '@allocdb/node';
import type {LoopRun} from './engine_loop.ts';
import {EngineSubject, prepareDirectory} from './engine_subjects.ts';
import {HOT_RESOURCES, PAYLOAD_BYTES_MAX, PERIOD, resourceIdOf, STEP, stepAt, Workload} from './workload.ts';
import {SERVER_RESOURCES, SLOT_MS, TTL_SLOTS} from './workload_config.ts';

/** An interface with lanes on it. */
export interface PromiseSurface {
  /** Does the lane's next command. Rejects when its answer is not the expected one. */
  step(lane: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a surface on a directory that is not there yet. */
export type OpenSurface = (dir: string, lanes: number) => Promise<PromiseSurface>;

/** Runs so many lanes for so many milliseconds, and until nothing is outstanding. */
export async function runPromiseLanes(surface: PromiseSurface, lanes: number, millis: number): Promise<LoopRun> {
  const beganMs = performance.now();
  const endMs = beganMs + millis;
  let answers = 0;
  const run = async (lane: number): Promise<void> => {
    do {
      await surface.step(lane);
      answers++;
    } while (performance.now() < endMs);
  };
  await Promise.all(Array.from({length: lanes}, (_, lane) => run(lane)));
  return {answers, answersPerSecond: (answers * 1000) / (performance.now() - beganMs)};
}

class SubmitSurface implements PromiseSurface {
  readonly #subject: EngineSubject;
  readonly #engine: SingleNodeEngine;
  readonly #workload: Workload;
  readonly #bytes: Uint8Array = new Uint8Array(PAYLOAD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#bytes.buffer);

  constructor(subject: EngineSubject, lanes: number) {
    this.#subject = subject;
    this.#engine = subject.engine;
    this.#workload = new Workload({lanes, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
  }

  async step(lane: number): Promise<void> {
    const length = this.#workload.writePayload(lane, this.#view, 0);
    // Encoded before this call returns: the buffer may be used again.
    const payload = this.#bytes.subarray(0, length);
    const response = await this.#engine.submit({type: 'submit', requestSlot: 0n, payload});
    const expected = RESULT_NAMES[this.#workload.expectedResult(lane)];
    if (response.type !== 'submit_committed' || response.resultCode !== expected) {
      const got = response.type === 'submit_committed' ? response.resultCode : response.type;
      throw new Error(`a command was answered by ${got}, not ${expected}`);
    }
    const id = response.reservationId ?? 0n;
    const word = (at: number): number => Number(BigInt.asIntN(32, id >> BigInt(32 * at)));
    this.#workload.settle(lane, word(0), word(1), word(2), word(3));
  }

  close(): Promise<void> {
    return this.#subject.close();
  }
}

/** `engine.submit` of a running engine. */
export const openSubmitSurface: OpenSurface = async (dir, lanes) =>
  new SubmitSurface(await EngineSubject.open(dir), lanes);

function resourceOf(index: number): ResourceId {
  return resourceIdFromBigint(resourceIdOf(index));
}

interface FacadeLane {
  readonly holder: HolderId;
  readonly resource: ResourceId;
  position: number;
  held: ReservationId | null;
}

class FacadeSurface implements PromiseSurface {
  readonly #db: Database;
  readonly #lanes: readonly FacadeLane[];
  readonly #hot: readonly ResourceId[];
  #turn: number = 0;

  constructor(db: Database, lanes: number) {
    this.#db = db;
    this.#hot = Array.from({length: HOT_RESOURCES}, (_, i) => resourceOf(i));
    this.#lanes = Array.from({length: lanes}, (_, lane) => ({
      holder: holderIdFromBigint(BigInt(lane + 1)),
      resource: resourceOf(HOT_RESOURCES + lane),
      position: 0,
      held: null,
    }));
  }

  async step(index: number): Promise<void> {
    const lane = this.#lanes[index];
    if (lane === undefined) throw new RangeError(`there is no lane ${index}`);
    const result = await this.#next(index, lane);
    if (result !== null) throw new Error(`a command was answered by ${result}`);
    lane.position = (lane.position + 1) % PERIOD;
  }

  close(): Promise<void> {
    return this.#db.close();
  }

  /** The result that was not expected, or null. */
  async #next(index: number, lane: FacadeLane): Promise<string | null> {
    const {holder} = lane;
    const step = stepAt(index, lane.position);
    if (step === STEP.HOT || lane.held === null) {
      const hot = this.#hot[this.#turn++ % HOT_RESOURCES] ?? lane.resource;
      const resource = step === STEP.HOT ? hot : lane.resource;
      const answer = await this.#db.reserve({resource, holder, ttlSlots: TTL_SLOTS});
      if (step === STEP.HOT) return answer.result === 'resource_busy' ? null : answer.result;
      if (answer.result !== 'reserved') return answer.result;
      lane.held = answer.lease.id;
      return null;
    }
    const input = {reservation: lane.held, holder};
    if (step === STEP.CONFIRM) {
      const {result} = await this.#db.confirm(input);
      return result === 'confirmed' ? null : result;
    }
    lane.held = null;
    const {result} = await this.#db.release(input);
    return result === 'released' ? null : result;
  }
}

/** The facade of `openDb`. */
export const openFacadeSurface: OpenSurface = async (dir, lanes) => {
  await prepareDirectory(dir);
  const db = await openDb({dir, slotMs: SLOT_MS, engine: {checkpoint: {everyLogBytes: null}}});
  return new FacadeSurface(db, lanes);
};
