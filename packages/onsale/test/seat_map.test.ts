import {readFileSync} from 'node:fs';
import {resourceIdFrom} from '@allocdb/api';
import {describe, expect, it} from 'vitest';
import {parseSeatMap, runsOf, SeatMapError, seatName, seatResource} from '../src/seat_map.ts';

const HEADER = 'section,row,seat,tier\n';

function faultsOf(text: string): readonly string[] {
  try {
    parseSeatMap(text, 'map.csv');
  } catch (error) {
    if (error instanceof SeatMapError) return error.faults;
    throw error;
  }
  return [];
}

describe('a seat map', () => {
  it('is read in any order of columns, with quotes, spaces and either end of line', () => {
    const seats = parseSeatMap(
      '\uFEFFseat, tier ,Section,row\r\n12,Gold,"Floor, ""left""",A\r\n13,Gold,Stalls, B \r\n\r\n',
      'x',
    );
    expect(seats).toEqual([
      {index: 0, section: 'Floor, "left"', row: 'A', number: 12, tier: 'Gold'},
      {index: 1, section: 'Stalls', row: 'B', number: 13, tier: 'Gold'},
    ]);
    expect(seats.map(seatName)).toEqual(['hall/Floor, "left"/A/12', 'hall/Stalls/B/13']);
    expect(seats.map(seatResource)[1]).toBe(resourceIdFrom('hall/Stalls/B/13'));
  });

  it.each([
    ['', 'map.csv:1: the file is empty; the header must name the columns section, row, seat, tier'],
    ['section,row,seat,price\nA,1,1,x\n', 'map.csv:1: unknown column "price"'],
    ['section,row,seat\nA,1,1\n', 'map.csv:1: column "tier" is missing'],
    ['section,row,seat,tier,row\nA,1,1,x,1\n', 'map.csv:1: a column is named twice'],
    [HEADER, 'map.csv:2: no seats follow the header'],
    [`${HEADER}A,1,1\n`, 'map.csv:2: 3 columns, wanted 4'],
    [`${HEADER}A,1,1,x\nA,1,2,x,y\n`, 'map.csv:3: 5 columns, wanted 4'],
    [`${HEADER}A,,1,x\n`, 'map.csv:2: row is empty'],
    [`${HEADER}A,1,1, \n`, 'map.csv:2: tier is empty'],
    [`${HEADER}A,1,one,x\n`, 'map.csv:2: seat must be a whole number from 1, got "one"'],
    [`${HEADER}A,1,0,x\n`, 'map.csv:2: seat must be a whole number from 1, got "0"'],
    [`${HEADER}A/B,1,1,x\n`, 'map.csv:2: section contains "/"'],
    [`${HEADER}A,1,1,x\n\nA,1,2,x\n`, 'map.csv:3: empty line'],
    [`${HEADER}A,1,1,"x\n`, 'map.csv:2: a quote is not closed'],
    [`${HEADER}A,1,7,x\nA,1,8,x\nA,1,07,x\n`, 'map.csv:4: section A, row 1, seat 7 stands in line 2 already'],
  ])('%j is refused', (text, fault) => {
    expect(faultsOf(text)[0]).toContain(fault);
  });

  it('names every faulty line at once, up to a bound', () => {
    expect(faultsOf(`${HEADER}A,1\nA,1,1,x\nA,1,x,x\n`).map(fault => fault.slice(0, 10))).toEqual([
      'map.csv:2:',
      'map.csv:4:',
    ]);
    expect(faultsOf(HEADER + 'A\n'.repeat(50))).toHaveLength(21);
  });
});

describe('adjacency', () => {
  it('is consecutive numbers in one row of one section, in any order of lines', () => {
    const rows = ['A,1,3,x', 'A,1,1,x', 'A,1,2,x', 'A,1,5,x', 'A,2,6,x', 'B,1,4,x', 'A,1,6,y'];
    const seats = parseSeatMap(`${HEADER}${rows.join('\n')}\n`, 'x');
    const named = runsOf(seats).map(run => run.seats.map(seat => seats[seat]).map(seat => seat && seatName(seat)));
    expect(named).toEqual([
      ['hall/A/1/1', 'hall/A/1/2', 'hall/A/1/3'],
      ['hall/A/1/5', 'hall/A/1/6'],
      ['hall/A/2/6'],
      ['hall/B/1/4'],
    ]);
  });
});

describe('the hall that comes with the demo', () => {
  it('has 20,000 seats in rows of different lengths', () => {
    const seats = parseSeatMap(readFileSync(new URL('../data/hall.csv', import.meta.url), 'utf8'), 'hall.csv');
    expect(seats).toHaveLength(20_000);
    expect(new Set(seats.map(seat => seat.section)).size).toBeGreaterThan(50);
    expect([...new Set(seats.map(seat => seat.tier))]).toEqual([
      'Platinum',
      'Gold',
      'Silver',
      'Bronze',
      'Restricted view',
    ]);
    expect(new Set(runsOf(seats).map(run => run.seats.length)).size).toBeGreaterThan(8);
  });
});
