/**
 * The state that commands make: pure, so that the engine, its replay and every mirror agree.
 */

import type {Change} from './commands.ts';

export interface Entry {
  readonly value: string;
  /** The first tick at which the key is gone. */
  readonly expiresAt: bigint;
}

/** A state, the lsn of the last change in it, and its time, as plain data. */
export interface TableImage {
  readonly lsn: string;
  readonly tick: string;
  readonly entries: readonly (readonly [string, string, string])[];
}

export class KeyTable {
  readonly entries: Map<string, Entry> = new Map();
  lsn = 0n;
  /** The latest time known here. Time that passes without a change is in no log, so only the engine knows of it at once. */
  tick = 0n;

  /** Changes come in order and once each; a hole is a fault of whoever delivers them. */
  apply({lsn, tick, command}: Change): void {
    if (lsn !== this.lsn + 1n) throw new Error(`change ${lsn} came after ${this.lsn}`);
    this.lsn = lsn;
    if (tick > this.tick) this.tick = tick;
    if (command.kind === 'expire') this.entries.delete(command.key);
    else this.entries.set(command.key, {value: command.value, expiresAt: tick + BigInt(command.ttlTicks)});
  }

  due(tick: bigint): string[] {
    return [...this.entries].filter(([, {expiresAt}]) => expiresAt <= tick).map(([key]) => key);
  }

  toImage(): TableImage {
    const entries = [...this.entries].map(([key, {value, expiresAt}]) => [key, value, `${expiresAt}`] as const);
    return {lsn: `${this.lsn}`, tick: `${this.tick}`, entries: entries.sort(([a], [b]) => (a < b ? -1 : 1))};
  }

  static fromImage(image: TableImage): KeyTable {
    const table = new KeyTable();
    table.lsn = BigInt(image.lsn);
    table.tick = BigInt(image.tick);
    for (const [key, value, expiresAt] of image.entries) table.entries.set(key, {value, expiresAt: BigInt(expiresAt)});
    return table;
  }
}
