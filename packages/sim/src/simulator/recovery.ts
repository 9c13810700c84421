// The disk of the world, the process that runs on it, and what must be so after each opening.
//
// A crash takes the process's memory and, where power went, part of what was not synced; calls that were under way may
// have had their effect or not. The next process must recover exactly what the log can hold: no less than was shown to
// anybody, whole frames and whole ticks only, the same digest as at that lsn before, and the model's state through it.
import {checkInvariants, digestOf} from '@allocdb/core';
import {type CheckpointInfo, verifyDirectory} from '@allocdb/node';
import {dumpState} from '@allocdb/node/testing';
import type {SimDisk} from '@allocdb/wal/testing';
import type {Model} from '../model/model.ts';
import {Random} from '../random.ts';
import {checkpointProblem, overdueProblem} from './checkpoint_policy.ts';
import type {Clients} from './clients.ts';
import {type Armed, type ArmedCrash, type FailedCall, mayHalt} from './faults.ts';
import {DIR, openOnce, type SimProcess, snapshotPath, snapshotsOf, u64} from './process.ts';
import {sameBytes} from './refusals.ts';
import {comeToRest, stepUntil} from './rest.ts';
import type {RunState} from './run_state.ts';
import {Violation} from './violation.ts';
import {WatchedIo} from './watched_io.ts';

const OPENINGS_MAX = 60;

export class Recovery {
  disk: SimDisk;
  readonly #run: RunState;
  readonly #clients: Clients;
  readonly #armed: Armed;
  #process: SimProcess | null = null;
  /** Digests of the state at lsns where a frame ended, as the engine had it then. */
  readonly #digests: Map<bigint, bigint> = new Map();
  readonly #frameEnds: Set<bigint> = new Set();
  #wasHalted = false;
  /** When the last checkpoint began: calls that had failed, bytes of frames that had been written. */
  #failedBefore = 0;
  #bytesBefore = 0;

  constructor(run: RunState, clients: Clients, armed: Armed, disk: SimDisk) {
    this.#run = run;
    this.#clients = clients;
    this.#armed = armed;
    this.disk = disk;
    this.#frameEnds.add(run.schedule.start?.lsn ?? 0n);
  }

  get process(): SimProcess {
    if (this.#process === null) throw new Error('no process runs');
    return this.#process;
  }

  /** The first process. */
  start(): void {
    this.#open(null);
  }

  /** The process has ended; the next one is started. */
  crash(by: ArmedCrash): void {
    const {process} = this;
    this.#clients.disconnect();
    this.#process = null;
    this.#endMachine(process.io, by);
    this.#open(null);
  }

  /** Closes in order and opens again. Where the process dies meanwhile, that is left to whoever looks next. */
  async restart(random: Random): Promise<void> {
    const {process} = this;
    const {engine} = process;
    const {counts} = this.#run;
    if (engine.state === 'running' && random.chance(50)) await this.#closeNow(process, random);
    counts.restarts++;
    const ending = await this.#close(process, random);
    if (ending === 'died') return;
    const lost = engine.haltCause !== null || ending === 'failed';
    counts.faults += process.io.failed.length;
    this.#process = null;
    this.#clients.disconnect();
    this.disk.endProcess();
    this.#open(lost ? null : this.#run.oracle.lastLsn);
  }

  beginCheckpoint(): void {
    const {engine} = this.process;
    if (engine.state !== 'running') return;
    const {db} = engine;
    if (db.snapshot === null) this.#digests.set(u64(db.lastLsnLo, db.lastLsnHi), digestOf(db));
    // How it ends is told to `onFinish`, also of those that the engine begins by itself.
    engine.checkpoint().catch(() => undefined);
  }

  /** Recovers a copy of the disk as power would leave it now. */
  probe(dice: number): void {
    const disk = this.disk.fork(dice);
    disk.restart();
    this.#run.counts.probes++;
    const process = openOnce(this.#run, disk, {crash: null, faults: []});
    if (process instanceof WatchedIo) throw new Violation('open', 'a copy of the disk does not open');
    const {recoveredLsn} = process;
    this.#checkReached(recoveredLsn);
    this.#compare(process, this.#run.oracle.modelAt(recoveredLsn));
  }

  /** The disk takes so many bytes more than it holds. */
  limitSpace(bytes: number | null): void {
    const {disk} = this;
    if (bytes === null) {
      disk.spaceBytes = Number.POSITIVE_INFINITY;
      return;
    }
    let used = 0;
    for (const dir of [DIR, `${DIR}/wal`, `${DIR}/snapshots`]) {
      for (const name of disk.list(dir)) {
        const path = `${dir}/${name}`;
        if (name !== 'wal' && name !== 'snapshots') used += disk.contentOf(path).length;
      }
    }
    disk.spaceBytes = used + bytes;
  }

  /** Damages the newest snapshot, where there is another one to fall back to. */
  rot(random: Random): void {
    const [newest, older] = snapshotsOf(this.disk);
    if (newest === undefined || older === undefined || this.#run.rotten.size > 0) return;
    const path = snapshotPath(newest);
    this.disk.flipBit(path, random.below(this.disk.contentOf(path).length), random.below(8));
    this.#run.rotten.set(newest, this.disk.contentOf(path).slice());
    this.#run.counts.rotten++;
  }

  /** What must be so between any two events. */
  checkRunning(): void {
    const {engine, io} = this.process;
    const {counts} = this.#run;
    const isHalted = engine.state === 'halted';
    if (isHalted && !this.#wasHalted) {
      counts.halts++;
      this.#checkHalt(engine.haltCause, io);
    }
    this.#wasHalted = isHalted;
    const fatal = io.failed.find(mustHalt);
    if (engine.state === 'running' && io.pending.length === 0 && fatal !== undefined) {
      throw new Violation('halt', `${fatal.code} of a ${fatal.call.name} of a segment, and the engine goes on`);
    }
  }

  /** A halt has a call of the log that failed for its cause; a full disk is none. */
  #checkHalt(cause: Error | null, io: WatchedIo): void {
    if (mayHalt(io.causeOf(cause))) return;
    throw new Violation('halt', `no call of the log has failed for which it may, and the engine halted: ${cause}`);
  }

  /** The records of a tick become durable together: no frame ends between them. */
  checkTick(firstLsn: bigint, lastLsn: bigint): void {
    for (let lsn = firstLsn; lsn < lastLsn; lsn++) {
      if (this.#frameEnds.has(lsn))
        throw new Violation('lost', `a tick of lsns ${firstLsn} to ${lastLsn} is cut at ${lsn}`);
    }
  }

  /** Compares the state as it is with the model's. No snapshot may be under way. */
  compareNow(): void {
    if (this.process.engine.state !== 'running' || this.process.engine.db.snapshot !== null) return;
    this.#compare(this.process, this.#run.oracle.model);
  }

  /** The end of a run. */
  async closeAndVerify(random: Random): Promise<void> {
    const {process} = this;
    await comeToRest(this.#run, process, this.#clients, random);
    this.checkRunning();
    this.checkAtRest();
    this.compareNow();
    const digest = digestOf(process.engine.db);
    if ((await this.#close(process, random)) !== 'closed') throw new Violation('silent', 'it does not close');
    const {problems, digest: verified} = verifyDirectory(DIR, this.disk);
    if (problems.length > 0) throw new Violation('verify', problems.join('; '));
    if (verified !== digest) throw new Violation('verify', `digest ${verified}, the engine had ${digest}`);
  }

  async #close(process: SimProcess, random: Random): Promise<'closed' | 'failed' | 'died'> {
    const {engine, io, scheduler} = process;
    let outcome: Error | 'closed' | null = null;
    engine.close().then(
      () => {
        outcome = 'closed';
      },
      error => {
        outcome = error instanceof Error ? error : new Error(String(error));
      },
    );
    const isOver = await stepUntil(process, random, () => outcome !== null || this.#run.trouble !== null);
    if (this.#run.trouble !== null) throw this.#run.trouble;
    if (io.isDead) return 'died';
    if (!isOver) throw new Violation('silent', 'closing does not end');
    if (engine.haltCause !== null) this.#checkHalt(engine.haltCause, io);
    if (outcome !== 'closed' && !mayHalt(io.causeOf(outcome))) {
      throw new Violation('halt', `closing failed, and no call of the log has: ${outcome}`);
    }
    if (this.#clients.isWaiting) throw new Violation('silent', 'closed, and an answer is still waited for');
    const calls = io.pending.length;
    if (calls > 0 || scheduler.hasTimer) {
      const left = calls > 0 ? `${calls} calls are under way, of ${io.pending[0]?.path}` : 'a timer is set';
      throw new Violation('closed', `closed, and ${left}`);
    }
    return outcome === 'closed' ? 'closed' : 'failed';
  }

  /** Closes without waiting, where nothing is under way. */
  async #closeNow(process: SimProcess, random: Random): Promise<void> {
    await comeToRest(this.#run, process, this.#clients, random);
    if (process.io.isDead) return;
    this.checkRunning();
    if (process.engine.state !== 'running') return;
    this.#run.counts.closedNow++;
    try {
      process.engine.closeNow();
    } catch (error) {
      if (!process.io.isDead && !mayHalt(process.io.causeOf(error))) throw error;
    }
  }

  /** Starts processes until one stays up. `all` is where the log must end, null where less may be left. */
  #open(all: bigint | null): void {
    const {counts, transcript} = this.#run;
    for (let attempt = 0; attempt < OPENINGS_MAX; attempt++) {
      counts.openings++;
      const opened = openOnce(this.#run, this.disk, this.#armed);
      if (!(opened instanceof WatchedIo)) {
        this.#adopt(opened, all);
        return;
      }
      transcript.note(`  opening ${opened.isDead ? 'ended' : 'failed'} after ${opened.calls} calls`);
      if (opened.endedBy !== null) this.#endMachine(opened, opened.endedBy);
      else {
        counts.faults += opened.failed.length;
        // A supervisor would have somebody look at the disk first.
        this.#armed.faults.splice(0);
        this.disk.spaceBytes = Number.POSITIVE_INFINITY;
        this.disk = this.disk.fork();
      }
    }
    throw new Violation('open', `not open after ${OPENINGS_MAX} attempts`);
  }

  #endMachine(io: WatchedIo, {point, how, dice}: ArmedCrash): void {
    const {counts, transcript} = this.#run;
    counts.crashes++;
    counts.points[point ?? 'between_events']++;
    counts.faults += io.failed.length;
    if (how === 'power') counts.powerCuts++;
    io.abandon(new Random(BigInt(dice)));
    this.disk = this.disk.fork(dice);
    if (how === 'power') this.#losePower();
    transcript.note(`  crash ${point ?? 'between events'} ${how}`);
  }

  /** A name that was not synced may mean an older file again, which was not damaged. */
  #losePower(): void {
    this.disk.restart();
    const {rotten} = this.#run;
    const left = snapshotsOf(this.disk);
    for (const [lsn, damaged] of rotten) {
      if (!left.includes(lsn) || !sameBytes(this.disk.contentOf(snapshotPath(lsn)), damaged)) rotten.delete(lsn);
    }
  }

  #adopt(process: SimProcess, all: bigint | null): void {
    const {oracle, harness, transcript} = this.#run;
    const {recoveredLsn, hasSnapshot, snapshotLsn} = process;
    this.#process = process;
    this.#wasHalted = false;
    this.#bytesBefore = 0;
    this.#follow(process);
    harness.onOpened?.(process);
    transcript.note(`  open lsn ${recoveredLsn} snapshot ${hasSnapshot ? snapshotLsn : 'none'}`);
    this.#checkReached(recoveredLsn);
    if (all !== null && recoveredLsn !== all) {
      throw new Violation('lost', `closed at lsn ${all}, opened at ${recoveredLsn}`);
    }
    const unfinished = this.disk.list(`${DIR}/snapshots`).filter(name => name.endsWith('.tmp'));
    if (unfinished.length > 0) throw new Violation('verify', `left behind by opening: ${unfinished.join(', ')}`);
    for (const lsn of this.#frameEnds) if (lsn > recoveredLsn) this.#frameEnds.delete(lsn);
    for (const lsn of this.#digests.keys()) if (lsn > recoveredLsn) this.#digests.delete(lsn);
    oracle.recoverTo({lsn: recoveredLsn, hasSnapshot, snapshotLsn});
    const digest = this.#compare(process, oracle.model);
    transcript.note(`  digest ${digest.toString(16)}`);
    // Opening has set them aside.
    this.#run.rotten.clear();
    this.#clients.connect(process);
  }

  /** Notes what the engine has when a frame leaves, and how checkpoints end. */
  #follow(process: SimProcess): void {
    const {engine, io} = process;
    const {db} = engine;
    io.watch.onFrame = lsn => {
      this.#frameEnds.add(lsn);
      if (db.snapshot === null && u64(db.lastLsnLo, db.lastLsnHi) === lsn) this.#digests.set(lsn, digestOf(db));
    };
    engine.checkpoints.onStart = () => {
      this.#failedBefore = io.failed.length;
      this.#bytesBefore = io.watch.bytes;
    };
    engine.checkpoints.onFinish = outcome => {
      if (!io.isDead) this.#checkpointEnded(process, outcome);
    };
  }

  #checkpointEnded(process: SimProcess, outcome: CheckpointInfo | Error): void {
    const {engine, io} = process;
    const {counts, transcript} = this.#run;
    if (outcome instanceof Error) {
      counts.checkpointsFailed++;
      transcript.note(`  checkpoint failed: ${outcome.message}`);
      const isExcused = engine.state !== 'running' || io.causeOf(outcome) !== null;
      if (!isExcused) this.#run.trouble ??= new Violation('checkpoint', outcome.message, outcome);
      return;
    }
    counts.checkpoints++;
    const {lsn, digest} = outcome;
    transcript.note(`  checkpoint ${lsn} ${digest.toString(16)}`);
    const known = this.#digests.get(lsn);
    if (known !== undefined && known !== digest) {
      const both = `at lsn ${lsn} the digest was ${known}, the snapshot has ${digest}`;
      this.#run.trouble ??= new Violation('checkpoint', both);
    }
    this.#run.trouble ??= checkpointProblem(this.#run, process, outcome, this.#failedBefore);
  }

  /** What must be so when nothing is under way. */
  checkAtRest(): void {
    const overdue = overdueProblem(this.#run, this.process, this.process.io.watch.bytes - this.#bytesBefore);
    if (overdue !== null) throw overdue;
  }

  /** Whether the log may end here. */
  #checkReached(lsn: bigint): void {
    const {acknowledgedLsn, oracle} = this.#run;
    if (lsn < acknowledgedLsn) throw new Violation('lost', `lsn ${acknowledgedLsn} was shown, ${lsn} is what is left`);
    if (lsn > oracle.lastLsn)
      throw new Violation('state', `lsn ${lsn} was recovered, the last one was ${oracle.lastLsn}`);
    const whole = this.#frameEnds.has(lsn) && (oracle.record(lsn)?.groupLast ?? lsn) === lsn;
    if (!whole) throw new Violation('lost', `the log ends at lsn ${lsn}, inside a frame or a tick`);
  }

  /** Returns the digest. */
  #compare({engine, recoveredLsn}: SimProcess, model: Model): bigint {
    const {db} = engine;
    const violations = checkInvariants(db);
    if (violations.length > 0) throw new Violation('invariants', violations.join('; '));
    const expected = JSON.stringify(model.dumpState());
    const actual = JSON.stringify(dumpState(db));
    if (expected !== actual) throw new Violation('state', firstDifference(expected, actual));
    const ofModel = model.invariants();
    if (ofModel.length > 0) throw new Violation('invariants', `of the model: ${ofModel.join('; ')}`);
    const digest = digestOf(db);
    const before = this.#digests.get(u64(db.lastLsnLo, db.lastLsnHi));
    if (before !== undefined && digest !== before) {
      throw new Violation('digest', `at lsn ${recoveredLsn} it was ${before}, recovered is ${digest}`);
    }
    return digest;
  }
}

/** Two long texts around the place where they part. */
function firstDifference(expected: string, actual: string): string {
  let at = 0;
  while (expected[at] === actual[at]) at++;
  const around = (text: string): string => text.slice(Math.max(0, at - 160), at + 80);
  return `model …${around(expected)}…\nengine …${around(actual)}…`;
}

/** After it nobody knows what the log holds on disk. */
function mustHalt({call}: FailedCall): boolean {
  return call.kind === 'segment' && call.life === 'running' && (call.name === 'write' || call.name === 'datasync');
}
