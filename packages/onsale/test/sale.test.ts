import {describe, expect, it} from 'vitest';
import {feasibleKills, parseArguments, UsageError} from '../src/arguments.ts';
import {HallView} from '../src/buyers/hall_view.ts';
import {Random} from '../src/random.ts';
import {type Aftermath, isMet, type Moment, planKills, proofOf} from '../src/run/kills.ts';
import {parseSeatMap} from '../src/seat_map.ts';
import {saleSettings, serverConfig} from '../src/settings.ts';

describe('the command line', () => {
  it('has a default for everything', () => {
    const options = {seatsFile: null, seed: 1, buyers: 50_000, clients: 4, kills: null, unanswered: 500, keep: false};
    expect(parseArguments([])).toEqual(options);
    expect(parseArguments(['--', '--keep', '--seed', '7'])).toEqual({...options, seed: 7, keep: true});
    expect(parseArguments(['--kills', 'expirations,unanswered'])?.kills).toEqual(['unanswered', 'expirations']);
    expect(parseArguments(['--kills', 'none'])?.kills).toEqual([]);
    expect(parseArguments(['--help'])).toBeNull();
  });

  it.each([
    [['--sead', '1'], /--sead/],
    [['--seed'], /--seed/],
    [['--seed', '-1'], /--seed/],
    [['--seed=1.5'], /--seed must be a whole number from 0 to 4294967295, got "1.5"/],
    [['--buyers', '0'], /--buyers must be/],
    [['--clients', '17'], /--clients must be a whole number from 1 to 16/],
    [['--unanswered', 'many'], /--unanswered must be/],
    [['--kills', 'unanswered,lunch'], /got "lunch"/],
    [['--seats', ''], /--seats needs/],
    [['hall.csv'], /hall\.csv/],
  ])('%j is refused', (args, message) => {
    expect(() => parseArguments(args)).toThrow(UsageError);
    expect(() => parseArguments(args)).toThrow(message);
  });

  it('leaves out kills that a small sale cannot have, and refuses them when asked for', () => {
    const kills = (args: string[], seats: number) => {
      const options = parseArguments(args);
      return options === null ? null : feasibleKills(options, seats);
    };
    expect(kills([], 20_000)).toEqual(['unanswered', 'checkpoint', 'expirations']);
    expect(kills([], 1000)).toEqual(['unanswered', 'checkpoint']);
    expect(kills(['--buyers', '300'], 20_000)).toEqual([]);
    expect(kills(['--buyers', '300', '--unanswered', '30'], 1000)).toEqual(['unanswered']);
    expect(() => kills(['--buyers', '300', '--kills', 'unanswered'], 1000)).toThrow(/needs at least 5000 buyers/);
    expect(() => kills(['--kills', 'expirations'], 1000)).toThrow(/needs at least 2000 seats, here are 1000/);
  });
});

describe('kills', () => {
  const settings = saleSettings(5, 50_000, 512);
  const aftermath: Aftermath = {unanswered: 0, checkpoint: null, unfinishedSnapshots: [], dueHolds: 0, slot: 9};
  const totals = {unanswered: 0, answers: 5000, heldSeats: 0, soldSeats: 0, buyersLeft: 0, lastDeadline: 0};
  const moment: Moment = {sinceOpeningMs: 0, totals, checkpoint: null, checkpointed: true, watched: null};

  it('are at the same times for the same seed, also when one is left out', () => {
    const all = planKills(['unanswered', 'checkpoint', 'expirations'], settings);
    expect(planKills(['unanswered', 'checkpoint', 'expirations'], saleSettings(5, 50_000, 512))).toEqual(all);
    expect(planKills(['expirations'], settings)).toEqual(all.slice(2));
    expect(planKills(['unanswered', 'checkpoint', 'expirations'], saleSettings(6, 50_000, 512))).not.toEqual(all);
  });

  it('wait for their condition', () => {
    const [unanswered, checkpoint, expirations] = planKills(['unanswered', 'checkpoint', 'expirations'], settings);
    if (unanswered === undefined || checkpoint === undefined || expirations === undefined) throw new Error('three');
    expect(isMet(unanswered, {...moment, totals: {...totals, unanswered: 600}}, 500)).toBe(false);
    expect(isMet(unanswered, {...moment, totals: {...totals, unanswered: 700}}, 500)).toBe(true);
    expect(isMet(unanswered, {...moment, totals: {...totals, unanswered: 700, answers: 0}}, 500)).toBe(false);
    expect(isMet(checkpoint, moment, 500)).toBe(false);
    expect(isMet(checkpoint, {...moment, checkpoint: '9'}, 500)).toBe(true);
    expect(isMet(expirations, {...moment, watched: {slot: 9, backlog: 0}}, 500)).toBe(false);
    expect(isMet(expirations, {...moment, watched: {slot: 9, backlog: 1}}, 500)).toBe(false);
    expect(isMet(expirations, {...moment, watched: {slot: 9, backlog: 100}}, 500)).toBe(true);
    expect(isMet(expirations, {...moment, checkpointed: false, watched: {slot: 9, backlog: 100}}, 500)).toBe(false);
    const late = {...moment, sinceOpeningMs: expirations.fromMs + 5000, watched: {slot: 9, backlog: 1}};
    expect(isMet(expirations, late, 500)).toBe(true);
  });

  it('count only when what they left behind proves them', () => {
    expect(proofOf('unanswered', {...aftermath, unanswered: 499}, 500)).toBeNull();
    expect(proofOf('unanswered', {...aftermath, unanswered: 500}, 500)).toContain('500');
    expect(proofOf('checkpoint', {...aftermath, checkpoint: '77'}, 500)).toBeNull();
    expect(proofOf('checkpoint', {...aftermath, unfinishedSnapshots: ['a.tmp']}, 500)).toBeNull();
    expect(proofOf('checkpoint', {...aftermath, checkpoint: '77', unfinishedSnapshots: ['a.tmp']}, 500)).toContain(
      '77',
    );
    expect(proofOf('expirations', aftermath, 500)).toBeNull();
    expect(proofOf('expirations', {...aftermath, dueHolds: 3}, 500)).toContain('3 holds');
  });
});

describe('a client’s picture of the hall', () => {
  const rows = [
    ...Array.from({length: 6}, (_, i) => `A,1,${i + 1},Gold`),
    ...Array.from({length: 3}, (_, i) => `A,2,${i + 1},Gold`),
    ...Array.from({length: 8}, (_, i) => `B,1,${i + 1},Silver`),
  ];
  const seats = parseSeatMap(`section,row,seat,tier\n${rows.join('\n')}\n`, 'x');

  function isAdjacent(chosen: readonly number[]): boolean {
    return chosen.every((seat, i) => {
      const [here, before] = [seats[seat], seats[chosen[i - 1] ?? -1]];
      if (i === 0) return true;
      return (
        here?.section === before?.section && here?.row === before?.row && here?.number === (before?.number ?? 0) + 1
      );
    });
  }

  it('offers only adjacent seats that look free', () => {
    const view = new HallView(seats);
    const random = new Random(1, 'test');
    const taken = new Set<number>();
    for (let party = 4; party >= 1; party--) {
      for (let chosen = view.choose(party, random); chosen !== null; chosen = view.choose(party, random)) {
        expect(chosen).toHaveLength(party);
        expect(isAdjacent(chosen)).toBe(true);
        for (const seat of chosen) expect(taken.has(seat)).toBe(false);
        for (const seat of chosen) taken.add(seat);
        view.taken(chosen, Number.POSITIVE_INFINITY);
      }
    }
    expect(taken.size).toBe(seats.length);
    expect(view.wish(8, random)).toHaveLength(8);
    expect(view.wish(9, random)).toBeNull();
  });

  it('forgets in time, whatever was believed for longer', () => {
    const view = new HallView(seats);
    const random = new Random(2, 'test');
    const all = seats.map(seat => seat.index);
    view.fade(1000);
    view.taken(all.slice(0, 1), 500_000);
    view.taken(all, 1400);
    view.taken(all.slice(9), Number.POSITIVE_INFINITY);
    view.fade(1300);
    expect(view.choose(1, random)).toBeNull();
    view.fade(1500);
    expect(view.choose(5, random)).toEqual([1, 2, 3, 4, 5]);
    expect(view.choose(6, random)).toBeNull();
    view.free([0]);
    expect(view.choose(6, random)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('randomness', () => {
  it('is the same for the same seed, name and index, and another otherwise', () => {
    const draw = (random: Random): number[] => Array.from({length: 5}, () => random.u32());
    expect(draw(new Random(1, 'a', 2))).toEqual(draw(new Random(1, 'a', 2)));
    const others = [new Random(2, 'a', 2), new Random(1, 'b', 2), new Random(1, 'a', 3)].map(draw);
    expect(new Set([draw(new Random(1, 'a', 2)), ...others].map(String)).size).toBe(4);
  });

  it('keeps to its bounds and weights', () => {
    const random = new Random(3, 'bounds');
    const counts = [0, 0, 0];
    for (let i = 0; i < 10_000; i++) {
      const at = random.weighted([1, 0, 3]);
      counts[at] = (counts[at] ?? 0) + 1;
      expect(random.below(7)).toBeLessThan(7);
    }
    expect(counts[1]).toBe(0);
    expect(counts[2]).toBeGreaterThan(7000);
    expect(counts[2]).toBeLessThan(8000);
  });
});

describe('the database’s configuration', () => {
  it('has room for every seat, hold and operation', () => {
    const config = JSON.parse(JSON.stringify(serverConfig(saleSettings(1, 1000, 64), 3))) as {
      core: Record<string, number | string>;
    };
    expect(config.core).toMatchObject({max_resources: 3, max_bundle_size: 3, max_reservations: 1006});
  });
});
