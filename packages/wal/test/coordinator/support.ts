/**
 * Shared by the tests of the coordinator: a delta that lists what was written, and a flusher whose calls can be held back
 * or fail.
 */

import {expect} from 'vitest';
import {
  type CoordinatorError,
  type CoordinatorOptions,
  type CoordinatorView,
  type Delta,
  type DeltaFactory,
  type EpochRange,
  type Flusher,
  type FrozenDelta,
  isCoordinatorError,
  type Ticket,
  WriteCoordinator,
  type WriteHandle,
} from '../../src/index.ts';

export interface Put {
  readonly id: string;
  readonly bytes?: number;
  /** The delta refuses the write with this. */
  readonly refuse?: string;
}

export type Ids = readonly string[];

/** How many writes were applied, over all deltas. */
export interface Total {
  readonly applied: number;
}

export class ListDelta implements Delta<Total, Put, Ids, Ids, string, Ids> {
  #applied: number;
  #bytes = 0;
  #ids: string[] = [];

  constructor({applied}: Total) {
    this.#applied = applied;
  }

  apply(put: Put): string {
    if (put.refuse !== undefined) throw new Error(put.refuse);
    this.#applied++;
    this.#bytes += put.bytes ?? 1;
    this.#ids.push(put.id);
    return `${put.id} is number ${this.#applied}`;
  }

  estimateSize(): number {
    return this.#bytes;
  }

  freeze(): FrozenDelta<Total, Ids, Ids> {
    return {frozen: this.#ids, view: this.#ids, context: {applied: this.#applied}};
  }

  reader(): Ids {
    return this.#ids.slice();
  }
}

export const LIST: DeltaFactory<Total, Put, Ids, Ids, string, Ids> = {init: total => new ListDelta(total)};

/** Keeps what it is given in memory; a call that is held back ends with `release`. */
export class ListFlusher implements Flusher<Ids, Ids> {
  readonly ranges: [number, number][] = [];
  readonly flushed: Ids[] = [];
  storageCalls = 0;
  running = 0;
  isHeld = false;
  failDelta: Error | null = null;
  failStorage: Error | null = null;
  /** What is written, and how much of it is durable. */
  written: Ids = [];
  durable: Ids = [];
  #held: (() => void)[] = [];

  async flushDelta(frozen: Ids, {start, end}: EpochRange): Promise<Ids> {
    expect(++this.running, 'one call at a time').toBe(1);
    this.ranges.push([start, end]);
    this.flushed.push(frozen);
    await this.#wait();
    this.running--;
    if (this.failDelta !== null) throw this.failDelta;
    this.written = [...this.written, ...frozen];
    return this.written;
  }

  async flushStorage(): Promise<void> {
    expect(++this.running, 'one call at a time').toBe(1);
    this.storageCalls++;
    const {written} = this;
    await this.#wait();
    this.running--;
    if (this.failStorage !== null) throw this.failStorage;
    this.durable = written;
  }

  /** Ends all calls that are held back; later ones are not. */
  release(): void {
    this.isHeld = false;
    for (const resume of this.#held.splice(0)) resume();
  }

  /** Ends the running call; the next one is held back again. */
  async releaseOne(): Promise<void> {
    this.#held.shift()?.();
    await turn();
  }

  async #wait(): Promise<void> {
    if (!this.isHeld) return;
    await new Promise<void>(resume => {
      this.#held.push(resume);
    });
  }
}

export type View = CoordinatorView<Ids, Ids, Ids>;
export type Handle = WriteHandle<Put, string, View>;

export interface Bench {
  readonly coordinator: WriteCoordinator<Put, string, View>;
  readonly flusher: ListFlusher;
  readonly main: Handle;
}

type Options = CoordinatorOptions<Total, Put, Ids, Ids, string, Ids, Ids>;

/** A coordinator without an interval, unless the options give one. */
export function bench(options: Partial<Options> = {}): Bench {
  const flusher = new ListFlusher();
  const coordinator = WriteCoordinator.start({
    ...{delta: LIST, flusher, context: {applied: 0}, snapshot: [], flushIntervalMs: null},
    ...options,
  });
  return {coordinator, flusher, main: coordinator.handle(options.channels?.[0])};
}

/** Writes and expects the write to be accepted. */
export function put(handle: Handle, id: string, rest: Omit<Put, 'id'> = {}): Ticket<string> {
  const outcome = handle.tryWrite({id, ...rest});
  if (!outcome.accepted) throw new Error(`refused: ${outcome.reason}`);
  return outcome.ticket;
}

/** Lets everything run that does not wait for a timer. */
export function turn(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}

/** What a promise is by now. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  await turn();
  const settled = promise.then(
    () => 'resolved' as const,
    () => 'rejected' as const,
  );
  return await Promise.race([settled, turn().then(() => 'pending' as const)]);
}

/** The error that a promise rejects with, which must be one of the coordinator's. */
export async function errorOf(promise: Promise<unknown>): Promise<CoordinatorError> {
  try {
    await promise;
  } catch (error) {
    if (isCoordinatorError(error)) return error;
    throw error;
  }
  throw new Error('expected an error');
}

/** Everything that a view shows, oldest first, after a check that its parts follow each other. */
export function idsIn(view: View): string[] {
  let {end} = view.snapshot.epochs;
  for (const {epochs} of [...view.frozen].reverse().concat(view.current)) {
    expect(epochs.start, 'no hole in a view').toBe(end);
    end = epochs.end;
  }
  return [
    ...view.snapshot.value,
    ...view.frozen
      .flatMap(({value}) => [value])
      .reverse()
      .flat(),
    ...view.current.value,
  ];
}
