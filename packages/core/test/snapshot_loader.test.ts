import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {AllocDb, checkInvariants, RESULT, SECTION, SnapshotLoader, type SnapshotPosition} from '../src/index.ts';
import {OPERATION_RECORD, RESERVATION_RECORD, RESOURCE_RECORD, reservationWords} from '../src/snapshot/record_codec.ts';
import {GRANT_FLAG, OPERATION} from '../src/table/operation_table.ts';
import {CONFIG, HASH_SEED} from './machine.ts';
import {populated} from './populated.ts';
import {loadInto, type Snapshot, sectionWords, takeSnapshot} from './snapshots.ts';

const {ID, STATE, VERSION, RESERVATION_LSN: CLAIM} = RESOURCE_RECORD;
const {LSN, HOLDER, MEMBER_COUNT: COUNT, EPOCH, DEADLINE, RELEASED_LSN, RETIRE_AFTER, MEMBERS} = RESERVATION_RECORD;
const PHASE = RESERVATION_RECORD.STATE;

/** Records of a section by position: what the table of contradictions changes. */
interface Records {
  resources: number[][];
  reservations: number[][];
  operations: number[][];
  position: {-readonly [Lane in keyof SnapshotPosition]: SnapshotPosition[Lane]};
}

function cut(words: number[], sizeAt: (at: number) => number): number[][] {
  const records: number[][] = [];
  for (let at = 0; at < words.length; at += sizeAt(at)) records.push(words.slice(at, at + sizeAt(at)));
  return records;
}

function recordsOf(snapshot: Snapshot): Records {
  const reservations = sectionWords(snapshot.blocks, SECTION.RESERVATIONS);
  return {
    resources: cut(sectionWords(snapshot.blocks, SECTION.RESOURCES), () => RESOURCE_RECORD.WORDS),
    reservations: cut(reservations, at => reservationWords(reservations[at + COUNT])),
    operations: cut(sectionWords(snapshot.blocks, SECTION.OPERATIONS), () => OPERATION_RECORD.WORDS),
    position: {...snapshot.position},
  };
}

function load(records: Records, config = {...CONFIG, maxReservations: 7}): string | null {
  const block = (section: number, list: number[][]) => ({
    section,
    words: Int32Array.from(list.flat()),
    records: list.length,
  });
  const blocks = [
    block(SECTION.RESOURCES, records.resources),
    block(SECTION.RESERVATIONS, records.reservations),
    block(SECTION.OPERATIONS, records.operations),
  ];
  return loadInto(new AllocDb(config, HASH_SEED), {position: records.position, blocks, digest: 0n}).problem;
}

const snapshot = takeSnapshot(populated().db);

/** The record of the reservation whose lsn is given. */
function byLsn({reservations}: Records, lsn: number): number[] {
  const record = reservations.find(words => words[0] === lsn);
  if (record === undefined) throw new Error(`no reservation ${lsn}`);
  return record;
}

/** Leaves a reservation out. */
function without(lsn: number): (records: Records) => void {
  return records => records.reservations.splice(records.reservations.indexOf(byLsn(records, lsn)), 1);
}

const [A, B, C, D, E, F] = [7, 8, 10, 13, 14, 17];

type Change = (records: Records) => void;
type Plant = [what: string, expected: string, ...changes: Change[]];

const resource =
  (index: number, word: number, value: number): Change =>
  records =>
    records.resources[index].splice(word, 1, value);
const reservation =
  (lsn: number, word: number, value: number, ...more: number[]): Change =>
  records =>
    byLsn(records, lsn).splice(word, 1 + more.length, value, ...more);
const operation =
  (index: number, word: number, value: number): Change =>
  records =>
    records.operations[index].splice(word, 1, value);

const LAST_OPERATION = 15;

const CONTRADICTIONS: Plant[] = [
  ['a resource twice', 'a resource occurs twice', resource(5, ID, 1)],
  ['a seventh resource', 'more resources than the configuration allows', r => r.resources.push(r.resources[0])],
  ['state 0 of a resource', 'a resource has an unknown state', resource(0, STATE, 0)],
  ['state 5 of a resource', 'a resource has an unknown state', resource(0, STATE, 5)],
  ['a negative state of a resource', 'a resource has an unknown state', resource(0, STATE, -1)],
  ['an available resource with a holder', 'a resource and its state disagree on being held', resource(4, CLAIM, A)],
  ['a held resource without one', 'a resource and its state disagree on being held', resource(0, CLAIM, 0)],
  ['a held resource at version 0', 'a resource is held at version 0', resource(0, VERSION, 0)],
  ['a resource of a missing reservation', 'a resource is held by a reservation that is not there', without(A)],
  ['a resource of another reservation', 'a reservation and its resource disagree', resource(0, CLAIM, B)],
  ['a resource in another state', 'a reservation and its resource disagree', resource(1, STATE, 2)],
  ['an available member', 'a reservation and its resource disagree', resource(0, STATE, 1), resource(0, CLAIM, 0)],
  ['two reservations with one member', 'a reservation and its resource disagree', reservation(A, MEMBERS, 2)],
  ['a member twice', 'a reservation lists a member twice', reservation(F, MEMBERS + 4, 6)],
  ['a member of the past twice', 'a reservation lists a member twice', reservation(D, MEMBERS + 4, 5)],
  ['an unknown member', 'a reservation has a member that is not there', reservation(E, MEMBERS, 77)],
  [
    'no member',
    'a reservation has an impossible member count',
    reservation(A, COUNT, 0),
    r => byLsn(r, A).splice(MEMBERS),
  ],
  [
    'four members of at most three',
    'a reservation has an impossible member count',
    reservation(A, COUNT, 4),
    r => byLsn(r, A).push(2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0),
  ],
  ['more members than words', 'a record runs past the end of its block', reservation(F, COUNT, 2 ** 30)],
  ['less than no members', 'a record runs past the end of its block', reservation(F, COUNT, -1)],
  ['words behind the last record', 'a block holds more than its records', r => byLsn(r, F).push(0)],
  ['state 0 of a reservation', 'a reservation has an unknown state', reservation(A, PHASE, 0)],
  ['state 7 of a reservation', 'a reservation has an unknown state', reservation(A, PHASE, 7)],
  ['a reservation twice', 'a reservation occurs twice', r => r.reservations.push(byLsn(r, E))],
  [
    'an eighth reservation',
    'more reservations than the configuration allows',
    r => r.reservations.push([...byLsn(r, E)].with(0, 1), [...byLsn(r, E)].with(0, 2)),
  ],
  ['a reservation of the future', 'a reservation is newer than the snapshot', reservation(A, LSN, 18)],
  ['a reservation of lsn 0', 'a reservation is newer than the snapshot', reservation(A, LSN, 0)],
  ['a hold beyond the longest one', 'a reservation is held for too long', reservation(F, DEADLINE, 18)],
  ['epoch 0', 'a reservation has epoch 0', reservation(A, EPOCH, 0)],
  ['a live reservation with an end', 'a reservation is live and has an end', reservation(A, RELEASED_LSN, 9)],
  ['a live reservation with a window', 'a reservation is live and has an end', reservation(C, RETIRE_AFTER + 1, 1)],
  ['one that is over without an end', 'a reservation ended after the snapshot', reservation(D, RELEASED_LSN, 0)],
  ['an end in the future', 'a reservation ended after the snapshot', reservation(D, RELEASED_LSN, 18)],
  ['an end before the beginning', 'a reservation ended before it began', reservation(D, RELEASED_LSN, D)],
  ['a retired reservation', 'a reservation is there though it was retired', reservation(E, RETIRE_AFTER, 6)],
  ['a reservation kept too long', 'a reservation is remembered for too long', reservation(D, RETIRE_AFTER, 11)],
  ['two ends at one lsn', 'two reservations ended out of order', reservation(D, RELEASED_LSN, 15)],
  ['a later end that is retired earlier', 'two reservations ended out of order', reservation(D, RETIRE_AFTER, 8)],
  ['laps in the wrong order', 'two holds are out of order', reservation(A, DEADLINE, 17), reservation(F, DEADLINE, 6)],
  [
    'a watermark of the future',
    'the retired watermark is of the future',
    r => Object.assign(r.position, {watermarkLo: 18}),
  ],
  ['an operation twice', 'an operation occurs twice', operation(LAST_OPERATION, OPERATION.ID, 3)],
  ['operations in the wrong order', 'two operations are out of order', r => r.operations.reverse()],
  ['two operations at one lsn', 'two operations are out of order', operation(4, OPERATION.APPLIED_LSN, 4)],
  ['a later operation retired earlier', 'two operations are out of order', operation(14, OPERATION.RETIRE_AFTER, 14)],
  ['an operation of the future', 'an operation is newer than the snapshot', operation(15, OPERATION.APPLIED_LSN, 18)],
  ['an operation of lsn 0', 'an operation is newer than the snapshot', operation(0, OPERATION.APPLIED_LSN, 0)],
  ['a retired operation', 'an operation is there though it was retired', operation(0, OPERATION.RETIRE_AFTER, 6)],
  ['an operation kept too long', 'an operation is remembered for too long', operation(15, OPERATION.RETIRE_AFTER, 23)],
  ['a grant of a refusal', 'an operation was refused and has a grant', operation(0, OPERATION.RESULT, 6 | GRANT_FLAG)],
  ['a deadline without a grant', 'an operation has a deadline and no grant', operation(0, OPERATION.DEADLINE, 9)],
  ...[0, RESULT.NOOP, RESULT.OPERATION_TABLE_FULL, RESULT.OPERATION_CONFLICT, RESULT.SLOT_OVERFLOW, 19, 0x201, -1].map(
    (result): Plant => [
      `result ${result}`,
      'an operation has an unknown result',
      operation(0, OPERATION.RESULT, result),
    ],
  ),
];

describe('the loader', () => {
  test('takes what was not tampered with', () => {
    expect(load(recordsOf(snapshot))).toBe(null);
    const records = recordsOf(snapshot);
    expect([records.resources.length, records.reservations.length, records.operations.length]).toEqual([6, 6, 16]);
    expect(byLsn(records, A)[HOLDER]).toBe(1);
  });

  test.each(CONTRADICTIONS)('refuses %s', (_, expected, ...changes) => {
    const records = recordsOf(snapshot);
    for (const change of changes) change(records);
    expect(load(records)).toBe(expected);
  });

  test('refuses what its own configuration has no room for', () => {
    const small = (changes: Partial<typeof CONFIG>) =>
      load(recordsOf(snapshot), {...CONFIG, maxReservations: 7, ...changes});
    expect(small({maxReservations: 5})).toBe('more reservations than the configuration allows');
    expect(small({maxResources: 5})).toBe('more resources than the configuration allows');
    expect(small({maxOperations: 15})).toBe('more operations than the configuration allows');
    expect(small({maxBundleSize: 1})).toBe('a reservation has an impossible member count');
    expect(small({maxExpirationBucketLen: 1})).toBe('more reservations fall due in one slot than its bucket holds');
  });
});

describe('arbitrary words', () => {
  const lane = fc.oneof(fc.integer({min: -2, max: 20}), fc.integer({min: -(2 ** 31), max: 2 ** 31 - 1}));

  test('are refused or taken, and never make the loader throw', () => {
    const block = fc.record({
      section: fc.constantFrom(SECTION.RESOURCES, SECTION.RESERVATIONS, SECTION.OPERATIONS),
      words: fc.array(lane, {maxLength: 60}).map(words => Int32Array.from(words)),
      records: fc.nat(4),
    });
    const position = fc.record({
      lsnLo: lane,
      lsnHi: lane,
      slotLo: lane,
      slotHi: lane,
      watermarkLo: lane,
      watermarkHi: lane,
    });
    fc.assert(
      fc.property(fc.array(block, {maxLength: 6}), position, (blocks, at) => {
        const {problem} = loadInto(new AllocDb(CONFIG, HASH_SEED), {position: at, blocks, digest: 0n});
        expect(problem === null || problem.length > 0).toBe(true);
      }),
      {numRuns: 2_000},
    );
  });

  test('in place of some words of a snapshot are refused, or give a sound state', () => {
    const change = fc.record({block: fc.nat(30), word: fc.nat(40), value: lane});
    fc.assert(
      fc.property(fc.array(change, {minLength: 1, maxLength: 3}), changes => {
        const blocks = snapshot.blocks.map(({section, words, records}) => ({section, words: words.slice(), records}));
        for (const {block, word, value} of changes) {
          const {words} = blocks[block % blocks.length];
          words[word % words.length] = value;
        }
        const db = new AllocDb({...CONFIG, maxReservations: 7}, HASH_SEED);
        const {problem, digest} = loadInto(db, {position: snapshot.position, blocks, digest: 0n});
        if (problem !== null) return;
        const again = takeSnapshot(db);
        expect(again.digest).toBe(digest);
        expect(checkInvariants(db)).toEqual([]);
      }),
      {numRuns: 5_000},
    );
  });

  test('are counted: a block of no records and no words changes nothing', () => {
    const loader = new SnapshotLoader(new AllocDb(CONFIG, HASH_SEED), snapshot.position);
    expect(loader.add(SECTION.RESOURCES, new Int32Array(0), 0, 0)).toBe(null);
    expect(loader.add(SECTION.RESOURCES, new Int32Array(9), 9, 0)).toBe('a block holds more than its records');
  });
});
