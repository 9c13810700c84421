/**
 * The names of the simulated disk: which file each path means now, and which it meant at the last sync of its directory.
 *
 * Invariant: a name is certain only after `sync` of its directory. In a power cut each unsynced change is kept or lost
 * on its own, in order; a rename is one change, as journalling file systems make it.
 */

import {parentPath} from '../file_io.ts';
import type {SimFile} from './sim_file.ts';
import type {SimRandom} from './sim_random.ts';

export type SimEntry = SimFile | 'directory';

interface Change {
  readonly dir: string;
  readonly remove: string | null;
  readonly add: string | null;
  readonly entry: SimEntry;
}

export class SimNames {
  #now: Map<string, SimEntry>;
  #durable: Map<string, SimEntry>;
  #changes: Change[] = [];

  constructor(now: Map<string, SimEntry>, durable: Map<string, SimEntry>) {
    this.#now = now;
    this.#durable = durable;
  }

  get(path: string): SimEntry | undefined {
    return this.#now.get(path);
  }

  add(path: string, entry: SimEntry): void {
    this.#change({dir: parentPath(path), remove: null, add: path, entry});
  }

  remove(path: string): void {
    const entry = this.#now.get(path) as SimEntry;
    this.#change({dir: parentPath(path), remove: path, add: null, entry});
  }

  rename(from: string, to: string): void {
    const entry = this.#now.get(from) as SimEntry;
    this.#change({dir: parentPath(to), remove: from, add: to, entry});
  }

  list(dir: string): string[] {
    const paths = [...this.#now.keys()].filter(path => path !== '/' && parentPath(path) === dir);
    return paths.map(path => path.slice(path.lastIndexOf('/') + 1)).sort();
  }

  sync(dir: string): void {
    for (const change of this.#changes) if (change.dir === dir) apply(this.#durable, change);
    this.#changes = this.#changes.filter(change => change.dir !== dir);
  }

  losePower(random: SimRandom, keep: number): void {
    for (const change of this.#changes) if (random.chance(keep)) apply(this.#durable, change);
    this.#changes = [];
    for (const path of [...this.#durable.keys()]) if (!this.#isReachable(path)) this.#durable.delete(path);
    this.#now = new Map(this.#durable);
    for (const file of this.files()) file.losePower(random, keep);
  }

  get hasUnsynced(): boolean {
    if (this.#changes.length > 0) return true;
    for (const file of this.files()) if (file.hasUnsynced) return true;
    return false;
  }

  /** Every file that a name means, now or on the platter. */
  files(): Set<SimFile> {
    const entries = [...this.#now.values(), ...this.#durable.values()];
    return new Set(entries.filter(entry => entry !== 'directory'));
  }

  fork(): SimNames {
    const copies = new Map<SimEntry, SimEntry>([['directory', 'directory']]);
    for (const file of this.files()) copies.set(file, file.fork());
    const copied = (names: Map<string, SimEntry>): Map<string, SimEntry> =>
      new Map([...names].map(([path, entry]) => [path, copies.get(entry) as SimEntry]));
    const fork = new SimNames(copied(this.#now), copied(this.#durable));
    fork.#changes = this.#changes.map(change => ({...change, entry: copies.get(change.entry) ?? change.entry}));
    return fork;
  }

  #change(change: Change): void {
    apply(this.#now, change);
    this.#changes.push(change);
  }

  #isReachable(path: string): boolean {
    return path === '/' || (this.#durable.get(parentPath(path)) === 'directory' && this.#isReachable(parentPath(path)));
  }
}

function apply(names: Map<string, SimEntry>, change: Change): void {
  if (change.remove !== null && names.get(change.remove) === change.entry) names.delete(change.remove);
  if (change.add !== null) names.set(change.add, change.entry);
}
