import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {lsnTag, ReservationTable} from './reservation_table.ts';

describe('reservations by lsn', () => {
  test('are told apart by either lane', () => {
    const table = new ReservationTable(8, 1);
    const lsns = [
      [1, 0],
      [1, 1],
      [1, -1],
      [9, 0],
      [-1, 0],
      [-1, -1],
      [0, 1],
      [0, 2],
    ] as const;
    const rows = lsns.map(([lo, hi]) => table.insert(lo, hi));
    expect(new Set(rows).size).toBe(8);
    expect(lsns.map(([lo, hi]) => table.find(lo, hi))).toEqual(rows);
    expect(table.find(2, 0)).toBe(-1);
    expect(() => table.insert(5, 5)).toThrow('reservation table has a free row');
    table.remove(rows[1]);
    expect(lsns.map(([lo, hi]) => table.find(lo, hi))).toEqual(rows.with(1, -1));
    expect(table.insert(5, 5)).toBe(rows[1]);
  });

  test('have tags that are a bijection of the low lane', () => {
    const tags = new Set<number>();
    for (let i = 0; i < 50_000; i++)
      tags
        .add(lsnTag(i))
        .add(lsnTag(-i - 1))
        .add(lsnTag((i << 13) | 0x55));
    const lanes = new Set<number>();
    for (let i = 0; i < 50_000; i++)
      lanes
        .add(i)
        .add(-i - 1)
        .add((i << 13) | 0x55);
    expect(tags.size).toBe(lanes.size);
  });

  test('take the lowest rows first, and reach as far as rows were ever taken', () => {
    fc.assert(
      fc.property(fc.integer({min: 1, max: 40}), fc.array(fc.nat(), {maxLength: 80}), (capacity, moves) => {
        const table = new ReservationTable(capacity, 1);
        const taken: number[] = [];
        let highest = -1;
        // A lane of 0 does not make an lsn 0.
        let lsn = 0;
        for (const move of moves) {
          if (move % 3 !== 0 && taken.length < capacity) {
            lsn++;
            const row = lsn % 5 === 0 ? table.insert(0, lsn) : table.insert(lsn, 0);
            taken.push(row);
            highest = Math.max(highest, row);
          } else if (taken.length > 0) {
            table.remove(taken.splice(move % taken.length, 1)[0]);
          }
          expect(table.reach).toBe(highest + 1);
        }
      }),
    );
  });

  test('keep member count and state apart, up to the largest bundle', () => {
    const table = new ReservationTable(2, 65_535);
    const row = table.insert(1, 0);
    table.setMeta(row, 1, 65_535);
    table.setState(row, 6);
    expect([table.state(row), table.memberCount(row)]).toEqual([6, 65_535]);
    for (const member of [0, 1, 65_534]) table.setMember(row, member, member + 7);
    expect([0, 1, 65_534].map(member => table.member(row, member))).toEqual([7, 8, 65_541]);
    expect(table.member(1 - row, 1)).toBe(0);
  });
});
