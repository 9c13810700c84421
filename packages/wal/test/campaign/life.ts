/**
 * One life of a log: a process that opens it and then appends, commits in every mode, marks, reads and truncates at
 * random, and checks what it is answered against the history of the log.
 *
 * Everything follows from the random source and from what the disk does. How a life ends, and what the next one must
 * find, is the business of whoever runs it.
 */

import {isWalError, type LogCursor, READ, STATUS, type Status, type Wal, type WalError} from '../../src/index.ts';
import type {SimDisk} from '../../src/testing/index.ts';
import type {SimRandom} from '../../src/testing/sim_random.ts';
import {type History, NOISE, PAYLOAD_BYTES_MAX, payloadStart, Violation} from './history.ts';

const CURSORS_MAX = 2;
/** Turns of the event loop after which nothing that a process had begun may still be under way. */
const TURNS_MAX = 100;

/** What lives have done, added up by whoever runs them. */
export type LifeCounts = {
  asyncFrames: number;
  reads: number;
};

interface Reading {
  readonly cursor: LogCursor;
  next: number;
  readonly last: number;
}

/** Commits whose promises have not settled, and what was wrong with one that has. */
interface Commits {
  open: number;
  violation: Violation | null;
}

/** One process with the log open. */
export interface Life {
  readonly number: number;
  readonly wal: Wal;
  readonly history: History;
  readonly random: SimRandom;
  readonly counts: LifeCounts;
  /** Whether the disk may refuse to give space. */
  readonly mayBeFull: boolean;
  readonly commits: Commits;
  readonly readings: Reading[];
}

export function newLife(
  wal: Wal,
  history: History,
  random: SimRandom,
  counts: LifeCounts,
  more: {readonly number: number; readonly mayBeFull: boolean},
): Life {
  return {wal, history, random, counts, ...more, commits: {open: 0, violation: null}, readings: []};
}

/** Waits until nothing of this process is under way, and checks that every promise it was given has settled. */
export async function settle(disk: SimDisk, life: Life | null): Promise<void> {
  for (let turn = 0; turn < TURNS_MAX; turn++) {
    await nextTurn();
    await disk.settled();
    if (turn > 0 && (life === null || life.commits.open === 0)) break;
  }
  if (life === null) return;
  const {commits, history, wal} = life;
  if (commits.violation !== null) throw commits.violation;
  if (commits.open > 0) throw new Violation(`${commits.open} commits never settled`);
  history.acknowledge(wal);
}

/** A log that has failed says so to every later call, always with the same error. */
export function checkStaysFailed(wal: Wal, failure: WalError): void {
  const calls = [
    () => wal.commitSync(),
    () => wal.append(1, 0, 0, 0, NOISE, 0, 1),
    () => wal.room(1, 1),
    () => wal.freeze(),
    () => wal.truncateBefore(1n),
    () => wal.markIdle(),
    () => wal.read(1n),
  ];
  for (const [index, call] of calls.entries()) {
    try {
      call();
    } catch (error) {
      if (error === failure) continue;
    }
    throw new Violation(`call ${index} on a failed log did not throw its failure`);
  }
}

type Step = (life: Life) => void | Promise<void>;

/** What a life does, and how often. */
const STEPS: readonly (readonly [number, Step])[] = [
  [38, appendSome],
  [7, appendGroup],
  [12, life => whereIdle(life, () => void life.wal.freeze())],
  [12, life => whereIdle(life, () => life.wal.writeFrozenSync())],
  [8, life => whereIdle(life, () => life.wal.commitSync())],
  [20, commitAsync],
  [5, ({wal}) => void wal.markIdle()],
  [4, writeMarker],
  [3, life => whereIdle(life, () => void life.wal.prepareStep(4096))],
  [4, truncate],
  [3, openReading],
  [5, readOn],
];

const WEIGHTS: number = STEPS.reduce((sum, [weight]) => sum + weight, 0);

/** Does one thing. */
export async function step(life: Life): Promise<void> {
  let dice = life.random.below(WEIGHTS);
  for (const [weight, run] of STEPS) {
    dice -= weight;
    if (dice >= 0) continue;
    await run(life);
    break;
  }
  life.history.acknowledge(life.wal);
}

/** What blocks may be refused while a commit is under way, and then only. */
function whereIdle({wal, commits}: Life, run: () => void): void {
  if (wal.failure !== null) return;
  try {
    run();
  } catch (error) {
    if (!isWalError(error) || error.code !== 'busy' || commits.open === 0) throw error;
  }
}

function writeMarker(life: Life): void {
  const {wal, number} = life;
  if (wal.frozenRecords > 0) return;
  whereIdle(life, () => {
    const status = wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16).fill(number));
    if (status !== STATUS.OK) refused(life, status);
  });
}

/** False for an answer that may be given here; whatever else it is, is a violation. */
function refused({mayBeFull}: Life, status: Status): false {
  if (status === STATUS.FRAME_FULL || (status === STATUS.STORAGE_FULL && mayBeFull)) return false;
  throw new Violation(`answered ${status}`);
}

function appendSome(life: Life): void {
  const {random} = life;
  for (let left = random.below(6); left >= 0; left--) {
    if (!appendOne(life, random.chance(0.1) ? random.below(PAYLOAD_BYTES_MAX) : random.below(300))) return;
  }
}

function appendOne(life: Life, bytes: number): boolean {
  const {wal, history, number} = life;
  const lsn = wal.nextLsnLo;
  const status = wal.append(1, 1, number, 0, NOISE, payloadStart(lsn, number), bytes);
  if (status !== STATUS.OK) return refused(life, status);
  history.appended(lsn, bytes, number);
  return true;
}

/** Records that `room` was asked for together: they go into one frame, and so survive together or not at all. */
function appendGroup(life: Life): void {
  const {wal, random, history} = life;
  const sizes = Array.from({length: 2 + random.below(8)}, () => random.below(400));
  const status = wal.room(
    sizes.length,
    sizes.reduce((sum, bytes) => sum + bytes, 0),
  );
  if (status === STATUS.RECORD_TOO_LARGE || (status !== STATUS.OK && !refused(life, status))) return;
  const first = Number(wal.nextLsn);
  for (const bytes of sizes) if (!appendOne(life, bytes)) throw new Violation('room was promised and not given');
  history.grouped(first, first + sizes.length - 1);
}

/** A commit that is waited for, or left to itself while some turns of the event loop pass. */
async function commitAsync({wal, random, counts, commits}: Life): Promise<void> {
  const frames = wal.metrics.frames;
  const target = (wal.nextLsn as bigint) - 1n;
  commits.open++;
  const commit = wal.commit();
  commit.then(
    () => {
      commits.open--;
      if (wal.durableLsn < target) commits.violation = new Violation(`a commit through ${target} was not durable`);
    },
    () => {
      commits.open--;
    },
  );
  if (random.chance(0.4)) await commit;
  else for (let turn = random.below(10); turn > 0; turn--) await (turn % 3 === 0 ? nextTurn() : Promise.resolve());
  counts.asyncFrames += wal.metrics.frames - frames;
}

function truncate({wal, random, history}: Life): void {
  const lsn = Math.max(0, history.acknowledged - random.below(20));
  history.truncatedBefore = Math.max(lsn, history.truncatedBefore);
  wal.truncateBefore(BigInt(lsn));
}

function openReading({wal, random, readings, counts}: Life): void {
  const first = Number(wal.firstLsn);
  const last = Number(wal.durableLsn);
  if (readings.length === CURSORS_MAX || last < first) return;
  const next = first + random.below(last - first + 1);
  readings.push({cursor: wal.read(BigInt(next)), next, last});
  counts.reads++;
}

/** Reads a little further through an open cursor, whatever has been truncated since. */
function readOn({readings, random, history}: Life): void {
  const reading = readings[0];
  if (reading === undefined) return;
  for (let left = random.below(30); left > 0; left--) {
    const event = reading.cursor.next();
    if (event === READ.RECORD) history.checkRecord(reading.cursor, reading.next++);
    if (event !== READ.END) continue;
    if (reading.next !== reading.last + 1)
      throw new Violation(`a cursor through ${reading.last} ended at ${reading.next}`);
    left = 0;
    reading.cursor.close();
    readings.shift();
  }
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
