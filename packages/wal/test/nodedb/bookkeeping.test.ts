/**
 * What a store reads out of its log besides data: applied transactions, times of lsns, and how far it may be truncated.
 */

import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {CalvinAppliedSet, CheckpointGate, LsnTimeAnchors} from '../../src/nodedb/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {openManager, recordErrorOf, SCOPE, text} from './support.ts';

describe('applied transactions', () => {
  test('are found by epoch and position, not by the largest epoch', () => {
    const manager = openManager(new SimDisk());
    for (const [epoch, position, vshard] of [
      [5n, 0, 1],
      [7n, 2, 1],
      [7n, 0, 1],
      [5n, 1, 2],
      [7n, 0, 1],
    ] as const) {
      manager.appendCalvinApplied({epoch, position, vshard});
    }
    manager.appendPut(SCOPE, text('x'));
    manager.wal.commitSync();
    const applied = CalvinAppliedSet.scan(manager.wal.read(), 1);
    expect(applied.size).toBe(3);
    const asked = [5n, 6n, 7n].map(epoch => [0, 1, 2].map(position => applied.isApplied(epoch, position)));
    expect(asked).toEqual([
      [true, false, false],
      [false, false, false],
      [true, false, true],
    ]);
    applied.add(6n, 1);
    expect([applied.isApplied(6n, 1), applied.size]).toEqual([true, 4]);
    const other = CalvinAppliedSet.scan(manager.wal.read({scope: {vshard: 2}}), 2);
    expect([other.isApplied(5n, 1), other.size]).toEqual([true, 1]);
  });

  test('a malformed record is an error', () => {
    const {wal} = openManager(new SimDisk());
    wal.appendRecord({type: 110, payload: text('?')});
    wal.commitSync();
    expect(recordErrorOf(() => CalvinAppliedSet.scan(wal.read(), 1))).toMatchObject({code: 'malformed', lsn: 1n});
  });
});

describe('time anchors', () => {
  test('answer as their definition does, for clocks that go back and anchors that come in any order', () => {
    const anchor = fc.record({lsn: fc.bigInt(0n, 20n), wallMs: fc.bigInt(-10n, 10n)});
    const asked = fc.bigInt(-12n, 22n);
    fc.assert(
      fc.property(fc.array(anchor, {maxLength: 15}), asked, (given, at) => {
        const anchors = new LsnTimeAnchors();
        for (const each of given) anchors.add(each);
        const latest = new Map(given.map(({lsn, wallMs}) => [lsn, wallMs]));
        const sorted = [...latest].sort(([a], [b]) => Number(a - b));
        expect(anchors.size).toBe(sorted.length);
        expect(anchors.msAt(at)).toBe(sorted.findLast(([lsn]) => lsn <= at)?.[1] ?? null);
        const later = sorted.findIndex(([, ms]) => ms > at);
        const before = later < 0 ? sorted.at(-1) : sorted[later - 1];
        expect(anchors.lsnAt(at)).toBe(before?.[0] ?? null);
      }),
    );
  });

  test('come out of a log; between two anchors the earlier one counts', () => {
    const manager = openManager(new SimDisk());
    manager.appendLsnMsAnchor({lsn: 10n, wallMs: 1000n});
    manager.appendPut(SCOPE, text('x'));
    manager.appendLsnMsAnchor({lsn: 20n, wallMs: 2000n});
    manager.wal.commitSync();
    const anchors = LsnTimeAnchors.scan(manager.wal.read());
    expect([9n, 10n, 19n, 20n, 99n].map(lsn => anchors.msAt(lsn))).toEqual([null, 1000n, 1000n, 2000n, 2000n]);
    expect([999n, 1000n, 1999n, 2000n, 9999n].map(ms => anchors.lsnAt(ms))).toEqual([null, 10n, 10n, 20n, 20n]);
  });

  test('a clock set back never lets a time name a state from after it', () => {
    const anchors = new LsnTimeAnchors();
    for (const [lsn, wallMs] of [
      [1n, 100n],
      [2n, 300n],
      [3n, 200n],
      [4n, 400n],
    ] as const)
      anchors.add({lsn, wallMs});
    expect([150n, 250n, 300n, 400n].map(ms => anchors.lsnAt(ms))).toEqual([1n, 1n, 3n, 4n]);
    expect([2n, 3n].map(lsn => anchors.msAt(lsn))).toEqual([300n, 200n]);
  });
});

describe('the checkpoint gate', () => {
  test('nothing is safe while a participant is missing, then what the slowest says', () => {
    const gate = new CheckpointGate();
    expect(gate.safeLsn).toBeNull();
    gate.register('documents');
    gate.register('vectors');
    gate.report('documents', 30n);
    expect([gate.safeLsn, gate.missing]).toEqual([null, ['vectors']]);
    gate.report('vectors', 20n);
    expect([gate.safeLsn, gate.missing]).toEqual([20n, []]);
    gate.report('vectors', 10n);
    expect(gate.safeLsn).toBe(20n);
    gate.report('vectors', 40n);
    expect(gate.safeLsn).toBe(30n);
    gate.register('arrays');
    expect(gate.safeLsn).toBeNull();
    gate.unregister('arrays');
    gate.unregister('documents');
    expect(gate.safeLsn).toBe(40n);
    expect(() => gate.register('vectors')).toThrow(RangeError);
    expect(() => gate.report('documents', 1n)).toThrow(RangeError);
  });

  test('truncation goes only below the safe lsn', () => {
    const {wal} = openManager(new SimDisk());
    for (let lsn = 1; lsn <= 40; lsn++) {
      wal.appendRecord({type: 1, payload: new Uint8Array(1500), scope: SCOPE});
      wal.commitSync();
    }
    const gate = new CheckpointGate();
    gate.register('documents');
    expect([gate.truncate(wal), wal.firstLsn]).toEqual([0, 1n]);
    gate.report('documents', 25n);
    expect(gate.truncate(wal)).toBeGreaterThan(0);
    expect(wal.firstLsn).toBeGreaterThan(1n);
    expect(wal.firstLsn).toBeLessThanOrEqual(25n);
    expect(gate.truncate(wal)).toBe(0);
  });
});
