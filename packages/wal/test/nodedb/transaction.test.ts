/**
 * A transaction is whole or absent: power cuts at any call, and then every transaction that is found has all its members,
 * and every one that was acknowledged is found.
 */

import {expect, test} from 'vitest';
import {isWalError} from '../../src/index.ts';
import type {DataRecord} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {openManager, SCOPE, text, textOf} from './support.ts';

const SEEDS = 300;
const LIVES = 3;

interface History {
  /** Members of each transaction, by its lsn; those of transactions that a cut took back are overwritten. */
  readonly appended: Map<bigint, number>;
  acknowledged: bigint;
}

function live(disk: SimDisk, history: History, random: SimRandom): void {
  const manager = openManager(disk);
  check(disk, history, manager);
  try {
    for (;;) {
      const count = 1 + random.below(5);
      const name = `${manager.wal.nextLsn}`;
      const members = Array.from({length: count}, (_, index) => {
        return {type: 'Put', payload: text(`${name}:${index}:${'x'.repeat(random.below(250))}`)} as const;
      });
      const lsn = manager.appendTransaction(SCOPE, members);
      history.appended.set(lsn, count);
      if (random.chance(0.6)) manager.wal.commitSync();
      history.acknowledged = manager.wal.durableLsn;
    }
  } catch (error) {
    if (!isWalError(error)) throw error;
    if (error.code === 'frame_full') disk.endProcess();
  }
}

function check(disk: SimDisk, history: History, manager = openManager(disk)): void {
  const found = new Map<bigint, number>();
  const put = ({lsn, value, transaction}: DataRecord): void => {
    if (transaction === null) expect.fail('a member is not in its transaction');
    const seen = found.get(lsn) ?? 0;
    const [name, index] = textOf(value).split(':');
    expect([name, index, transaction.index]).toEqual([`${lsn}`, `${seen}`, seen]);
    expect(transaction.count).toBe(history.appended.get(lsn));
    found.set(lsn, seen + 1);
  };
  manager.replay({Put: put}, {collectionOf: () => null});
  for (const [lsn, seen] of found) expect(seen).toBe(history.appended.get(lsn));
  expect(BigInt(found.size)).toBe(manager.wal.durableLsn);
  expect(manager.wal.durableLsn).toBeGreaterThanOrEqual(history.acknowledged);
}

test(`${SEEDS} seeds of ${LIVES} power cuts`, () => {
  let transactions = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SimRandom(seed);
    const disk = new SimDisk({seed});
    const history: History = {appended: new Map(), acknowledged: 0n};
    try {
      for (let life = 0; life < LIVES; life++) {
        disk.arm({call: 1 + random.below(80), kind: 'power_cut'});
        try {
          live(disk, history, random);
        } catch (error) {
          if (!isWalError(error)) throw error;
        }
        disk.restart();
      }
      check(disk, history);
    } catch (error) {
      throw new Error(`seed ${seed}`, {cause: error});
    }
    transactions += Number(history.acknowledged);
  }
  expect(transactions).toBeGreaterThan(SEEDS * 5);
});
