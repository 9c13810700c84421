import {describe, expect, test} from 'vitest';
import {type AllocDb, checkInvariants, OPERATION, RESERVATION, RESOURCE} from '../src/index.ts';
import {Machine} from './machine.ts';
import {populated} from './populated.ts';

const [A, B, D, E, F] = [0, 1, 3, 4, 5];
const BUCKET_OF_A = 6;
const [RESERVED, CONFIRMED] = [1, 2];

type Corruption = [violation: string, corrupt: (db: AllocDb) => unknown];

const resource = (row: number, field: number, value: number) => (db: AllocDb) =>
  db.resources.words.fill(value, row * RESOURCE.WORDS + field, row * RESOURCE.WORDS + field + 1);
const reservation = (row: number, field: number, value: number) => (db: AllocDb) =>
  db.reservations.words.fill(value, row * RESERVATION.WORDS + field, row * RESERVATION.WORDS + field + 1);
const operation = (row: number, field: number, value: number) => (db: AllocDb) =>
  db.operations.words.fill(value, row * OPERATION.WORDS + field, row * OPERATION.WORDS + field + 1);

/** Writes to a private array of a table, as a stray write would. */
function poke(table: object, name: string, index: number, value: number): void {
  const array: unknown = Reflect.get(table, name);
  if (!(array instanceof Int32Array)) throw new Error(`${name} is no array of words`);
  array[index] = value;
}

function pokeCount(table: object, name: string, change: number): void {
  const count: unknown = Reflect.get(table, name);
  if (typeof count !== 'number') throw new Error(`${name} is no number`);
  Reflect.set(table, name, count + change);
}

/** An occupied cell of an index, and an empty one. */
function cellsOf(index: {readonly cells: Int32Array}): {taken: number; empty: number} {
  const cells = Array.from({length: index.cells.length / 2}, (_, cell) => cell);
  const taken = cells.find(cell => index.cells[2 * cell + 1] !== 0);
  const empty = cells.find(cell => index.cells[2 * cell + 1] === 0);
  if (taken === undefined || empty === undefined) throw new Error('an index has both kinds of cell');
  return {taken, empty};
}

/** The same three corruptions of an index, whichever it is. */
function indexCorruptions(name: 'resources' | 'reservations' | 'operations', unstored: number): Corruption[] {
  return [
    [
      `${name}: cell`,
      ({[name]: {index}}) => {
        index.cells[2 * cellsOf(index).empty + 1] = unstored + 1;
      },
    ],
    [
      `${name}: row`,
      ({[name]: {index}}) => {
        const {taken, empty} = cellsOf(index);
        index.cells[2 * empty + 1] = index.cells[2 * taken + 1];
      },
    ],
    [`${name}: `, ({[name]: {index}}) => pokeCount(index, 'used', 1)],
  ];
}

const RESOURCES: Corruption[] = [
  ['resource row 2 is not findable', resource(2, RESOURCE.ID, 77)],
  ['resource row 4 is available and has an owner', resource(4, RESOURCE.OWNER, 1)],
  ['resource row 4 has state 255', resource(4, RESOURCE.STATE, 255)],
  ['resource row 4 has state 0', resource(4, RESOURCE.STATE, 0)],
  ['resource row 0 is held by nobody', resource(0, RESOURCE.OWNER, 0)],
  ['resource row 0 is held by nobody', resource(0, RESOURCE.OWNER, 8)],
  ['resource row 0 is held by a reservation that is over', resource(0, RESOURCE.OWNER, E + 1)],
  ['resource row 0 is held by a reservation that is over', resource(0, RESOURCE.OWNER, 7)],
  ['resource row 0 and its reservation disagree in state', resource(0, RESOURCE.STATE, 3)],
  ['resource row 0 is held by a reservation that does not list it', resource(0, RESOURCE.OWNER, F + 1)],
  ['resource row 0 is held at version 0', resource(0, RESOURCE.VERSION, 0)],
  ['resources: cell', db => pokeCount(db.resources, 'used', -1)],
  ...indexCorruptions('resources', 6),
];

const RESERVATIONS: Corruption[] = [
  ['reservation row 1 has state 9', db => db.reservations.setState(B, 9)],
  ['reservation row 1 is not findable', reservation(B, RESERVATION.LSN, 99)],
  ['reservation row 0 is of the future', db => Object.assign(db, {lastLsnLo: 6})],
  ['reservation row 1 has epoch 0', reservation(B, RESERVATION.EPOCH, 0)],
  ['reservation row 1 has 0 members', db => db.reservations.setMeta(B, CONFIRMED, 0)],
  ['reservation row 1 has 4 members', db => db.reservations.setMeta(B, CONFIRMED, 4)],
  ['reservation row 1 has an unknown member', db => db.reservations.setMember(B, 0, 6)],
  ['reservation row 1 has an unknown member', db => db.reservations.setMember(B, 0, -1)],
  ['reservation row 5 lists a member twice', db => db.reservations.setMember(F, 1, 5)],
  ['reservation row 4 is over and owns a member', resource(3, RESOURCE.OWNER, E + 1)],
  ['reservation row 5 is live and lacks a member', db => db.reservations.setMember(F, 1, 4)],
  ['6 reservations are reachable, 7 are counted', db => void db.reservations.insert(3, 0)],
  ['retire queue and terminal reservations differ', db => pokeCount(db.retireQueue, 'stored', -1)],
  ['the retired watermark is of the future', db => db.retireQueue.restoreWatermark(18, 0)],
  ['row 5 is on the stack of free rows and taken', db => poke(db.reservations, 'free', 0, F)],
  [
    'row 6 is on the stack of free rows twice',
    db => {
      db.retireQueue.retireBefore(11, 0);
      db.lastSlotLo = 11;
      db.sweepReservations(2);
      poke(db.reservations, 'free', 2, 6);
    },
  ],
  ['retire queue holds row 0, which is live', db => poke(db.retireQueue, 'rows', 0, A)],
  ['row 3 ended in the future', reservation(D, RESERVATION.RELEASED_LSN, 18)],
  ["row 4 is on the wrong side of the retire queue's boundary", reservation(E, RESERVATION.RETIRE_AFTER, 6)],
  ["row 4 is on the wrong side of the retire queue's boundary", db => db.retireQueue.retireBefore(10, 0)],
  [
    'row 4 is retired above the watermark',
    db => {
      db.retireQueue.retireBefore(10, 0);
      db.lastSlotLo = 10;
      db.retireQueue.watermarkLo = 13;
    },
  ],
  ['retire queue is out of order at row 3', reservation(D, RESERVATION.RELEASED_LSN, 14)],
  ['retire queue is out of order at row 3', reservation(D, RESERVATION.RETIRE_AFTER, 8)],
  ['retire queue is out of order at row 4', db => poke(db.retireQueue, 'rows', 1, E)],
  ...indexCorruptions('reservations', 6),
];

const WHEEL: Corruption[] = [
  ['bucket 6 is longer than it counts', db => poke(db.wheel, 'lengths', BUCKET_OF_A, 1)],
  ['bucket 6 counts 3, holds 2', db => poke(db.wheel, 'lengths', BUCKET_OF_A, 3)],
  ['bucket 6 holds row 0, not reserved', db => db.reservations.setState(A, CONFIRMED)],
  ["row 0 is in bucket 6, not in its deadline's", reservation(A, RESERVATION.DEADLINE, 7)],
  ["row 5 is in bucket 6, not in its deadline's", reservation(F, RESERVATION.BUCKET, 5)],
  ['bucket 6 is not linked back at row 5', reservation(F, RESERVATION.PREVIOUS, 0)],
  ['bucket 6 is longer than it counts', reservation(F, RESERVATION.NEXT, A + 1)],
  ['bucket 6 counts 2, holds 1', reservation(A, RESERVATION.NEXT, 0)],
  ['bucket 6 is out of order', reservation(A, RESERVATION.DEADLINE, 28)],
  ['bucket 6 is out of order', reservation(A, RESERVATION.LSN, 18)],
  ['bucket 6 is over its bound', db => void Reflect.set(db, 'config', {...db.config, maxExpirationBucketLen: 1})],
  ['bucket 6 does not end at its last row', db => poke(db.wheel, 'tails', BUCKET_OF_A, A + 1)],
  ['bucket 6 holds 2 and is marked otherwise', db => bitmapOf(db)('delete', BUCKET_OF_A)],
  ['bucket 3 holds 0 and is marked otherwise', db => bitmapOf(db)('add', 3)],
  ['3 reservations are reserved, 2 are in the wheel', db => db.reservations.setState(B, RESERVED)],
  ['the wheel counts 3, holds 2', db => pokeCount(db.wheel, 'scheduled', 1)],
  ['a search at the earliest deadline finds nothing', db => void Reflect.set(db.wheel, 'floorLo', 7)],
];

const OPERATIONS: Corruption[] = [
  ['operation row 2 is not findable', operation(2, OPERATION.ID, 77)],
  ['operation row 0 is not findable', operation(0, OPERATION.RETIRE_AFTER, 6)],
  ['operation row 15 is of the future', operation(15, OPERATION.APPLIED_LSN, 18)],
  ['operations are out of order at row 5', operation(5, OPERATION.APPLIED_LSN, 5)],
  ['operations retire out of order at row 15', operation(14, OPERATION.RETIRE_AFTER, 23)],
  ...indexCorruptions('operations', 39),
];

function bitmapOf(db: AllocDb): (change: 'add' | 'delete', bucket: number) => void {
  const bitmap: unknown = Reflect.get(db.wheel, 'filled');
  return (change, bucket) => {
    const method: unknown = Reflect.get(Object(bitmap), change);
    if (typeof method !== 'function') throw new Error(`a bitmap has ${change}`);
    Reflect.apply(method, bitmap, [bucket]);
  };
}

describe.each([
  ['resources', RESOURCES],
  ['reservations', RESERVATIONS],
  ['wheel', WHEEL],
  ['operations', OPERATIONS],
])('the invariants of %s report', (_, corruptions) => {
  test.each(corruptions)('%s', (violation, corrupt) => {
    const {db} = populated();
    corrupt(db);
    const found = checkInvariants(db);
    expect(found.filter(text => text.startsWith(violation))).toHaveLength(1);
  });
});

test('a sound state has no violations, empty or not', () => {
  expect(checkInvariants(new Machine().db)).toEqual([]);
  expect(checkInvariants(populated().db)).toEqual([]);
});
