/**
 * What feeds say over random histories: every answered command and every expiration exactly once, in lsn order without a
 * gap, with the result, the lease and the slot that its submitter was told, whatever the feed's beginning and pace, while
 * segments roll, checkpoints cut the log and the engine is opened anew. The changes expected are worked out here, from
 * the requests and their answers alone.
 */
import {
  type ApiRequest,
  type ApiResponse,
  type Change,
  clientIdFromBigint,
  holderIdFromBigint,
  operationIdFromBigint,
  reservationIdFromBigint,
  resourceIdFromBigint,
  type SubmitResponse,
} from '@allocdb/api';
import {type Command, encodeClientRequest} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import type {SingleNodeEngine} from '../src/index.ts';
import {ChangeReader, lineOf} from './change_reader.ts';
import {Caller, configWith, members, openOn, turns, until} from './support.ts';

const SHARD = 7n;
const CLIENT = 5n;

interface Entry {
  operation: bigint;
  command: Command;
}

/** What was sent, with what a feed will have to say of it. */
interface Sent {
  entries: readonly Entry[];
  slot: bigint;
}

const id = fc.bigInt({min: 1n, max: 14n});
const holderId = fc.bigInt({min: 1n, max: 3n});
/** Which of the reservations that there may be by now, as a part of all lsns. */
const part = fc.nat({max: 999});
const ttlSlots = fc.constantFrom(1n, 2n, 3n, 8n, 0n, 101n);

/** A command, once it is known how many lsns were given out. */
type Draw = (lsns: bigint) => Command;
const reservationOf = (lsns: bigint, of: number): bigint => (SHARD << 64n) | ((lsns * BigInt(of)) / 1000n + 1n);

const draw: fc.Arbitrary<Draw> = fc.oneof(
  id.map(
    (resourceId): Draw =>
      () => ({kind: 'create_resource', resourceId}),
  ),
  {
    weight: 3,
    arbitrary: fc.record({resourceId: id, holderId, ttlSlots}).map(
      (input): Draw =>
        () => ({kind: 'reserve', ...input}),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({resourceIds: fc.array(id, {minLength: 1, maxLength: 5}), holderId, ttlSlots}).map(
      (input): Draw =>
        () => ({kind: 'reserve_bundle', ...input}),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({kind: fc.constantFrom('confirm' as const, 'release' as const), of: part, holderId}).map(
      ({kind, of, holderId: holder}): Draw =>
        lsns => ({
          kind,
          reservationId: reservationOf(lsns, of),
          holderId: holder,
        }),
    ),
  },
  fc
    .record({
      kind: fc.constantFrom('confirm_fenced' as const, 'release_fenced' as const),
      of: part,
      holderId,
      leaseEpoch: fc.constantFrom(1n, 2n),
    })
    .map(
      ({of, ...input}): Draw =>
        lsns => ({...input, reservationId: reservationOf(lsns, of)}),
    ),
  fc.record({kind: fc.constantFrom('revoke' as const, 'reclaim' as const), of: part}).map(
    ({kind, of}): Draw =>
      lsns => ({kind, reservationId: reservationOf(lsns, of)}),
  ),
);

type Op =
  | {kind: 'send'; draws: readonly {draw: Draw; again: boolean}[]; isBatch: boolean; advance: number}
  | {kind: 'tick'; advance: number}
  | {kind: 'turns' | 'subscribe' | 'checkpoint' | 'reopen'; amount: number; pace: number};

/** Turns between a reader's chunks: one of them is hardly ever there. */
const pace = fc.constantFrom(0, 1, 3, 500);
const amounts = {amount: fc.nat({max: 1000}), pace};
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      draws: fc.array(fc.record({draw, again: fc.nat({max: 9}).map(n => n === 0)}), {minLength: 1, maxLength: 12}),
      isBatch: fc.boolean(),
      advance: fc.nat({max: 1}),
    }),
  },
  {weight: 3, arbitrary: fc.record({kind: fc.constant('tick' as const), advance: fc.nat({max: 3})})},
  {weight: 5, arbitrary: fc.record({kind: fc.constant('turns' as const), ...amounts})},
  {weight: 3, arbitrary: fc.record({kind: fc.constantFrom('subscribe' as const, 'checkpoint' as const), ...amounts})},
  {weight: 1, arbitrary: fc.record({kind: fc.constant('reopen' as const), ...amounts})},
);

/** A reader that is taken up again, behind the last change it has seen, when the engine was opened anew. */
class Follower {
  readonly from: bigint;
  readonly changes: Change[] = [];
  isPassed = false;
  readonly #pace: number;
  #reader: ChangeReader | null = null;

  constructor(from: bigint, pace: number) {
    this.from = from;
    this.#pace = pace;
  }

  get next(): bigint {
    return this.from + BigInt(this.changes.length + (this.#reader?.changes.length ?? 0));
  }

  resume(engine: SingleNodeEngine): void {
    if (this.isPassed) return;
    try {
      this.#reader = new ChangeReader(engine.changes(this.next), () => turns(this.#pace));
    } catch (error) {
      this.#passed(error as ChangeReader['error'], engine);
    }
  }

  /** The engine was closed: takes what was seen. */
  async end(engine: SingleNodeEngine): Promise<void> {
    const reader = this.#reader;
    if (reader === null) return;
    await reader.done;
    if (reader.error !== null) this.#passed(reader.error, engine);
    this.changes.push(...reader.changes);
    this.#reader = null;
  }

  /** Reads all that is durable, unless it is passed. */
  async finish(durable: bigint): Promise<void> {
    await until(() => this.isPassed || this.#reader?.isOver === true || this.next > durable);
  }

  /** What it needs is gone, and it hears from where it could go on. */
  #passed(error: ChangeReader['error'], engine: SingleNodeEngine): void {
    expect(error?.failure).toMatchObject({code: 'lsn_not_retained', certainty: 'definite'});
    const oldest = error?.failure.certainty === 'definite' ? (error.failure.oldestLsn ?? 0n) : 0n;
    expect(oldest).toBeGreaterThanOrEqual(this.next);
    expect(oldest).toBeLessThanOrEqual(engine.directory.wal.firstLsn);
    this.isPassed = true;
  }
}

class World {
  readonly disk: SimDisk = new SimDisk({asyncTurnsMax: 3});
  engine: SingleNodeEngine = this.#open();
  readonly followers: Follower[] = [];
  /** The changes, by lsn from 1 on. */
  readonly expected: string[] = [];
  /** How often each result, and each expiration, was met. */
  readonly met: Map<string, number> = new Map();
  #caller: Caller = new Caller(this.engine);
  #sent: Sent[] = [];
  #operation = 0n;
  #entries = 0;
  #slot = 1n;
  #lastSlot = 0n;
  readonly #deadlines: Map<string, bigint> = new Map();
  readonly #expired: Map<bigint, string> = new Map();

  #open(): SingleNodeEngine {
    const config = configWith({maxSubmissionQueue: 60, maxExpirationsPerTick: 4});
    return openOn(this.disk, {config, commitMode: 'async', segmentBytes: 16 * 1024, maxFrameBytes: 4096});
  }

  async apply(step: Op): Promise<void> {
    switch (step.kind) {
      case 'send':
        this.#slot += BigInt(step.advance);
        this.#send(step.draws, step.isBatch);
        break;
      case 'tick':
        this.#slot += BigInt(step.advance);
        this.#tell({type: 'tick_expirations', currentWallClockSlot: this.#slot}, []);
        break;
      case 'turns':
        await turns(step.amount % 6);
        break;
      case 'subscribe':
        this.#subscribe(step.amount, step.pace);
        break;
      case 'checkpoint':
        await this.engine.checkpoint();
        break;
      case 'reopen':
        await this.close();
        this.engine = this.#open();
        this.#caller = new Caller(this.engine);
        for (const follower of this.followers) follower.resume(this.engine);
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
    this.#settle();
    for (const follower of this.followers) await follower.end(this.engine);
  }

  /** Everything is answered and durable, and every follower has seen it or was passed. */
  async finish(): Promise<void> {
    await until(() => this.#caller.responses.length === this.#sent.length);
    this.#settle();
    for (const follower of this.followers) await follower.finish(BigInt(this.expected.length));
    await this.close();
    expect(this.engine.durableLsn ?? 0n).toBe(BigInt(this.expected.length));
    for (const {from, changes, isPassed} of this.followers) {
      const begin = Number(from) - 1;
      const end = isPassed ? begin + changes.length : this.expected.length;
      expect(changes.map(comparable)).toEqual(this.expected.slice(begin, end));
      this.#checkExpirations(changes);
    }
  }

  /** Each is of a hold that was granted, once, not before its deadline; and every feed says the same. */
  #checkExpirations(changes: readonly Change[]): void {
    const over = new Set<string>();
    for (const change of changes) {
      if (change.kind !== 'expire') continue;
      const {lsn, reservation, deadlineSlot, slot} = change;
      expect(over.has(reservation)).toBe(false);
      over.add(reservation);
      expect(deadlineSlot).toBe(this.#deadlines.get(reservation));
      expect(deadlineSlot).toBeLessThanOrEqual(slot);
      if (!this.#expired.has(lsn)) this.#expired.set(lsn, reservation);
      expect(this.#expired.get(lsn)).toBe(reservation);
    }
  }

  #send(draws: readonly {draw: Draw; again: boolean}[], isBatch: boolean): void {
    const entries = draws.map(({draw: drawn, again}): Entry => {
      // Now and then an operation id that was used before: a retry, or a conflict.
      const operation = again && this.#operation > 0n ? this.#operation : ++this.#operation;
      return {operation, command: drawn(BigInt(this.#entries++))};
    });
    const payloads = entries.map(({operation, command}) =>
      encodeClientRequest({operationId: operation, clientId: CLIENT, command}),
    );
    const requestSlot = this.#slot;
    if (isBatch) this.#tell({type: 'submit_batch', requestSlot, payloads}, entries);
    else
      for (const [i, payload] of payloads.entries())
        this.#tell({type: 'submit', requestSlot, payload}, entries.slice(i, i + 1));
  }

  #tell(request: ApiRequest, entries: readonly Entry[]): void {
    this.#sent.push({entries, slot: this.#slot});
    this.#caller.send(request);
  }

  #subscribe(amount: number, pace: number): void {
    const {firstLsn, durableLsn} = this.engine.directory.wal;
    const follower = new Follower(firstLsn + ((durableLsn + 2n - firstLsn) * BigInt(amount)) / 1001n, pace);
    follower.resume(this.engine);
    this.followers.push(follower);
  }

  /** From requests and answers to the changes that must have been logged. */
  #settle(): void {
    expect(this.#caller.responses.length).toBe(this.#sent.length);
    for (const [i, sent] of this.#sent.entries()) this.#note(sent, this.#caller.responses[i] as ApiResponse);
    this.#sent = [];
    this.#caller.responses.length = 0;
  }

  #note({entries, slot}: Sent, response: ApiResponse): void {
    if (response.type === 'tick_applied') {
      if (response.processedCount > 0) this.#lastSlot = slot > this.#lastSlot ? slot : this.#lastSlot;
      const expire = {slot: this.#lastSlot, kind: 'expire', result: 'ok'};
      for (let i = 0; i < response.processedCount; i++) this.#expect('expire', expire);
    } else if (response.type === 'batch_result') {
      for (const [i, entry] of entries.entries()) this.#committed(entry, slot, members(response)[i] as SubmitResponse);
    } else if (response.type !== 'tick_rejected')
      this.#committed(entries[0] as Entry, slot, response as SubmitResponse);
  }

  #committed({operation, command}: Entry, slot: bigint, answer: SubmitResponse): void {
    if (answer.type !== 'submit_committed' || answer.fromRetryCache) return;
    expect(answer.appliedLsn).toBe(BigInt(this.expected.length + 1));
    this.#lastSlot = slot > this.#lastSlot ? slot : this.#lastSlot;
    const {resultCode, reservationId, deadlineSlot} = answer;
    if (reservationId !== null && deadlineSlot !== null)
      this.#deadlines.set(reservationIdFromBigint(reservationId), deadlineSlot);
    this.#expect(resultCode, {
      slot: this.#lastSlot,
      result: resultCode,
      operation: operationIdFromBigint(operation),
      client: clientIdFromBigint(CLIENT),
      ...told(command, reservationId, deadlineSlot),
    });
  }

  #expect(what: string, change: object): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
    this.expected.push(lineOf({lsn: BigInt(this.expected.length + 1), ...change}));
  }
}

/** A change as far as the answers say it: which hold a tick has expired, they do not. */
function comparable(change: Change): string {
  if (change.kind !== 'expire') return lineOf(change);
  const {lsn, slot, kind, result} = change;
  return lineOf({lsn, slot, kind, result});
}

/** What a change says of a command, from the command and its answer. */
function told(command: Command, reservation: bigint | null, deadlineSlot: bigint | null): object {
  const lease = reservation === null ? null : {id: reservationIdFromBigint(reservation), deadlineSlot};
  switch (command.kind) {
    case 'create_resource':
      return {kind: command.kind, resource: resourceIdFromBigint(command.resourceId)};
    case 'reserve':
    case 'reserve_bundle': {
      const ids = command.kind === 'reserve' ? [command.resourceId] : command.resourceIds;
      const holder = holderIdFromBigint(command.holderId);
      return {kind: command.kind, resources: ids.map(resourceIdFromBigint), holder, ttlSlots: command.ttlSlots, lease};
    }
    case 'revoke':
    case 'reclaim':
      return {kind: command.kind, reservation: reservationIdFromBigint(command.reservationId)};
    default: {
      const kind = command.kind.replace('_fenced', '');
      const epoch = 'leaseEpoch' in command ? command.leaseEpoch : null;
      const holder = holderIdFromBigint(command.holderId);
      return {kind, reservation: reservationIdFromBigint(command.reservationId), holder, epoch};
    }
  }
}

test('every answer and every expiration once, in order, as it was told, or the reader was passed and hears of it', async () => {
  const met = new Map<string, number>();
  let passed = 0;
  let changes = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(op, {minLength: 60, maxLength: 160, size: 'max'}), async ops => {
      const world = new World();
      for (const first of [1, 500]) await world.apply({kind: 'subscribe', amount: 0, pace: first});
      for (const step of ops) await world.apply(step);
      await world.finish();
      for (const [what, count] of world.met) met.set(what, (met.get(what) ?? 0) + count);
      passed += world.followers.filter(({isPassed}) => isPassed).length;
      changes += world.followers.reduce((sum, follower) => sum + follower.changes.length, 0);
    }),
    {numRuns: 25},
  );
  // The property has met what it is about.
  expect([...met.keys()]).toEqual(expect.arrayContaining(['ok', 'expire', 'resource_busy', 'already_exists']));
  expect([...met.keys()]).toEqual(expect.arrayContaining(['ttl_out_of_range', 'holder_mismatch', 'bundle_too_large']));
  expect(met.get('expire')).toBeGreaterThan(20);
  expect(passed).toBeGreaterThan(3);
  expect(changes).toBeGreaterThan(5_000);
}, 180_000);
