/**
 * What the closed loop in process drives: an engine on a directory, opened and prepared as a server opens it, with a
 * clock of slots and a ticker; or the bare loop of the same bytes, which copies payloads behind record headers and makes
 * all that came in a turn durable by one checksum, one write and one fdatasync. The engine is asked by its pipelined bytes
 * or, by another subject, by its synchronous call.
 *
 * All take the same requests, answer with as many bytes, and call back once a turn.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {AnswerBuffer, ExpirationTicker, lastSlotOf, MonotonicSlotClock, SingleNodeEngine} from '@allocdb/node';
import {BareAnswers} from './bare_answers.ts';
import {BareFile} from './bare_file.ts';
import {ResourceSetup} from './resource_setup.ts';
import {HOT_RESOURCES} from './workload.ts';
import {SERVER_RESOURCES, SLOT_MS, TTL_SLOTS, workloadConfig} from './workload_config.ts';

const PREFIX_BYTES = 4;

/** Takes requests and answers them when they are durable. */
export interface FrameSubject {
  /** Takes a request without its length; `view` and `bytes` are over the same memory, which is the caller's again. */
  submit(view: DataView, bytes: Uint8Array, offset: number, length: number): void;
  /** Takes the requests in `view[0..end)`, each behind its length, as a socket's chunk brings them. */
  submitChunk(view: DataView, bytes: Uint8Array, end: number): void;
  /** Told the answers, behind their lengths, in order; their bytes are used again afterwards. Set by whoever submits. */
  onAnswers: (answers: Uint8Array) => void;
  close(): Promise<void>;
}

/** A fresh directory with everything that the workload needs; slots are stated by nobody. */
export async function prepareDirectory(dir: string): Promise<void> {
  const engine = SingleNodeEngine.open({
    dir,
    config: workloadConfig(SERVER_RESOURCES),
    slotMs: SLOT_MS,
    checkpoint: {everyLogBytes: null},
  });
  try {
    const setup = new ResourceSetup(frame => engine.handleApiBytes(frame));
    await setup.create(SERVER_RESOURCES);
    await setup.keep(0, HOT_RESOURCES, TTL_SLOTS, HOT_RESOURCES);
  } finally {
    await engine.close();
  }
}

/** Prepares `dir`, which is not there yet, and opens it with a clock of its own. */
async function openPrepared(dir: string): Promise<{engine: SingleNodeEngine; clock: MonotonicSlotClock}> {
  await prepareDirectory(dir);
  let clock: MonotonicSlotClock | null = null;
  const engine = SingleNodeEngine.open({
    dir,
    slotMs: SLOT_MS,
    checkpoint: {everyLogBytes: null},
    slots: db => {
      clock = new MonotonicSlotClock(lastSlotOf(db), SLOT_MS);
      return {clock, maxSlotAdvance: null, ignoreRequestSlots: true};
    },
  });
  if (clock === null) throw new Error('assertion failed: the engine asked for its slot policy');
  return {engine, clock};
}

/** The engine, with time of its own. */
export class EngineSubject implements FrameSubject {
  readonly engine: SingleNodeEngine;
  onAnswers: (answers: Uint8Array) => void = () => undefined;
  readonly #ticker: ExpirationTicker;
  readonly #sink: AnswerBuffer;

  /** Prepares `dir`, which is not there yet, and opens it. */
  static async open(dir: string): Promise<EngineSubject> {
    const {engine, clock} = await openPrepared(dir);
    return new EngineSubject(engine, clock);
  }

  private constructor(engine: SingleNodeEngine, clock: MonotonicSlotClock) {
    this.engine = engine;
    this.#ticker = new ExpirationTicker(this.engine, clock);
    this.#sink = new AnswerBuffer(() => {
      const taken = this.#sink.take();
      if (taken === null) return;
      this.onAnswers(taken);
      AnswerBuffer.recycle(taken);
    });
  }

  submit(view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const error = this.engine.submitBytes(view, bytes, offset, length, this.#sink);
    if (error !== 0) throw new Error(`the engine does not know a request: codec error ${error}`);
  }

  submitChunk(view: DataView, bytes: Uint8Array, end: number): void {
    let seen = 0;
    for (let at = 0; at < end; ) {
      if (seen === 0) seen = this.engine.lookAhead(view, at, end);
      if (seen > 0) seen--;
      const length = view.getInt32(at, true);
      this.submit(view, bytes, at + PREFIX_BYTES, length);
      at += PREFIX_BYTES + length;
    }
  }

  close(): Promise<void> {
    this.#ticker.stop();
    return this.engine.close();
  }
}

/**
 * The engine by `handleApiBytes`, a call for each request: its answer is durable when the call returns, and told in the
 * next turn, because whoever waits for it sends the next request. Nothing ticks: ticks are pipelined requests, which such
 * calls must not meet, and nothing of the workload expires.
 */
export class SyncSubject implements FrameSubject {
  onAnswers: (answers: Uint8Array) => void = () => undefined;
  readonly #engine: SingleNodeEngine;
  #answers: Uint8Array[] = [];

  /** Prepares `dir`, which is not there yet, and opens it. */
  static async open(dir: string): Promise<SyncSubject> {
    return new SyncSubject((await openPrepared(dir)).engine);
  }

  private constructor(engine: SingleNodeEngine) {
    this.#engine = engine;
  }

  submit(_view: DataView, bytes: Uint8Array, offset: number, length: number): void {
    const answer = this.#engine.handleApiBytes(bytes.subarray(offset, offset + length));
    const told = new Uint8Array(PREFIX_BYTES + answer.length);
    new DataView(told.buffer).setInt32(0, answer.length, true);
    told.set(answer, PREFIX_BYTES);
    if (this.#answers.push(told) === 1) setImmediate(() => this.#tell());
  }

  submitChunk(view: DataView, bytes: Uint8Array, end: number): void {
    submitEach(this, view, bytes, end);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  #tell(): void {
    const answers = this.#answers;
    this.#answers = [];
    for (const answer of answers) this.onAnswers(answer);
  }
}

/** No engine. */
export class BareSubject implements FrameSubject {
  onAnswers: (answers: Uint8Array) => void = () => undefined;
  readonly #file: BareFile;
  readonly #answers: BareAnswers;
  #turnScheduled: boolean = false;

  /** Its file is in `dir`, which is not there yet. */
  constructor(dir: string) {
    mkdirSync(dir);
    this.#file = new BareFile(join(dir, 'bare'));
    this.#answers = new BareAnswers(this.#file);
  }

  submit(view: DataView, _bytes: Uint8Array, offset: number, length: number): void {
    this.#answers.add(view, offset, length);
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    setImmediate(() => this.#endTurn());
  }

  submitChunk(view: DataView, bytes: Uint8Array, end: number): void {
    submitEach(this, view, bytes, end);
  }

  close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }

  #endTurn(): void {
    this.#turnScheduled = false;
    this.#file.commit();
    this.onAnswers(this.#answers.take());
  }
}

/** A chunk, request by request. */
function submitEach(subject: FrameSubject, view: DataView, bytes: Uint8Array, end: number): void {
  for (let at = 0; at < end; ) {
    const length = view.getInt32(at, true);
    subject.submit(view, bytes, at + PREFIX_BYTES, length);
    at += PREFIX_BYTES + length;
  }
}
