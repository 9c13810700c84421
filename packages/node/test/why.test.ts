/**
 * Histories of resources: on random streams of changes every event is there and every owner that is named is the right
 * one, from whichever lsn the log begins; a wrong history does not pass the same judge; and what people read says it.
 */
import {
  type Change,
  holderIdFromBigint,
  type ReservationId,
  type ResourceId,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from '@allocdb/api';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  eventLine,
  type HistoryReport,
  historyLines,
  historyToJson,
  type KnownState,
  OperationSearch,
  ResourceHistory,
  type ResourceHistoryQuery,
} from '../src/index.ts';
import {contradictions, knownOf, openEvents} from './why_judge.ts';
import {ALL_RESOURCES, type Asked, NaiveDatabase, naiveHistory, SHARD} from './why_model.ts';

const seeds: fc.Arbitrary<number> = fc.integer({min: 1, max: 1_000_000});
const steps: fc.Arbitrary<number> = fc.integer({min: 1, max: 160});

type Query = Partial<ResourceHistoryQuery>;

function told(changes: readonly Change[], asked: Query, end: {lastLsn: bigint; nowSlot: bigint | null}): HistoryReport {
  const query = {resource: null, operation: null, from: 1n, shardId: SHARD, limit: 10_000, ...asked};
  const search = query.operation === null ? null : new OperationSearch(query.operation, SHARD);
  const shown = changes.filter(({lsn}) => lsn >= query.from);
  search?.take(shown);
  const history = new ResourceHistory({...query, found: search?.found ?? []});
  history.take(shown);
  return history.report({...end, slotMs: 100});
}

function reportOf(database: NaiveDatabase, asked: Query): HistoryReport {
  return told(database.changes, asked, {lastLsn: database.lastLsn, nowSlot: database.slot});
}

/** The state behind a lsn of a random history. */
function knownAt(seed: number, lsn: bigint): KnownState {
  return knownOf(naiveHistory(seed, 10_000, Number(lsn)));
}

const isStranger = (text: string): boolean => text.endsWith('does not concern it');

/** The same history, with the answers up to a lsn not noted. */
function withoutAnswers(database: NaiveDatabase, through: bigint): NaiveDatabase {
  const forget = (change: Change): Change => {
    if (change.lsn > through) return change;
    return 'lease' in change ? {...change, result: null, lease: null} : {...change, result: null};
  };
  const changes = database.changes.map(forget);
  const truths = database.truths.map(truth => ({...truth, change: forget(truth.change)}));
  return Object.assign(Object.create(Object.getPrototypeOf(database)) as NaiveDatabase, database, {changes, truths});
}

describe('a log from its beginning', () => {
  test('every event is told, with its cause, and the owner of that very moment', () => {
    fc.assert(
      fc.property(seeds, steps, (seed, count) => {
        const database = naiveHistory(seed, count);
        for (const resource of ALL_RESOURCES) {
          const report = reportOf(database, {resource});
          expect(contradictions(report, database)).toEqual([]);
          expect(openEvents(report)).toEqual([]);
          expect(report.standing?.is).not.toBe('unknown');
        }
      }),
      {numRuns: 150},
    );
  });

  test('an operation is explained by the member that decided it, whatever resource was asked for', () => {
    fc.assert(
      fc.property(seeds, steps, fc.nat(), fc.boolean(), (seed, count, pick, withResource) => {
        const database = naiveHistory(seed, count);
        const asked = database.changes.filter(change => 'operation' in change);
        const change = asked[pick % Math.max(1, asked.length)];
        if (change === undefined || !('operation' in change)) return;
        const resource = withResource ? (ALL_RESOURCES[pick % ALL_RESOURCES.length] ?? null) : null;
        const report = reportOf(database, {resource, operation: change.operation});
        expect(contradictions(report, database)).toEqual([]);
        expect(report.operation?.answers.map(({lsn}) => lsn)).toEqual([change.lsn]);
        expect(openEvents({...report, events: []})).toEqual([]);
        const [answer] = report.operation?.answers ?? [];
        const {culprit} = database.truths[Number(change.lsn) - 1] ?? {culprit: null};
        expect(answer?.reason.is).not.toBe('held_other');
        const reason = answer?.reason;
        if (reason !== undefined && 'resource' in reason) expect(reason.resource).toBe(culprit);
      }),
      {numRuns: 150},
    );
  });

  test('changes may come in batches of any size, and those about nothing asked may be left out', () => {
    const database = naiveHistory(11, 150);
    const [resource = null] = ALL_RESOURCES;
    const whole = reportOf(database, {resource});
    for (const size of [1, 7, 1000]) {
      const history = new ResourceHistory({resource, operation: null, from: 1n, shardId: SHARD});
      for (let at = 0; at < database.changes.length; at += size) history.take(database.changes.slice(at, at + size));
      expect(history.report({lastLsn: database.lastLsn, nowSlot: database.slot, slotMs: 100})).toEqual(whole);
    }
    const kept = new Set(whole.events.map(({lsn}) => lsn));
    const wanted = database.changes.filter(({lsn}) => kept.has(lsn));
    expect(told(wanted, {resource}, {lastLsn: database.lastLsn, nowSlot: database.slot})).toEqual(whole);
  });

  test('the newest events are kept, and how many older ones there were is said', () => {
    const database = naiveHistory(12, 200);
    const [resource = null] = ALL_RESOURCES;
    const whole = reportOf(database, {resource});
    const few = reportOf(database, {resource, limit: 5});
    expect(few.events).toEqual(whole.events.slice(-5));
    expect(few.dropped).toBe(whole.events.length - 5);
    expect(few.standing).toEqual(whole.standing);
    expect(historyLines(few).join('\n')).toMatch(/\d older events are not shown/);
  });
});

describe('a log that begins later', () => {
  test('no wrong owner is ever named; what was granted since is known', () => {
    fc.assert(
      fc.property(seeds, steps, fc.double({min: 0, max: 1, noNaN: true}), (seed, count, cut) => {
        const database = naiveHistory(seed, count);
        const from = 1n + BigInt(Math.floor(cut * Number(database.lastLsn)));
        for (const resource of ALL_RESOURCES) {
          const report = reportOf(database, {resource, from});
          expect(contradictions(report, database, from)).toEqual([]);
          const isTold = report.events.some(({kind, result}) => result === 'ok' && kind !== 'create_resource');
          if (isTold) expect(report.standing?.is).not.toBe('unknown');
        }
      }),
      {numRuns: 150},
    );
  });

  test('with the state right before it, it is as a log from the beginning is', () => {
    fc.assert(
      fc.property(seeds, steps, fc.double({min: 0, max: 1, noNaN: true}), (seed, count, cut) => {
        const database = naiveHistory(seed, count);
        const from = 1n + BigInt(Math.floor(cut * Number(database.lastLsn)));
        const known = knownAt(seed, from - 1n);
        for (const resource of ALL_RESOURCES) {
          const report = reportOf(database, {resource, from, known});
          expect(contradictions(report, database, from, 1n)).toEqual([]);
          expect(report.standing?.is).not.toBe('unknown');
          expect(openEvents(report).filter(text => !text.endsWith(': has_resource'))).toEqual([]);
        }
      }),
      {numRuns: 150},
    );
  });

  test('with the state of a later moment nothing wrong is said, and behind that moment all is known', () => {
    fc.assert(
      fc.property(
        seeds,
        steps,
        fc.array(fc.double({min: 0, max: 1, noNaN: true}), {minLength: 2, maxLength: 2}),
        (seed, count, cuts) => {
          const database = naiveHistory(seed, count);
          const [first = 0, second = 0] = cuts
            .map(cut => Math.floor(cut * Number(database.lastLsn)))
            .sort((a, b) => a - b);
          const from = 1n + BigInt(first);
          const known = knownAt(seed, BigInt(second));
          for (const resource of ALL_RESOURCES) {
            const report = reportOf(database, {resource, from, known});
            expect(contradictions(report, database, from, 1n)).toEqual([]);
            expect(report.standing?.is).not.toBe('unknown');
            // No reservation is forgotten here, so whoever held it is known from that moment, whenever it was.
            expect(openEvents(report).filter(text => !text.endsWith(': has_resource'))).toEqual([]);
          }
        },
      ),
      {numRuns: 150},
    );
  });

  test('what ended right at its beginning is told by a state of later', () => {
    const [resource = resourceIdFromBigint(0n)] = ALL_RESOURCES;
    const [alice, bob] = [holderIdFromBigint(1n), holderIdFromBigint(2n)];
    const reservation = reservationIdFromBigint((SHARD << 64n) | 2n);
    const reserve = {kind: 'reserve', resources: [resource], ttlSlots: 9n} as const;
    const script: readonly Asked[] = [
      {kind: 'create_resource', resource},
      {...reserve, holder: alice},
      {...reserve, holder: bob},
      {kind: 'release', reservation, holder: alice, epoch: null},
      {kind: 'confirm', reservation, holder: alice, epoch: null},
    ];
    const through = (lsn: number): NaiveDatabase => {
      const database = new NaiveDatabase();
      for (const asked of script.slice(0, lsn)) database.execute(asked, 1n);
      return database;
    };
    const database = through(script.length);
    expect(database.changes.map(({result}) => result)).toEqual([
      'ok',
      'ok',
      'resource_busy',
      'ok',
      'reservation_retired',
    ]);
    for (const from of [3, 4, 5]) {
      for (const lsn of [2, 3, 4, 5].filter(each => each >= from - 1)) {
        const report = reportOf(database, {resource, from: BigInt(from), known: knownOf(through(lsn))});
        expect(contradictions(report, database, BigInt(from), 1n)).toEqual([]);
        expect(openEvents(report)).toEqual([]);
      }
    }
  });

  test('of which the first part was written before answers were noted, nothing wrong is said either', () => {
    const cuts = fc.array(fc.double({min: 0, max: 1, noNaN: true}), {minLength: 3, maxLength: 3});
    let told = 0;
    fc.assert(
      fc.property(seeds, steps, cuts, (seed, count, shares) => {
        const database = naiveHistory(seed, count);
        const places = shares
          .map(cut => BigInt(Math.floor(cut * Number(database.lastLsn))))
          .sort((a, b) => Number(a - b));
        const [before = 0n, noted = 0n, snapshot = 0n] = places;
        const forgetful = withoutAnswers(database, noted);
        for (const known of [null, knownAt(seed, snapshot)]) {
          for (const resource of ALL_RESOURCES) {
            const report = reportOf(forgetful, {resource, from: before + 1n, known});
            // What concerns it is so by the whole truth; what is said of it, by what was noted.
            const wrong = [
              ...contradictions(report, database).filter(isStranger),
              ...contradictions(report, forgetful).filter(text => !isStranger(text) && !text.endsWith('missing')),
            ];
            expect(wrong).toEqual([]);
            if (known !== null) expect(report.standing?.is).not.toBe('unknown');
            told += report.events.filter(({reason}) => reason.is === 'held' && reason.by !== null).length;
          }
        }
      }),
      {numRuns: 150},
    );
    expect(told).toBeGreaterThan(100);
  });

  test('a state that does not reach the log is refused', () => {
    const query = {resource: null, operation: null, from: 9n, shardId: SHARD, known: knownAt(3, 7n)};
    expect(() => new ResourceHistory(query)).toThrow(RangeError);
  });
});

describe('a wrong history', () => {
  /** Random streams in which somebody lost against a holder, each with one change that is not as it was. */
  function judged(
    plant: (changes: readonly Change[], lost: Change, owner: ReservationId) => readonly Change[],
  ): string[][] {
    const found: string[][] = [];
    for (let seed = 1; found.length < 60 && seed < 400; seed++) {
      const database = naiveHistory(seed, 120);
      const lost = database.truths.find(
        ({change, culprit, owners}) =>
          change.kind === 'reserve' &&
          change.result === 'resource_busy' &&
          culprit !== null &&
          owners.get(culprit) != null,
      );
      if (lost === undefined || lost.culprit === null) continue;
      const owner = lost.owners.get(lost.culprit);
      if (owner == null) continue;
      const changes = plant(database.changes, lost.change, owner.id);
      const end = {lastLsn: database.lastLsn, nowSlot: database.slot};
      found.push(contradictions(told(changes, {resource: lost.culprit}, end), database));
    }
    return found;
  }

  const isGrant = (change: Change, id: ReservationId): boolean => 'lease' in change && change.lease?.id === id;

  test('in which another holder was granted the reservation does not pass', () => {
    const found = judged((changes, _, owner) =>
      changes.map(change => (isGrant(change, owner) ? {...change, holder: 'f'.repeat(32) as never} : change)),
    );
    expect(found).toHaveLength(60);
    expect(found.filter(wrong => !wrong.some(line => line.includes('the holder is')))).toEqual([]);
  });

  test('in which the winning reserve is left out does not pass', () => {
    const found = judged((changes, _, owner) => changes.filter(change => !isGrant(change, owner)));
    expect(found).toHaveLength(60);
    expect(found.filter(wrong => wrong.length === 0)).toEqual([]);
  });

  test('in which the owner had given it back before does not pass', () => {
    const found = judged((changes, lost, owner) => {
      const at = changes.indexOf(lost);
      const grant = changes.find(change => isGrant(change, owner));
      if (grant === undefined || !('holder' in grant) || !('operation' in grant)) throw new Error('it was granted');
      const {operation, client, holder, slot} = grant;
      const release: Change = {
        ...{kind: 'release', lsn: lost.lsn, slot, result: 'ok', operation, client},
        ...{reservation: owner, holder, epoch: null},
      };
      return [...changes.slice(0, at), release, ...changes.slice(at)];
    });
    expect(found).toHaveLength(60);
    expect(found.filter(wrong => wrong.length === 0)).toEqual([]);
  });
});

describe('in words and as JSON', () => {
  const database = naiveHistory(4, 160);
  const resource = busiest(database);
  const report = reportOf(database, {resource});

  test('a lost reserve names holder, reservation, since when and until when', () => {
    const lost = report.events.find(({reason}) => reason.is === 'held' && reason.by?.state === 'reserved');
    if (lost?.reason.is !== 'held' || lost.reason.by === null) throw new Error('there is one');
    const {holder, reservation, sinceLsn, sinceSlot, deadlineSlot} = lost.reason.by;
    const line = eventLine(lost, {...report, slotMs: null});
    expect(line).toContain(
      `resource_busy: at lsn ${lost.lsn} it was held by holder ${holder} under reservation ${reservation} since lsn ${sinceLsn}, slot ${sinceSlot}, until slot ${deadlineSlot}`,
    );
    expect(eventLine(lost, report)).toMatch(/slot \d+ \(\S+ m?s ago\)/);
  });

  test('every event has a line and no line lacks a word', () => {
    for (const each of ALL_RESOURCES) {
      for (const operation of [null, ...operationsOf(database.changes).slice(0, 40)]) {
        const lines = historyLines(reportOf(database, {resource: each, operation}));
        expect(lines.length).toBeGreaterThan(1);
        expect(lines.filter(line => /undefined|null|NaN|\[object/.test(line))).toEqual([]);
      }
    }
    const from = 80n;
    const late = historyLines(reportOf(database, {resource, from}));
    expect(late.join('\n')).toContain('the log begins at lsn 80: what lies before is unknown');
  });

  test('JSON holds strings for what is wide and says the reason twice, as a code and in words', () => {
    const json = historyToJson(report);
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
    expect(json).toMatchObject({
      resource_id: resource,
      log: {first_lsn: '1', last_lsn: String(database.lastLsn)},
      slot_ms: 100,
      standing: report.standing?.is,
      events_dropped: 0,
      operation: null,
    });
    expect(json.events).toHaveLength(report.events.length);
    for (const [i, event] of json.events.entries()) {
      const {lsn, slot, reason} = report.events[i] ?? {lsn: 0n, slot: 0n, reason: {is: 'none'}};
      expect(event).toMatchObject({lsn: String(lsn), slot: String(slot), reason: {code: reason.is}});
      expect(event.age_ms).toBe(100 * Number(database.slot - slot));
      expect(event.reason.text).not.toBe('');
    }
  });
});

function operationsOf(changes: readonly Change[]): Extract<Change, {operation: unknown}>['operation'][] {
  return changes.flatMap(change => ('operation' in change ? [change.operation] : []));
}

function busiest(database: NaiveDatabase): ResourceId {
  const counted = ALL_RESOURCES.map(id => [reportOf(database, {resource: id}).events.length, id] as const);
  counted.sort(([a], [b]) => b - a);
  return counted[0]?.[1] as ResourceId;
}
