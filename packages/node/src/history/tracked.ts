/**
 * One granted reservation as far as it is known: the states in which it can be. Between two known events something may
 * have happened unseen: it may have expired once its deadline can have come, and an operation without an answer may have
 * been executed. Each costs an unknown lsn, so every state that can be reached is kept with the fewest it takes.
 *
 * A configuration is a state and the set of unseen operations that were spent to get there. Beyond MASKED of them on
 * one reservation they are taken as usable again and again, which explains too much, never too little.
 */
import {RESERVATION_STATE as STATE} from '@allocdb/core';
import {type Act, type Grant, stepOf} from './lifecycle.ts';
import type {Unseen} from './unseen.ts';

const MASKED = 10;
const STATE_BITS = 4;
const STATE_MASK: number = (1 << STATE_BITS) - 1;

/** Configurations with the fewest unseen events that lead there. */
export type Reachable = ReadonlyMap<number, number>;

/** What may have happened unseen since the last known event and before this lsn. */
export interface Unknowns {
  readonly before: bigint;
  readonly mayExpire: boolean;
  readonly acts: readonly Unseen[];
  /** Lsns about which nothing is known. */
  readonly room: number;
}

export function stateOf(configuration: number): number {
  return configuration & STATE_MASK;
}

export class Tracked {
  readonly grant: Grant;
  /** Gap from which unseen events may have happened. */
  mark: number;
  /** The lsn of the grant that proves that this one had ended; null while there is none. */
  endedBefore: bigint | null = null;
  /** True once an answer contradicted what is known: from then on nothing is said about it. */
  isLost: boolean = false;
  #configurations: readonly number[] = [STATE.RESERVED];

  constructor(grant: Grant, mark: number) {
    this.grant = grant;
    this.mark = mark;
  }

  /** True when it can have been in this state at its last known event. */
  wasIn(state: number): boolean {
    return this.#configurations.some(configuration => stateOf(configuration) === state);
  }

  reachable(unknowns: Unknowns): Reachable {
    const found = new Map(this.#configurations.map(configuration => [configuration, 0]));
    const {before, mayExpire, acts, room} = unknowns;
    if (room === 0 || (!mayExpire && acts.length === 0)) return found;
    // Grows while it is walked: breadth first, so that the first way to a configuration is a shortest one.
    for (const [configuration, events] of found) {
      if (events >= room) break;
      const reach = (next: number): void => {
        if (!found.has(next)) found.set(next, events + 1);
      };
      const state = stateOf(configuration);
      if (mayExpire && state === STATE.RESERVED) reach((configuration & ~STATE_MASK) | STATE.EXPIRED);
      for (const [i, {command, after}] of acts.entries()) {
        const bit = i < MASKED ? 1 << (STATE_BITS + i) : 0;
        if ((configuration & bit) !== 0 || after >= before) continue;
        const {result, next} = stepOf(state, this.grant, command as Act);
        if (result === 'ok') reach((configuration & ~STATE_MASK) | bit | next);
      }
    }
    return found;
  }

  /** From here on only these are possible. */
  narrow(configurations: readonly number[], mark: number): void {
    this.#configurations = [...new Set(configurations)];
    this.mark = mark;
  }
}

/** The configuration after a known event. */
export function withState(configuration: number, state: number): number {
  return (configuration & ~STATE_MASK) | state;
}
