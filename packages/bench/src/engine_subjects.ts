/**
 * What the closed loop in process drives: an engine on a directory, opened and prepared as a server opens it, with a
 * clock of slots and a ticker; or the bare loop of the same bytes, which copies payloads behind record headers and makes
 * all that came in a turn durable by one checksum, one write and one fdatasync.
 *
 * Both take the same requests, answer with as many bytes, and call back once a turn.
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
  /** Told the answers, behind their lengths, in order. Set by whoever submits. */
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

/** The engine, with time of its own. */
export class EngineSubject implements FrameSubject {
  readonly engine: SingleNodeEngine;
  onAnswers: (answers: Uint8Array) => void = () => undefined;
  readonly #ticker: ExpirationTicker;
  readonly #sink: AnswerBuffer;

  /** Prepares `dir`, which is not there yet, and opens it. */
  static async open(dir: string): Promise<EngineSubject> {
    await prepareDirectory(dir);
    return new EngineSubject(dir);
  }

  private constructor(dir: string) {
    let clock: MonotonicSlotClock | null = null;
    this.engine = SingleNodeEngine.open({
      dir,
      slotMs: SLOT_MS,
      checkpoint: {everyLogBytes: null},
      slots: db => {
        clock = new MonotonicSlotClock(lastSlotOf(db), SLOT_MS);
        return {clock, maxSlotAdvance: null, ignoreRequestSlots: true};
      },
    });
    if (clock === null) throw new Error('assertion failed: the engine asked for its slot policy');
    this.#ticker = new ExpirationTicker(this.engine, clock);
    this.#sink = new AnswerBuffer(() => {
      const taken = this.#sink.take();
      if (taken !== null) this.onAnswers(taken);
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
    for (let at = 0; at < end; ) {
      const length = view.getInt32(at, true);
      this.submit(view, bytes, at + PREFIX_BYTES, length);
      at += PREFIX_BYTES + length;
    }
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
