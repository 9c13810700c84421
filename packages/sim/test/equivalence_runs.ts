/**
 * Two kinds of runs, each decided by its seed alone, for tests and campaigns alike. `runStream` compares core and model
 * over a stream. `runSnapshots` takes a snapshot at every lsn of a short run, loads it into cores with other hash seeds,
 * and goes through the rest of the run again: the same answer and the same digest at every step.
 *
 * A difference is thrown with everything that is needed to look at it.
 */

import {isDeepStrictEqual} from 'node:util';
import {checkInvariants, digestOf} from '@allocdb/core';
import {type ApiRequest, decodeApiRequest, generateStream, Random} from '@allocdb/sim';
import {CoreDriver} from './core_driver.ts';
import {SnapshotCopy} from './core_snapshots.ts';
import {type Action, Pair, randomHashSeed, text} from './equivalence_pair.ts';
import {PROFILES, type Profile, profileOf} from './equivalence_profiles.ts';
import {CommandStream} from './equivalence_streams.ts';

const REQUESTS = 500;
const DIGEST_EVERY = 20;
const DUMP_EVERY = 250;
const ROOM_WORDS_MAX = 400;

export interface StreamRun {
  readonly profile: string;
  readonly commands: number;
  readonly digests: number;
  readonly dumps: number;
  readonly reloads: number;
  /** How often each answer was given. */
  readonly codes: ReadonlyMap<string, number>;
}

export type SnapshotCounts = {
  snapshots: number;
  /** Of these, read in slices while commands went on. */
  sliced: number;
  replayed: number;
  digests: number;
};

/** A third of the seeds, over all profiles, is a stream of the package's generator, with batches and bytes that do not decode. */
function requestsOf(seed: bigint, profile: Profile, pair: Pair): () => ApiRequest | null {
  if ((seed / BigInt(PROFILES.length)) % 3n !== 0n) {
    const stream = new CommandStream(seed, profile, () => pair.model.machine.state);
    return () => stream.next();
  }
  const frames = generateStream(seed, profile.config, REQUESTS, profile.start);
  let at = 0;
  return () => {
    const frame = frames[at++];
    try {
      return frame === undefined ? null : decodeApiRequest(frame);
    } catch {
      return null;
    }
  };
}

function pairOf(seed: bigint, profile: Profile, onAction: (action: Action) => void = () => undefined): Pair {
  const {config, start, disturbed} = profile;
  return new Pair({config, start, disturbed, random: new Random(seed).fork('pair'), onAction});
}

/** Core and model over one stream. */
export function runStream(seed: bigint): StreamRun {
  const profile = profileOf(seed);
  const pair = pairOf(seed, profile);
  const next = requestsOf(seed, profile, pair);
  let [digests, dumps] = [0, 0];
  const compare = (index: number): string | null => {
    if (index % DUMP_EVERY === 0) {
      dumps++;
      return pair.compareStates();
    }
    if (index % DIGEST_EVERY !== 0) return null;
    digests++;
    return pair.compareDigests();
  };
  for (let index = 1; index <= REQUESTS; index++) {
    const request = next();
    const difference = (request === null ? null : pair.step(request)) ?? compare(index);
    if (difference !== null) throw new Error(`request ${index}: ${difference}\n${text(profile)}`);
  }
  return {profile: profile.name, commands: pair.commands, digests, dumps, reloads: pair.reloads, codes: pair.codes};
}

/** Snapshots at every lsn of a run of so many requests. */
export function runSnapshots(seed: bigint, requests: number): SnapshotCounts {
  const profile = profileOf(seed);
  const steps: (Action & {readonly lsn: bigint; readonly digest: bigint})[] = [];
  const pair = pairOf(seed, profile, action => pending.push(action));
  let pending: Action[] = [];
  const next = requestsOf(seed, profile, pair);
  const recorder = new CoreDriver(profile.config, profile.start, randomHashSeed(new Random(seed)));
  for (let index = 1; index <= requests; index++) {
    const request = next();
    const difference = request === null ? null : pair.step(request);
    if (difference !== null) throw new Error(`request ${index}: ${difference}\n${text(profile)}`);
    for (const action of pending) {
      action.run(recorder);
      steps.push({...action, lsn: recorder.lastLsn, digest: digestOf(recorder.db)});
    }
    pending = [];
  }
  const difference = pair.compareStates();
  if (difference !== null) throw new Error(`at the end: ${difference}\n${text(profile)}`);
  return new SnapshotRun(seed, profile, steps).run();
}

interface Step extends Action {
  /** Last lsn and digest behind this step. */
  readonly lsn: bigint;
  readonly digest: bigint;
}

class SnapshotRun {
  readonly #profile: Profile;
  readonly #steps: readonly Step[];
  readonly #random: Random;
  readonly #counts: SnapshotCounts = {snapshots: 0, sliced: 0, replayed: 0, digests: 0};

  constructor(seed: bigint, profile: Profile, steps: readonly Step[]) {
    this.#profile = profile;
    this.#steps = steps;
    this.#random = new Random(seed).fork('snapshots');
  }

  run(): SnapshotCounts {
    const {config, start} = this.#profile;
    const original = new CoreDriver(config, start, randomHashSeed(this.#random));
    let lsn = original.lastLsn;
    for (const [index, step] of this.#steps.entries()) {
      this.#step(original, step, index);
      // What was answered from memory or refused has changed nothing.
      if (step.lsn === lsn) continue;
      lsn = step.lsn;
      this.#counts.snapshots++;
      const loaded = original.reloaded(randomHashSeed(this.#random), this.#random.below(ROOM_WORDS_MAX));
      this.#checkLoaded(loaded, step, index);
      this.#goOn(loaded, index);
    }
    return this.#counts;
  }

  /** The rest of the run on a core that was loaded, of which another snapshot is taken meanwhile, slice by slice. */
  #goOn(loaded: CoreDriver, from: number): void {
    const random = this.#random;
    const second = new CoreDriver(this.#profile.config, null, randomHashSeed(random));
    const copy = new SnapshotCopy(loaded.db, second.db);
    const slicePercent = random.pick([5, 30, 80]);
    const roomWords = random.pick([0, 16, ROOM_WORDS_MAX]);
    const origin = this.#steps[from] as Step;
    let caughtUp = false;
    const catchUp = (index: number): void => {
      if (copy.finish(roomWords) !== origin.digest) throw this.#failure('the digest of a sliced snapshot', index);
      this.#checkLoaded(second, origin, from);
      for (let at = from + 1; at <= index; at++) this.#step(second, this.#steps[at] as Step, at);
      this.#counts.sliced++;
      caughtUp = true;
    };
    for (let index = from + 1; index < this.#steps.length; index++) {
      while (!copy.isDone && random.chance(slicePercent)) copy.slice(roomWords);
      const step = this.#steps[index] as Step;
      this.#step(loaded, step, index);
      if (caughtUp) this.#step(second, step, index);
      else if (copy.isDone) catchUp(index);
    }
    if (!caughtUp) catchUp(this.#steps.length - 1);
    for (const core of [loaded, second]) this.#noViolation(core, this.#steps.length - 1);
  }

  /** One step of the run: the answer, and the digest where no snapshot is under way. */
  #step(core: CoreDriver, step: Step, index: number): void {
    this.#counts.replayed++;
    const answer = step.run(core);
    if (!isDeepStrictEqual(answer, step.expected)) {
      throw this.#failure(`expected ${text(step.expected)}, was ${text(answer)}`, index);
    }
    if (core.lastLsn !== step.lsn) throw this.#failure(`lsn ${core.lastLsn}`, index);
    if (core.db.snapshot !== null) return;
    this.#counts.digests++;
    if (digestOf(core.db) !== step.digest) throw this.#failure('another digest', index);
  }

  #checkLoaded(core: CoreDriver, step: Step, index: number): void {
    if (digestOf(core.db) !== step.digest) throw this.#failure('another digest after loading', index);
    this.#noViolation(core, index);
  }

  #noViolation(core: CoreDriver, index: number): void {
    const violations = checkInvariants(core.db);
    if (violations.length > 0) throw this.#failure(violations.join('; '), index);
  }

  #failure(what: string, index: number): Error {
    return new Error(`step ${index}, lsn ${this.#steps[index]?.lsn}: ${what}\n${text(this.#profile)}`);
  }
}
