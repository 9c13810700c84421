/**
 * Power cuts at any call of a random workload: no refusal, nothing acknowledged lost, nothing invented.
 *
 * Each seed lives several lives on one disk. A life appends, commits, marks, truncates and closes at random until the
 * power goes at a random call; then unsynced sectors and names survive by chance, and the next life must find a prefix
 * of what was appended that holds everything acknowledged.
 */

import {expect, test} from 'vitest';
import {isWalError, READ, STATUS, type Wal} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {SimRandom} from '../src/testing/sim_random.ts';
import {openSmall, payloadOf} from './support.ts';

const SEEDS = 2500;
const LIVES = 3;
/** Enough calls to begin and to get through several segments. */
const CALLS_MAX = 150;

interface History {
  acknowledged: bigint;
  truncatedBefore: bigint;
  /** Size and life of every record appended and not known to be lost. */
  readonly records: Map<bigint, {bytes: number; life: number}>;
}

function checkRecovered(wal: Wal, history: History): void {
  const last = wal.durableLsn;
  expect(last).toBeGreaterThanOrEqual(history.acknowledged);
  expect(wal.firstLsn).toBeLessThanOrEqual(history.truncatedBefore);
  const cursor = wal.read(wal.firstLsn);
  let expected = wal.firstLsn;
  for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
    if (event !== READ.RECORD) continue;
    if (cursor.lsn !== expected) expect.fail(`lsn ${cursor.lsn} where ${expected} was due`);
    const record = history.records.get(expected);
    if (record === undefined) expect.fail(`lsn ${expected} was never appended`);
    const payload = payloadOf(expected, record.bytes, record.life);
    if (Buffer.compare(cursor.payload(), payload) !== 0) expect.fail(`lsn ${expected} holds other bytes`);
    expected++;
  }
  cursor.close();
  expect(expected).toBe(last + 1n);
  for (const lsn of history.records.keys()) if (lsn > last) history.records.delete(lsn);
  history.acknowledged = last;
}

function appendSome(wal: Wal, history: History, random: SimRandom, life: number): void {
  for (let left = random.below(6); left >= 0; left--) {
    const lsn = wal.nextLsn as bigint;
    const bytes = random.chance(0.1) ? random.below(2048) : random.below(300);
    const status = wal.append(1, 1, life, 0, payloadOf(lsn, bytes, life), 0, bytes);
    if (status === STATUS.FRAME_FULL) return;
    if (status !== STATUS.OK) expect.fail(`append answered ${status}`);
    history.records.set(lsn, {bytes, life});
  }
}

function step(wal: Wal, history: History, random: SimRandom, life: number): void {
  const dice = random.below(100);
  if (dice < 45) appendSome(wal, history, random, life);
  else if (dice < 60) wal.freeze();
  else if (dice < 75) wal.writeFrozenSync();
  else if (dice < 85) wal.commitSync();
  else if (dice < 90) wal.markIdle();
  else if (dice < 94) {
    if (wal.frozenRecords === 0) wal.writeSnapshotMarkerSync(1, 0, new Uint8Array(16).fill(life));
  } else if (dice < 97) wal.prepareStep(4096);
  else {
    const lsn = history.acknowledged - BigInt(random.below(20));
    history.truncatedBefore = lsn > history.truncatedBefore ? lsn : history.truncatedBefore;
    wal.truncateBefore(lsn);
  }
  history.acknowledged = wal.durableLsn;
}

/** Lives until the power goes or a clean close. */
function live(disk: SimDisk, history: History, random: SimRandom, life: number): void {
  disk.arm({call: 1 + random.below(CALLS_MAX), kind: 'power_cut'});
  try {
    const wal = openSmall(disk, {verify: random.chance(0.5) ? 'all' : 'tail'});
    checkRecovered(wal, history);
    const steps = random.chance(0.15) ? random.below(60) : Number.POSITIVE_INFINITY;
    for (let count = 0; count < steps; count++) step(wal, history, random, life);
    wal.closeSync();
    history.acknowledged = wal.durableLsn;
  } catch (error) {
    if (!isWalError(error) || (error.code !== 'failed' && error.code !== 'io')) throw error;
  }
}

test(`${SEEDS} seeds of ${LIVES} lives each`, () => {
  const cuts = {power: 0, torn: 0, unclean: 0, clean: 0, fresh: 0};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SimRandom(seed);
    const disk = new SimDisk({seed});
    const history: History = {acknowledged: 0n, truncatedBefore: 1n, records: new Map()};
    try {
      for (let life = 1; life <= LIVES; life++) {
        live(disk, history, random, life);
        if (disk.isDown) {
          cuts.power++;
          disk.restart();
        }
        disk.arm(null);
      }
      const wal = openSmall(disk, {floor: history.acknowledged});
      cuts[wal.recovery.ending]++;
      checkRecovered(wal, history);
      wal.abandon();
    } catch (error) {
      throw new Error(`seed ${seed}`, {cause: error});
    }
  }
  // The workload must really reach what it is meant to reach.
  expect(cuts.power).toBeGreaterThan(6000);
  expect(cuts.torn).toBeGreaterThan(SEEDS / 20);
  expect(cuts.unclean).toBeGreaterThan(SEEDS / 20);
});
