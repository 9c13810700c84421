/**
 * The facade's feed over a transport that brings frames as the test says: when the transport is asked, what is thrown to
 * whoever iterates, and that the transport hears of the end whichever way it came.
 */
import {encodeClientRequest, RESULT} from '@allocdb/core';
import {describe, expect, test} from 'vitest';
import {
  type AbortSignalLike,
  CHANGE_HEADER_MAX,
  CHANGE_ORIGIN,
  type ChangesOptions,
  createDatabase,
  type Database,
  isAllocDbError,
  putChangeHeader,
} from '../src/index.ts';

/** The creation of a resource, as the change with this lsn. */
function change(lsn: number): Uint8Array {
  const command = {kind: 'create_resource', resourceId: BigInt(lsn)} as const;
  const payload = encodeClientRequest({operationId: 1n, clientId: 2n, command});
  const bytes = new Uint8Array(CHANGE_HEADER_MAX + payload.length);
  const head = {lsnLo: lsn, lsnHi: 0, slotLo: 9, slotHi: 0, origin: CHANGE_ORIGIN.CLIENT, resultCode: RESULT.OK};
  const grant = {granted: false, deadlineLo: 0, deadlineHi: 0, shardLo: 0, shardHi: 0};
  const end = putChangeHeader(new DataView(bytes.buffer), 0, {...head, ...grant});
  bytes.set(payload, end);
  return bytes.subarray(0, end + payload.length);
}

interface Script {
  db: Database;
  /** What the transport was asked for, once per feed. */
  asked: {from: bigint | null; signal: AbortSignalLike | null}[];
  /** How many pieces were fetched. */
  fetched: number;
  /** How many feeds have heard of their end. */
  ended: number;
}

/** A database whose transport brings these pieces, and after them ends. */
function scripted(pieces: readonly (readonly Uint8Array[])[], onFetch: (fetched: number) => void = () => {}): Script {
  const transport = {
    call: () => Promise.reject(new Error('nothing is called here')),
    async *feed(from: bigint | null, signal: AbortSignalLike | null) {
      script.asked.push({from, signal});
      try {
        for (const piece of pieces) {
          onFetch(++script.fetched);
          yield piece;
        }
      } finally {
        script.ended++;
      }
    },
    currentSlot: () => 0n,
    close: () => Promise.resolve(),
  };
  const script: Script = {db: createDatabase(transport), asked: [], fetched: 0, ended: 0};
  return script;
}

async function lsnsOf(db: Database, options?: ChangesOptions, most = Number.POSITIVE_INFINITY): Promise<bigint[]> {
  const lsns: bigint[] = [];
  for await (const {lsn} of db.changes(options)) {
    lsns.push(lsn);
    if (lsns.length === most) break;
  }
  return lsns;
}

describe('a feed of the facade', () => {
  test('gives the changes of all pieces one by one, and ends with the transport', async () => {
    const script = scripted([[change(3), change(4)], [], [change(5)]]);
    expect(await lsnsOf(script.db)).toEqual([3n, 4n, 5n]);
    expect(script).toMatchObject({asked: [{from: null, signal: null}], fetched: 3, ended: 1});
    expect(await lsnsOf(script.db, {from: 3n})).toEqual([3n, 4n, 5n]);
    expect(script.asked.at(-1)).toEqual({from: 3n, signal: null});
  });

  test('fetches the next piece when the one before was used up, and nothing before the first change is wanted', async () => {
    const script = scripted([[change(3), change(4)], [change(5)]]);
    const changes = script.db.changes();
    expect(script.asked).toEqual([]);
    expect([(await changes.next()).value?.lsn, (await changes.next()).value?.lsn]).toEqual([3n, 4n]);
    expect(script.fetched).toBe(1);
    await changes.return();
    expect(script).toMatchObject({fetched: 1, ended: 1});
  });

  test('that is left tells the transport', async () => {
    const script = scripted([[change(3), change(4)]]);
    expect(await lsnsOf(script.db, {}, 1)).toEqual([3n]);
    expect(script.ended).toBe(1);
  });
});

describe('misuse rejects, and nothing throws synchronously', () => {
  test.each([
    ['zero', {from: 0n}, RangeError],
    ['below zero', {from: -1n}, RangeError],
    ['more than 64 bits', {from: 1n << 64n}, RangeError],
    ['no bigint', {from: 1 as never}, TypeError],
    ['no options', null as never, TypeError],
  ])('%s', async (_, options, kind) => {
    const script = scripted([[change(3)]]);
    const changes = script.db.changes(options);
    await expect(changes.next()).rejects.toBeInstanceOf(kind);
    expect(script.asked).toEqual([]);
  });

  test('the last lsn is none', async () => {
    const script = scripted([]);
    expect(await lsnsOf(script.db, {from: (1n << 64n) - 1n})).toEqual([]);
    expect(script.asked[0]?.from).toBe((1n << 64n) - 1n);
  });
});

describe('a signal', () => {
  const reason = new Error('enough');

  test('that has fired is thrown before the transport is asked', async () => {
    const script = scripted([[change(3)]]);
    await expect(lsnsOf(script.db, {signal: AbortSignal.abort(reason)})).rejects.toBe(reason);
    expect(script.asked).toEqual([]);
  });

  test('that fires between two changes of a piece ends it there', async () => {
    const script = scripted([[change(3), change(4)]]);
    const controller = new AbortController();
    const changes = script.db.changes({signal: controller.signal});
    await changes.next();
    controller.abort(reason);
    await expect(changes.next()).rejects.toBe(reason);
    expect(await changes.next()).toEqual({value: undefined, done: true});
    expect(script.ended).toBe(1);
  });

  test('that fires while a piece is fetched: nothing of it is given any more', async () => {
    const controller = new AbortController();
    const script = scripted([[change(3)], [change(4)]], fetched => fetched === 2 && controller.abort(reason));
    const changes = script.db.changes({signal: controller.signal});
    await changes.next();
    await expect(changes.next()).rejects.toBe(reason);
    expect(script.ended).toBe(1);
  });
});

test('a malformed change is a protocol error behind the changes before it, and the transport hears of it', async () => {
  const bad = change(4).with(0, 0x01);
  const script = scripted([[change(3), bad, change(5)]]);
  const changes = script.db.changes();
  expect((await changes.next()).value?.lsn).toBe(3n);
  const error = await changes.next().catch((thrown: unknown) => thrown);
  if (!isAllocDbError(error)) throw error;
  expect(error.failure).toEqual({code: 'protocol_error', certainty: 'definite'});
  expect(String(error.cause)).toContain('invalid_response_tag');
  expect(script.ended).toBe(1);
});
