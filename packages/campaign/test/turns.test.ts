/**
 * Which seeds a process takes, and how the workloads share its time. Times are given, not measured. Not here: processes
 * (`worker.test.ts`).
 */
import {describe, expect, test} from 'vitest';
import {type Order, Turns} from '../src/turns.ts';
import type {Workload} from '../src/workload.ts';

const ORDER: Order = {only: null, first: 1, index: 0, step: 1, count: null, milliseconds: null};

function workload(name: string, seeds: number | null, weight = 1): Workload {
  return {name, weight, seeds, run: () => ({})};
}

/** The seeds of one workload that an order comes to, up to `max`. */
function seedsOf(seeds: number | null, order: Partial<Order>, max = 100): number[] {
  const turns = new Turns([workload('some', seeds)], {...ORDER, ...order});
  const taken: number[] = [];
  for (let turn = turns.next(); turn !== null && taken.length < max; turn = turns.next()) taken.push(turn.seed);
  return taken;
}

/** Where each turn takes as long as its workload says: how many turns each had, and how long in all. */
function shared(workloads: readonly Workload[], costs: Readonly<Record<string, number>>, turnCount: number) {
  const turns = new Turns(workloads, ORDER);
  const had = new Map(workloads.map(({name}) => [name, {turns: 0, spent: 0}]));
  for (let left = turnCount; left > 0; left--) {
    const turn = turns.next();
    if (turn === null) break;
    const {name} = turn.workload;
    const cost = costs[name] ?? 0;
    turns.spent(turn, cost);
    const one = had.get(name);
    if (one === undefined) continue;
    one.turns++;
    one.spent += cost;
  }
  return Object.fromEntries(had);
}

describe('seeds', () => {
  test.each<[string, number | null, Partial<Order>, number[]]>([
    ['each from the first on', null, {first: 7}, [7, 8, 9, 10]],
    ['every third, for the second of three processes', null, {first: 7, index: 1, step: 3}, [8, 11, 14, 17]],
    ['as many as are asked for', null, {first: 7, count: 2}, [7, 8]],
    ['of five asked for, those of the second of two', null, {first: 10, index: 1, step: 2, count: 5}, [11, 13]],
    ['none for a process too many', null, {index: 3, step: 4, count: 3}, []],
    ['all that there are, from 1 wherever the others begin', 4, {first: 9}, [1, 2, 3, 4]],
    ['all that there are for one of two processes', 5, {first: 9, index: 1, step: 2}, [2, 4]],
    ['a few of those that there are, by number', 8, {first: 3, count: 2}, [3, 4]],
    ['none behind the last', 4, {first: 3, count: 10}, [3, 4]],
    ['none where the first is behind the last', 4, {first: 5, count: 1}, []],
  ])('%s', (_what, seeds, order, expected) => {
    expect(seedsOf(seeds, order, 4)).toEqual(expected);
  });

  test('whatever the number of processes, each seed is run by one of them, once', () => {
    for (let step = 1; step <= 7; step++) {
      for (let seeds = 0; seeds <= 20; seeds++) {
        const all = Array.from({length: seeds}, (_, at) => at + 1);
        const numbered = all.map(seed => seed + 40);
        const inRange = Array.from({length: step}, (_, index) => seedsOf(seeds, {index, step, first: 3}));
        expect(inRange.flat().sort((a, b) => a - b)).toEqual(all);
        const asked = Array.from({length: step}, (_, index) => seedsOf(null, {index, step, first: 41, count: seeds}));
        expect(asked.flat().sort((a, b) => a - b)).toEqual(numbered);
      }
    }
  });
});

describe('workloads', () => {
  test('those that are named are run, and all where none is named', () => {
    const all = [workload('a', null), workload('b', null), workload('c', null)];
    const namesOf = (only: readonly string[] | null): string[] =>
      new Turns(all, {...ORDER, only}).workloads.map(({name}) => name);
    expect(namesOf(null)).toEqual(['a', 'b', 'c']);
    expect(namesOf(['c', 'a'])).toEqual(['a', 'c']);
    expect(namesOf([])).toEqual([]);
    expect(new Turns(all, {...ORDER, only: []}).next()).toBeNull();
  });

  test('each has its seeds in order, whoever has turns between', () => {
    const turns = new Turns([workload('a', null), workload('b', 2)], ORDER);
    const taken: string[] = [];
    for (let left = 6; left > 0; left--) {
      const turn = turns.next();
      if (turn === null) break;
      turns.spent(turn, 1);
      taken.push(`${turn.workload.name}${turn.seed}`);
    }
    expect(taken).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'a4']);
  });

  test('weights divide the time, not the number of seeds', () => {
    const two = [workload('heavy', null, 30), workload('light', null, 10)];
    expect(shared(two, {heavy: 1, light: 1}, 400)).toEqual({
      heavy: {turns: 300, spent: 300},
      light: {turns: 100, spent: 100},
    });
    expect(shared(two, {heavy: 6, light: 1}, 600)).toEqual({
      heavy: {turns: 200, spent: 1200},
      light: {turns: 400, spent: 400},
    });
  });

  test('what one that is at its end leaves of the time goes to the others', () => {
    const two = [workload('heavy', 3, 90), workload('light', null, 10)];
    expect(shared(two, {heavy: 1, light: 1}, 50)).toEqual({
      heavy: {turns: 3, spent: 3},
      light: {turns: 47, spent: 47},
    });
  });
});
