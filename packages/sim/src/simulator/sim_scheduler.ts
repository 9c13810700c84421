// When the engine's own actions run, in a simulated process: when the schedule says so, and never by themselves.
//
// Time is the disk's: it passes with calls, and moves to a timer's when that fires. Timers fire in the order in which
// they are due, as those of an event loop do.
import type {Scheduler} from '@allocdb/node';
import type {SimDisk} from '@allocdb/wal/testing';

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
}

export class SimScheduler implements Scheduler {
  /** Told when a turn begins: the engine must look at its clock then, and at no other time. */
  onTurn: () => void = () => undefined;
  readonly #disk: SimDisk;
  #turns: (() => void)[] = [];
  #timers: Timer[] = [];

  constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  get hasTurn(): boolean {
    return this.#turns.length > 0;
  }

  get hasTimer(): boolean {
    return this.#timers.length > 0;
  }

  endOfTurn(action: () => void): void {
    this.onTurn();
    this.#turns.push(action);
  }

  later(ms: number, action: () => void): () => void {
    const timer: Timer = {dueMs: this.#disk.now() + ms, run: action};
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.later(ms, resolve));
  }

  /** The turn of the event loop ends: what was scheduled for it runs, what that schedules waits for the next. */
  runTurn(): void {
    const turns = this.#turns;
    this.#turns = [];
    for (const action of turns) action();
  }

  runTimer(): void {
    let first: Timer | null = null;
    for (const timer of this.#timers) if (first === null || timer.dueMs < first.dueMs) first = timer;
    if (first === null) return;
    const {dueMs, run} = first;
    this.#timers = this.#timers.filter(timer => timer !== first);
    this.#disk.advance(Math.max(0, dueMs - this.#disk.now()));
    run();
  }
}
