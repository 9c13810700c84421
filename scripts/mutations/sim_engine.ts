// Promises of the engine around the state, each broken at the place that keeps it: what is shown when, what a failure does,
// what a checkpoint may leave out and cut off, what replay must repeat. The simulator must notice each.
// Not here: the log itself (`wal_*.ts`) and the state's invariants (`sim_invariants.ts`).
import type {Mutation} from './mutation.ts';
import {breaking} from './sim_killers.ts';

const STEPPER = 'packages/node/src/engine/stepper.ts';
const ENGINE = 'packages/node/src/engine/single_node_engine.ts';
const TICKS = 'packages/node/src/engine/ticks.ts';
const SLOTS = 'packages/node/src/engine/slot_source.ts';
const READS = 'packages/node/src/engine/reads.ts';
const CHECKPOINTER = 'packages/node/src/storage/checkpointer.ts';
const DIRECTORY = 'packages/node/src/storage/data_directory.ts';
const WAL = 'packages/wal/src/wal.ts';
const SPARES = 'packages/wal/src/write/spare_pool.ts';
const TRANSITIONS = 'packages/core/src/machine/transitions.ts';

const broken = breaking('simulator engine:');

export const SIM_ENGINE_MUTATIONS: readonly Mutation[] = [
  broken(
    'answers leave before their frame is written',
    STEPPER,
    'if (this.log.openRecords > 0 && !this.halted) {',
    'if (this.halted) {',
  ),
  broken(
    'answers leave while their frame is written',
    STEPPER,
    '} else if (this.frameInFlight) {',
    '} else if (this.halted) {',
  ),
  broken(
    'a halt leaves the answers as they were',
    ENGINE,
    '    this.stepper.frameFailed();\n',
    '    this.stepper.halted = true;\n',
  ),
  broken('a failed sync is passed over', ENGINE, '      this.halt(error);\n      return;\n', ''),
  broken(
    'a failed sync in the background is passed over',
    ENGINE,
    '        this.halt(error);\n        this.stepper.deliver();\n',
    '        if (error !== null) this.onDurable(openedMs);\n        this.stepper.deliver();\n',
  ),
  broken(
    'the queue takes one more',
    STEPPER,
    'this.queueDepth >= this.limits.maxSubmissionQueue',
    'this.queueDepth > this.limits.maxSubmissionQueue',
  ),
  broken(
    'slots go back',
    SLOTS,
    '    if (!ltU64(out[0] ?? 0, out[1] ?? 0, lastSlotLo, lastSlotHi)) return;\n',
    '    if (lastSlotLo !== lastSlotHi + 7) return;\n',
  ),
  broken(
    'a tick does not ask for room',
    TICKS,
    'stepper.appender.room(count, count * EXPIRE_BYTES)',
    'stepper.appender.room(1, EXPIRE_BYTES)',
  ),
  broken(
    'a tick expires what is not due',
    TICKS,
    'db.wheel.collectDue(current[0] ?? 0, current[1] ?? 0, this.due)',
    'db.wheel.collectDue(((current[0] ?? 0) + 1) | 0, current[1] ?? 0, this.due)',
  ),
  broken(
    'a fence is passed over',
    READS,
    'if (ltU64(lastLsnLo, lastLsnHi, fenceLo, fenceHi)) {',
    'if (fenceLo === 0x1234567) {',
  ),
  broken(
    'closing does not answer',
    ENGINE,
    '    this.stepper.deliver();\n    this.idleMarker.end();\n',
    '    this.idleMarker.end();\n',
  ),
  broken(
    'a snapshot is published before its log',
    CHECKPOINTER,
    'whenDurable(written.lsn, () =>',
    'whenDurable(0n, () =>',
  ),
  broken('the log is cut behind the newest snapshot', CHECKPOINTER, 'lsns[KEPT_SNAPSHOTS - 1]', 'lsns[0]'),
  broken(
    'a snapshot misses what ended meanwhile',
    TRANSITIONS,
    'if (db.snapshot !== null) db.snapshot.saveReservation(row);',
    '',
  ),
  broken(
    'replay begins one record too late',
    DIRECTORY,
    'replayer.replay(readWal(log, snapshotLsn + 1n))',
    'replayer.replay(readWal(log, snapshotLsn + 2n))',
  ),
  broken('an unfinished snapshot stays', DIRECTORY, "name.endsWith('.snap.tmp')", "name.endsWith('.nothing')"),
  broken(
    'the clock is read once',
    ENGINE,
    '    this.turnScheduled = true;\n    this.slots.refresh();\n',
    '    this.turnScheduled = true;\n',
  ),
  broken(
    'a full disk is a failure',
    SPARES,
    "if (isDiskFull(error) || isOutOfHandles(error)) return 'full';",
    "if (isOutOfHandles(error)) return 'full';",
    1,
  ),
  broken(
    'commands are refused while a frame is written',
    STEPPER,
    'const full = bounded && this.queueDepth >= this.limits.maxSubmissionQueue;',
    'const full = bounded && (this.frameInFlight || this.queueDepth >= this.limits.maxSubmissionQueue);',
  ),
  broken(
    'batches are refused while a frame is written',
    STEPPER,
    'const fits = !this.frameInFlight || this.appender.takesBatch(view, request.batchOffset, count) || this.halted;',
    'const fits = !this.frameInFlight || this.halted;',
  ),
  broken(
    'what was in the frame that failed is told as never written',
    STEPPER,
    'rewriteHalted(bytes, releasedEnd, inFlight, durableEnd, STORAGE_FAILURE, putMetrics, rewritten);',
    'rewriteHalted(bytes, releasedEnd, inFlight, durableEnd, ENGINE_HALTED, putMetrics, rewritten);',
  ),
  broken(
    'what was in no frame is told as written',
    STEPPER,
    'rewriteHalted(bytes, inFlight, end, durableEnd, ENGINE_HALTED, putMetrics, rewritten);',
    'rewriteHalted(bytes, inFlight, end, durableEnd, STORAGE_FAILURE, putMetrics, rewritten);',
  ),
  broken('durable members of a batch are told as failed', STEPPER, '        answers.durableEnd = memberAt;\n', ''),
  broken(
    'halted metrics have another slot',
    READS,
    'this.captured[2] = db.lastSlotLo;',
    'this.captured[2] = (db.lastSlotLo + 1) | 0;',
  ),
  broken(
    'closing does not wait for the checkpoint',
    ENGINE,
    'await Promise.all([this.checkpoints.stop(), this.backups.stop()]);',
    'this.checkpoints.giveUp();',
  ),
  broken('closing does not wait for the frame that is written', WAL, '    await this.#pump.drained();\n', ''),
  broken('closing does not wait for the spare that is filled', WAL, '      await this.spares.settled();\n', ''),
  broken('no log is retained', CHECKPOINTER, 'retained < needed ? retained : needed', 'needed'),
  broken('the log is never cut', CHECKPOINTER, 'while (!this.stopping && this.wal', 'while (this.stopping && this.wal'),
  broken('no marker is written', CHECKPOINTER, '      if (written.lsn > 0n) this.mark(written);\n', ''),
  broken('no checkpoint is made by itself', CHECKPOINTER, 'this.logBytesSince >= everyLogBytes;', 'this.stopping;'),
  broken(
    'three snapshots are kept',
    CHECKPOINTER,
    'lsns.slice(KEPT_SNAPSHOTS)) await',
    'lsns.slice(KEPT_SNAPSHOTS + 1)) await',
  ),
  broken(
    'a rotten snapshot is the end',
    DIRECTORY,
    '    rejected.push(lsn);\n',
    "    if (lsn > 0n) throw new OpenError('corrupt_snapshot', problem, []);\n",
  ),
  broken(
    'a tick passes over the last slot',
    TICKS,
    'if (historyOverflows(db, ',
    'if (count < 0 && historyOverflows(db, ',
  ),
];
