/**
 * Surrogates over many lives: allocations, binds, watermarks, truncation and other records at random, until the power goes
 * at a random call of the disk or the process dies between two steps; then the next life on the same disk.
 *
 * `runSurrogateLives` throws when an id is given out twice, or when a bind that was returned is neither in the log nor in
 * the catalog that allowed its truncation. A seed repeats its run exactly. Timers fire when the run says so.
 */

import {isWalError} from '../../src/index.ts';
import {CheckpointGate, createNodedbRegistry, type SetTimer, SurrogateAllocator} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {openManager, SCOPE, text, textOf} from './support.ts';

const LIVES = 8;
const CALLS_MAX = 200;
const STEPS_MAX = 60;

export interface SurrogateLives {
  /** Lives that ended with a power cut or a dead process. */
  readonly crashes: number;
  /** Ids given out over all lives. */
  readonly assigned: number;
  /** Segments that truncation removed. */
  readonly truncated: number;
}

/** What must hold over all lives, kept outside the disk. */
class Ledger {
  readonly #given: Set<number> = new Set();
  /** Binds that were returned, by id. */
  readonly #returned: Map<number, string> = new Map();
  /** Binds that the store holds outside the log. */
  readonly catalog: Map<number, string> = new Map();
  truncated = 0;

  get assigned(): number {
    return this.#given.size;
  }

  give(id: number): void {
    if (this.#given.has(id)) throw new Error(`id ${id} was given out twice`);
    if (!Number.isInteger(id) || id < 1) throw new Error(`${id} is no id`);
    this.#given.add(id);
  }

  giveBound(id: number, key: string): void {
    this.give(id);
    this.#returned.set(id, key);
  }

  check(inLog: ReadonlyMap<number, string>): void {
    for (const [id, key] of this.#returned) {
      const found = inLog.get(id) ?? this.catalog.get(id);
      if (found !== key) throw new Error(`id ${id} was returned for ${key} and is ${found}`);
    }
  }
}

/** One process: everything in it is forgotten when it ends. */
class Life {
  readonly #ledger: Ledger;
  readonly #random: SimRandom;
  readonly #manager: ReturnType<typeof openManager>;
  readonly #allocator: SurrogateAllocator;
  readonly #policy: 'reserve' | 'flush';
  readonly #gate: CheckpointGate = new CheckpointGate();
  readonly #timers: Set<() => void> = new Set();
  readonly #pending: Promise<void>[] = [];
  #violation: unknown = null;

  constructor(disk: SimDisk, ledger: Ledger, random: SimRandom, policy: 'reserve' | 'flush') {
    this.#ledger = ledger;
    this.#random = random;
    this.#policy = policy;
    const commitMode = random.chance(0.5) ? 'inline' : 'async';
    this.#manager = openManager(disk, {commitMode, recycleMax: random.below(3)});
    ledger.check(this.#bindsInLog());
    // Rare watermarks are what truncation must wait for, frequent ones what must not be lowered.
    const max = random.chance(0.5) ? 6 : 300;
    const [batch, flushEvery] = [1 + random.below(max), 1 + random.below(max)];
    const setTimer: SetTimer = run => {
      this.#timers.add(run);
      return () => this.#timers.delete(run);
    };
    this.#allocator = SurrogateAllocator.restore(this.#manager, {policy, batch, flushEvery, setTimer});
    this.#gate.register('surrogates');
    this.#gate.register('catalog');
  }

  /** Ends by itself, by a failure of the log, or by what the caller does to the disk meanwhile. */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps && this.#manager.wal.failure === null; step++) {
      this.#step();
      for (let turns = this.#random.below(3); turns > 0; turns--) await endOfTurn();
      for (let tasks = this.#random.below(12); tasks > 0; tasks--) await Promise.resolve();
    }
  }

  /** After the end of the process: whatever it still waited for settles, and none of it may have broken a promise. */
  async settle(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#violation !== null) throw this.#violation;
  }

  close(): Promise<void> {
    return this.#manager.close();
  }

  #step(): void {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 40) for (let count = random.below(8); count >= 0; count--) this.#obtain();
    else if (dice < 70) this.#putSome();
    else if (dice < 77) this.#track(this.#manager.commit());
    else if (dice < 80) this.#track(this.#allocator.flush());
    else if (dice < 84) for (const fire of [...this.#timers]) this.#fire(fire);
    else this.#checkpoint();
  }

  /** Other records, which fill frames and begin segments. */
  #putSome(): void {
    const payload = new Uint8Array(this.#random.below(2000));
    this.#track(this.#manager.whenRoom(() => this.#manager.appendPut(SCOPE, payload)));
  }

  #obtain(): void {
    const isBound = this.#policy === 'flush' || this.#random.chance(0.5);
    if (!isBound) {
      this.#track(this.#allocator.allocate().then(id => this.#ledger.give(id)));
      return;
    }
    const key = `${this.#random.below(1_000_000)}${'k'.repeat(this.#random.below(300))}`;
    this.#track(this.#allocator.assign('c', text(key)).then(id => this.#ledger.giveBound(id, key)));
  }

  #fire(timer: () => void): void {
    this.#timers.delete(timer);
    timer();
  }

  /** The store takes all durable binds into its catalog, and what nobody needs is cut off. */
  #checkpoint(): void {
    try {
      const below = this.#manager.wal.durableLsn + 1n;
      for (const [id, key] of this.#bindsInLog()) this.#ledger.catalog.set(id, key);
      this.#gate.report('catalog', below);
      if (this.#allocator.watermarkLsn !== null) this.#gate.report('surrogates', this.#allocator.watermarkLsn);
      this.#ledger.truncated += this.#gate.truncate(this.#manager.wal);
    } catch (error) {
      this.#note(error);
    }
  }

  #bindsInLog(): Map<number, string> {
    const binds = new Map<number, string>();
    for (const record of createNodedbRegistry().read(this.#manager.wal.read())) {
      if (record.type === 'SurrogateBind') binds.set(record.value.surrogate, textOf(record.value.key));
    }
    return binds;
  }

  #track(promise: Promise<unknown>): void {
    this.#pending.push(promise.then(() => undefined).catch(error => this.#note(error)));
  }

  #note(error: unknown): void {
    if (!isEndOfLife(error)) this.#violation ??= error;
  }
}

/** Lives of one disk. Throws on the first violation, with the seed. */
export async function runSurrogateLives(seed: number): Promise<SurrogateLives> {
  const random = new SimRandom(seed);
  const disk = new SimDisk({seed});
  const ledger = new Ledger();
  let crashes = 0;
  try {
    for (let life = 0; life < LIVES; life++) {
      if (random.chance(0.6)) disk.arm({call: 1 + random.below(CALLS_MAX), kind: 'power_cut'});
      const policy = random.chance(0.5) ? 'reserve' : 'flush';
      if (await liveOnce(disk, ledger, random, policy)) crashes++;
    }
    disk.arm(null);
    await liveOnce(disk, ledger, random, 'reserve');
  } catch (error) {
    throw new Error(`seed ${seed}`, {cause: error});
  }
  return {crashes, assigned: ledger.assigned, truncated: ledger.truncated};
}

/** Whether the life ended with a crash. */
async function liveOnce(
  disk: SimDisk,
  ledger: Ledger,
  random: SimRandom,
  policy: 'reserve' | 'flush',
): Promise<boolean> {
  let life: Life | null = null;
  try {
    life = new Life(disk, ledger, random, policy);
    await life.run(random.below(STEPS_MAX));
    if (!disk.isDown && random.chance(0.2)) {
      await life.close();
      await life.settle();
      return false;
    }
  } catch (error) {
    if (!isEndOfLife(error)) throw error;
  }
  // A power cut also takes what a dead process had written and not synced.
  if (disk.isDown || random.chance(0.5)) disk.restart();
  else disk.endProcess();
  disk.arm(null);
  await life?.settle();
  return true;
}

/** What a run without power, or after its end, meets; any other error is a violation. */
function isEndOfLife(error: unknown): boolean {
  return isWalError(error) && ['failed', 'io', 'closed'].includes(error.code);
}

/** A commit begins at the end of a turn of the event loop. */
function endOfTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
