/**
 * The loop between the channels and the pipeline: which write is applied next, and when.
 *
 * Invariants: channels take turns; nothing is taken while the pipeline is full; after a failure everything queued goes back.
 * Writes are applied as they come, many in one turn of the event loop, but every `TURN_WRITES` of them the loop lets
 * others have theirs: timers and the flusher's own I/O must not wait for a queue that is never empty.
 */

import type {Channel} from './channel.ts';
import type {Pipeline} from './delta_pipeline.ts';
import {FairMerge} from './fair_merge.ts';
import {Deferred} from './promises.ts';

const TURN_WRITES = 1024;

export class WriteLoop<Write, ApplyResult> {
  readonly #pipeline: Pipeline<Write, ApplyResult, unknown>;
  readonly #channels: Map<string, Channel<Write, ApplyResult>> = new Map();
  readonly #merge: FairMerge<Write, ApplyResult> = new FairMerge();
  #turnWrites = 0;
  #isScheduled = false;
  #whenDrained: Deferred<void> | null = null;

  constructor(pipeline: Pipeline<Write, ApplyResult, unknown>) {
    this.#pipeline = pipeline;
    pipeline.onChange = () => this.#onChange();
  }

  get channels(): ReadonlyMap<string, Channel<Write, ApplyResult>> {
    return this.#channels;
  }

  add(channel: Channel<Write, ApplyResult>): void {
    this.#channels.set(channel.name, channel);
  }

  /** The channel got an entry, or is not paused any more. */
  wake(channel: Channel<Write, ApplyResult>): void {
    this.#merge.enlist(channel);
    this.#schedule();
  }

  /** Resolves when nothing is left that could be taken. */
  async drained(): Promise<void> {
    if (!this.#merge.hasNext()) return;
    this.#whenDrained = new Deferred();
    await this.#whenDrained.promise;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (this.#turnWrites < TURN_WRITES) queueMicrotask(() => this.#takeAll());
    else setImmediate(() => this.#beginTurn());
  }

  #beginTurn(): void {
    this.#turnWrites = 0;
    this.#takeAll();
  }

  /** It stays marked as scheduled while it runs: what comes meanwhile is taken by it. */
  #takeAll(): void {
    while (this.#turnWrites < TURN_WRITES && this.#mayTake()) {
      const entry = this.#merge.next();
      if (entry === null) break;
      this.#turnWrites++;
      if (entry.kind === 'write') this.#pipeline.apply(entry);
      else this.#pipeline.flush('explicit', entry.storage).then(entry.done.resolve, entry.done.reject);
    }
    this.#isScheduled = false;
    if (!this.#merge.hasNext()) this.#whenDrained?.resolve();
    else if (this.#mayTake()) this.#schedule();
  }

  #mayTake(): boolean {
    return this.#pipeline.failure === null && !this.#pipeline.isFull;
  }

  #onChange(): void {
    const {failure} = this.#pipeline;
    if (failure !== null) for (const channel of this.#channels.values()) channel.drop(failure);
    this.#schedule();
  }
}
