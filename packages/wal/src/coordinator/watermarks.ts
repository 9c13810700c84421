/**
 * How far writes have come: three watermarks that only rise, and the promises that wait for them.
 *
 * Invariants: durable <= written <= applied. Whoever waits for a level is let through when the watermark has passed the
 * whole batch (one delta's epochs) of its write, since a batch is flushed as one. So all waiters of a batch share a
 * promise, and moving a watermark costs nothing for each of them.
 */

import type {CoordinatorError} from './coordinator_error.ts';
import type {Durability} from './delta.ts';
import {Deferred, quiet} from './promises.ts';

/** The epochs of one delta; `end` moves while the delta is open. */
export interface Batch {
  readonly start: number;
  end: number;
}

/** The highest epoch that has reached each level; one less than the first epoch where none has. */
export type WatermarkEpochs = Readonly<Record<Durability, number>>;

type Gates = Map<Batch, Deferred<void>>;

export class Watermarks {
  /** The first epoch that has not been applied, written, made durable. */
  readonly #ends: Record<Durability, number>;
  readonly #gates: Record<'written' | 'durable', Gates> = {written: new Map(), durable: new Map()};
  #closed: CoordinatorError | null = null;

  constructor(firstEpoch: number) {
    this.#ends = {applied: firstEpoch, written: firstEpoch, durable: firstEpoch};
  }

  get epochs(): WatermarkEpochs {
    const {applied, written, durable} = this.#ends;
    return {applied: applied - 1, written: written - 1, durable: durable - 1};
  }

  end(level: Durability): number {
    return this.#ends[level];
  }

  applied(end: number): void {
    this.#ends.applied = end;
  }

  /** Lets everyone through who waits for this level below `end`. */
  advance(level: 'written' | 'durable', end: number): void {
    this.#ends[level] = end;
    const gates = this.#gates[level];
    for (const [batch, gate] of gates) {
      if (batch.end > end) continue;
      gates.delete(batch);
      gate.resolve();
    }
  }

  /** Resolves when a batch that is not empty has reached the level; rejects when it never will. */
  reached(batch: Batch, level: Durability): Promise<void> {
    if (level === 'applied' || batch.end <= this.#ends[level]) return Promise.resolve();
    if (this.#closed !== null) return quiet(Promise.reject(this.#closed));
    const gates = this.#gates[level];
    let gate = gates.get(batch);
    if (gate === undefined) {
      gate = new Deferred();
      gates.set(batch, gate);
    }
    return gate.promise;
  }

  /** No watermark moves any more. */
  close(error: CoordinatorError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    for (const gates of [this.#gates.written, this.#gates.durable]) {
      for (const gate of gates.values()) gate.reject(error);
      gates.clear();
    }
  }
}
