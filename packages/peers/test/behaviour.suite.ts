/**
 * What every peer must do to be worth comparing: the answers of AllocDB, retries and races included, and the loop with
 * every answer checked and counted. The same for each; a peer's own file starts it.
 */
import {RESULT} from '@allocdb/core';
import {expect, test} from 'vitest';
import {askOnce, askTogether} from '../src/ask.ts';
import {ID_BYTES, KIND, type PeerCommand} from '../src/command.ts';
import type {Peer, PeerConnection} from '../src/connection.ts';
import {runPeer} from '../src/contestants.ts';
import {FIRST_SPARE, resourceId} from '../src/setup.ts';

/** What a suite runs on. */
export interface Subject {
  readonly peer: Peer;
  /** How the loop is tried. */
  readonly shape: {readonly connections: number; readonly outstanding: number};
  /** How many of its connections can be used at the same time. */
  readonly connections: number;
}

const RACES = 25;
const [ALICE, BOB] = [Buffer.alloc(ID_BYTES, 'alice'), Buffer.alloc(ID_BYTES, 'bob')];

let operations = 0;
let resources = FIRST_SPARE;

function nextOperation(): Buffer {
  const id = Buffer.alloc(ID_BYTES, 0xee);
  id.writeUInt32BE(++operations, 4);
  return id;
}

/** A resource that no other test uses, nor the loop. */
function freshResource(): Buffer {
  return resourceId(resources++);
}

export function reserve(resource: Buffer, holder: Buffer = ALICE, ttlMs: number = 60_000): PeerCommand {
  return {kind: KIND.RESERVE, operation: nextOperation(), holder, resource, reservation: 0, ttlMs};
}

function onReservation(kind: PeerCommand['kind'], reservation: number, holder: Buffer = ALICE): PeerCommand {
  return {kind, operation: nextOperation(), holder, resource: Buffer.alloc(ID_BYTES), reservation, ttlMs: 0};
}

const confirm = (reservation: number, holder?: Buffer): PeerCommand => onReservation(KIND.CONFIRM, reservation, holder);
const release = (reservation: number, holder?: Buffer): PeerCommand => onReservation(KIND.RELEASE, reservation, holder);

/** Registers the suite's tests; `takesOver` says whether a reserve takes over a hold that is overdue. */
export function describePeer(subjectOf: () => Subject, {takesOver}: {readonly takesOver: boolean}): void {
  const onConnections = async (count: number, use: (connections: PeerConnection[]) => Promise<void>): Promise<void> => {
    const connections = await subjectOf().peer.connect({connections: count, outstanding: 1});
    try {
      await use(connections);
    } finally {
      for (const connection of connections) await connection.close();
    }
  };
  const onOne = (use: (ask: (command: PeerCommand) => ReturnType<typeof askOnce>) => Promise<void>): Promise<void> =>
    onConnections(1, ([connection]) => use(command => askOnce(connection as PeerConnection, command)));

  test('reserve, confirm, release, and the resource is free again', () =>
    onOne(async ask => {
      const resource = freshResource();
      const {code, reservation} = await ask(reserve(resource));
      expect([code, reservation > 0]).toEqual([RESULT.OK, true]);
      expect(await ask(reserve(resource, BOB))).toEqual({code: RESULT.RESOURCE_BUSY, reservation: 0});
      expect(await ask(confirm(reservation))).toEqual({code: RESULT.OK, reservation: 0});
      expect(await ask(reserve(resource, BOB))).toEqual({code: RESULT.RESOURCE_BUSY, reservation: 0});
      expect(await ask(release(reservation))).toEqual({code: RESULT.OK, reservation: 0});
      const again = await ask(reserve(resource, BOB));
      expect(again.code).toBe(RESULT.OK);
      expect(again.reservation).toBeGreaterThan(reservation);
    }));

  test('refusals have the codes of AllocDB', () =>
    onOne(async ask => {
      expect((await ask(reserve(Buffer.alloc(ID_BYTES, 'nowhere')))).code).toBe(RESULT.RESOURCE_NOT_FOUND);
      expect((await ask(confirm(2 ** 40))).code).toBe(RESULT.RESERVATION_NOT_FOUND);
      expect((await ask(release(2 ** 40))).code).toBe(RESULT.RESERVATION_NOT_FOUND);
      const {reservation} = await ask(reserve(freshResource()));
      expect((await ask(confirm(reservation, BOB))).code).toBe(RESULT.HOLDER_MISMATCH);
      expect((await ask(release(reservation, BOB))).code).toBe(RESULT.HOLDER_MISMATCH);
      expect((await ask(confirm(reservation))).code).toBe(RESULT.OK);
      expect((await ask(confirm(reservation))).code).toBe(RESULT.INVALID_STATE);
      expect((await ask(release(reservation))).code).toBe(RESULT.OK);
      expect((await ask(release(reservation))).code).toBe(RESULT.INVALID_STATE);
      expect((await ask(confirm(reservation))).code).toBe(RESULT.INVALID_STATE);
    }));

  test('the same operation sent twice gives the first answer and is recorded once', () =>
    onOne(async ask => {
      const resource = freshResource();
      const before = await subjectOf().peer.holdings();
      const winner = reserve(resource);
      const granted = await ask(winner);
      const loser = reserve(resource, BOB);
      const [busy, confirming, releasing] = [
        await ask(loser),
        confirm(granted.reservation),
        release(granted.reservation),
      ];
      const [confirmed, released] = [await ask(confirming), await ask(releasing)];
      expect(await ask(winner)).toEqual(granted);
      // Free by now: the recorded refusal counts, not what it would be today.
      expect(await ask(loser)).toEqual(busy);
      expect(busy.code).toBe(RESULT.RESOURCE_BUSY);
      expect(await ask(confirming)).toEqual(confirmed);
      expect(await ask(releasing)).toEqual(released);
      const after = await subjectOf().peer.holdings();
      expect(after.operations - before.operations).toBe(4);
      expect(after.reservations - before.reservations).toBe(1);
      expect(after.held).toBe(before.held);
    }));

  test('an operation that asks something else under the same id is a conflict and changes nothing', () =>
    onOne(async ask => {
      const first = reserve(freshResource());
      const {reservation} = await ask(first);
      const {operation} = first;
      const before = await subjectOf().peer.holdings();
      const conflict = {code: RESULT.OPERATION_CONFLICT, reservation: 0};
      expect(await ask({...reserve(freshResource()), operation})).toEqual(conflict);
      expect(await ask({...first, holder: BOB})).toEqual(conflict);
      expect(await ask({...first, ttlMs: first.ttlMs + 1})).toEqual(conflict);
      expect(await ask({...confirm(reservation), operation})).toEqual(conflict);
      const confirming = confirm(reservation);
      await ask(confirming);
      expect(await ask({...release(reservation), operation: confirming.operation})).toEqual(conflict);
      const after = await subjectOf().peer.holdings();
      expect({...after, operations: after.operations - 1}).toEqual(before);
    }));

  test('of two racers one wins, every time', async () => {
    const {connections, peer} = subjectOf();
    const before = await peer.holdings();
    await onConnections(connections, async open => {
      for (let i = 0; i < RACES; i++) {
        const resource = freshResource();
        const racers = [reserve(resource), reserve(resource, BOB)];
        const answers =
          open.length === 1
            ? await askTogether(open[0] as PeerConnection, racers)
            : await Promise.all(racers.map((racer, at) => askOnce(open[at] as PeerConnection, racer)));
        expect(answers.map(({code}) => code).sort((a, b) => a - b)).toEqual([RESULT.OK, RESULT.RESOURCE_BUSY]);
      }
    });
    const after = await peer.holdings();
    expect(after.held - before.held).toBe(RACES);
    expect(after.reservations - before.reservations).toBe(RACES);
    expect(after.operations - before.operations).toBe(2 * RACES);
  });

  if (!takesOver) return;

  test('a hold that is overdue is taken over, unless it was confirmed', () =>
    onOne(async ask => {
      const [lost, kept] = [freshResource(), freshResource()];
      const [late, sold] = [await ask(reserve(lost, ALICE, 1)), await ask(reserve(kept, ALICE, 1))];
      await ask(confirm(sold.reservation));
      await new Promise(resolve => setTimeout(resolve, 20));
      expect((await ask(reserve(lost, BOB))).code).toBe(RESULT.OK);
      expect((await ask(reserve(kept, BOB))).code).toBe(RESULT.RESOURCE_BUSY);
      expect((await ask(confirm(late.reservation))).code).toBe(RESULT.INVALID_STATE);
    }));
}

/** Runs the loop for a moment: every answer is checked, and at the end what the peer holds. */
export async function tryLoop({peer, shape}: Subject, seconds: number): Promise<void> {
  const run = await runPeer(peer, shape, {seconds, warmUpSeconds: 0.1});
  expect(run.answersPerSecond).toBeGreaterThan(0);
  expect(run.p99Micros).toBeGreaterThanOrEqual(run.p50Micros);
}
