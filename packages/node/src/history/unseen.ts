/**
 * Operations of which nobody knows whether they were executed: no answer came, or the answer was found to be wrong. Each
 * may explain a state once, from the lsn on that had been told when it was sent.
 * Not here: what they explain (`timeline.ts`).
 */
import type {Command} from '@allocdb/core';
import type {History} from './history.ts';
import {firstSent, type KnownLsns} from './known_lsns.ts';

/** A command that may have been executed anywhere behind `after`. */
export interface Unseen {
  readonly command: Command;
  readonly after: bigint;
}

const NONE: readonly Unseen[] = [];

export class UnseenOperations {
  readonly #byReservation: Map<bigint, Unseen[]> = new Map();
  readonly #reservesOf: Map<bigint, Unseen[]> = new Map();
  readonly #createsOf: Map<bigint, Unseen[]> = new Map();
  readonly #reserves: Unseen[] = [];

  /** With a log, `replayedBehind` is the lsn behind which it tells of everything; null without one. */
  constructor(history: History, known: KnownLsns, replayedBehind: bigint | null) {
    for (const operation of history.operations.values()) {
      if (!operation.isOpen(replayedBehind)) continue;
      // Where something about it is wrong, its times may be.
      const after = operation.blamed ? 0n : known.before(firstSent(operation));
      const commands = new Set(operation.attempts.map(({command}) => command));
      for (const command of commands) this.#add({command, after});
    }
  }

  /** Those that act on this reservation, always in the same order. */
  actsOn(reservationId: bigint): readonly Unseen[] {
    return this.#byReservation.get(reservationId) ?? NONE;
  }

  /** Whether one may have reserved this resource before the lsn. */
  mayReserve(resourceId: bigint, before: bigint): boolean {
    return (this.#reservesOf.get(resourceId) ?? NONE).some(({after}) => after < before);
  }

  /** Whether any may have been granted at this lsn. */
  mayGrantAt(lsn: bigint): boolean {
    return this.#reserves.some(({after}) => after < lsn);
  }

  /** Whether one may have created this resource before the lsn. */
  mayCreate(resourceId: bigint, before: bigint): boolean {
    return (this.#createsOf.get(resourceId) ?? NONE).some(({after}) => after < before);
  }

  #add(unseen: Unseen): void {
    const {command} = unseen;
    switch (command.kind) {
      case 'create_resource':
        put(this.#createsOf, command.resourceId, unseen);
        break;
      case 'reserve':
        this.#reserves.push(unseen);
        put(this.#reservesOf, command.resourceId, unseen);
        break;
      case 'reserve_bundle':
        this.#reserves.push(unseen);
        for (const id of new Set(command.resourceIds)) put(this.#reservesOf, id, unseen);
        break;
      default:
        put(this.#byReservation, command.reservationId, unseen);
    }
  }
}

function put(map: Map<bigint, Unseen[]>, id: bigint, unseen: Unseen): void {
  const list = map.get(id);
  if (list === undefined) map.set(id, [unseen]);
  else list.push(unseen);
}
