/**
 * One feed behind two interfaces that are the same: of the embedded database, and of a client over TCP with a real server
 * behind it. What is said of `changes` in the one place holds in the other. And what only a network has: servers that end
 * and come back.
 */
import {
  type Change,
  type Database,
  type HolderId,
  holderIdFrom,
  isAllocDbError,
  type OperationId,
  type ResourceId,
  resourceIdFrom,
} from '@allocdb/api';
import {connect} from '@allocdb/client';
import {configOfLimits, type DatabaseLimits, type EngineOptions, openDb} from '@allocdb/node';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanUp, tempDir, until} from './command.ts';
import {Projection} from './feed_projection.ts';
import {startServer, stopServers} from './in_process.ts';

const LIMITS: DatabaseLimits = {
  maxResources: 5_000,
  // An expiration of each in one tick has to fit into a frame of these small segments.
  maxReservations: 700,
  maxOperations: 50_000,
  maxTtlSlots: 10_000,
  maxBundleSize: 4,
};
const SLOT_MS = 20;
const SEGMENT_BYTES: number = 64 * 1024;

type Checkpoint = NonNullable<EngineOptions['checkpoint']>;

/** A database, and for the checks that nothing is left behind, how many feeds its engine knows. */
interface Backend {
  db: Database;
  feeds: () => number | null;
}

const closers: (() => Promise<void>)[] = [];

const BACKENDS: Record<string, (checkpoint?: Checkpoint) => Promise<Backend>> = {
  embedded: async (checkpoint = {everyLogBytes: null}) => {
    const engine = {segmentBytes: SEGMENT_BYTES, checkpoint};
    const db = await openDb({dir: tempDir(), limits: LIMITS, slotMs: SLOT_MS, engine});
    closers.push(() => db.close());
    return {db, feeds: () => null};
  },
  'over TCP': async (checkpoint = {everyLogBytes: null}) => {
    const {server, port} = await startServer({
      ...{config: configOfLimits(LIMITS, SLOT_MS), slotDurationMs: SLOT_MS},
      ...{segmentBytes: SEGMENT_BYTES, checkpoint},
    });
    const db = await connect(`allocdb://127.0.0.1:${port}`);
    closers.push(() => db.close());
    return {db, feeds: () => server.engine.directory.wal.metrics.pins};
  },
};

afterEach(async () => {
  await Promise.all(closers.splice(0).map(close => close()));
  await stopServers();
  await cleanUp();
});

const ada: HolderId = holderIdFrom('ada');
const bob: HolderId = holderIdFrom('bob');
const seats: ResourceId[] = Array.from({length: 6}, (_, i) => resourceIdFrom(`seat ${i}`));
const [first, second] = seats as [ResourceId, ResourceId];

async function take(feed: AsyncGenerator<Change, void>, count: number): Promise<Change[]> {
  const changes: Change[] = [];
  while (changes.length < count) {
    const {value, done} = await feed.next();
    if (done === true || value === undefined) throw new Error('the feed ended early');
    changes.push(value);
  }
  return changes;
}

async function lsnOf(step: Promise<IteratorResult<Change, void>>): Promise<bigint> {
  const {value, done} = await step;
  if (done === true || value === undefined) throw new Error('the feed ended early');
  return value.lsn;
}

function failureIn(error: unknown): Record<string, unknown> {
  if (!isAllocDbError(error)) throw error;
  return {...error.failure};
}

async function failureOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  return promise.then(() => {
    throw new Error('it did not fail');
  }, failureIn);
}

/** So many creations, of which most were made before. */
async function write(db: Database, count: number): Promise<void> {
  for (let i = 0; i < count; i += 500) {
    const commands = Array.from({length: Math.min(500, count - i)}, (_, k) => ({
      command: 'create_resource' as const,
      resource: seats[k % seats.length] as ResourceId,
    }));
    await db.batch(commands);
  }
}

describe.each(Object.keys(BACKENDS))('a feed %s', kind => {
  const open = BACKENDS[kind] as (typeof BACKENDS)[string];

  test('tells every command by its kind, as it was answered, refusals and expirations too', async () => {
    const {db} = await open();
    const answers: {lsn: bigint; operation: OperationId}[] = [
      await db.createResource({resource: first}),
      await db.createResource({resource: second}),
      await db.createResource({resource: first}),
    ];
    const held = await db.reserve({resource: first, holder: ada, ttlSlots: 5_000});
    const busy = await db.reserve({resource: first, holder: bob, ttlSlots: 5_000});
    if (held.result !== 'reserved') throw new Error('it was free');
    const {id: reservation} = held.lease;
    answers.push(held, busy);
    answers.push(await db.confirm({reservation, holder: ada, epoch: 1n}));
    answers.push(await db.revoke({reservation}), await db.reclaim({reservation}));
    const short = await db.reserveBundle({resources: [first, second], holder: bob, ttlSlots: 1});
    if (short.result !== 'reserved') throw new Error('they were free');
    answers.push(short);
    answers.push(await db.release({reservation: short.lease.id, holder: ada}));
    const feed = db.changes({from: 1n});
    const changes = await take(feed, 11);
    await feed.return();
    const expired = changes.splice(
      changes.findIndex(change => change.kind === 'expire'),
      1,
    );
    expect(expired).toMatchObject([
      {kind: 'expire', result: 'ok', reservation: short.lease.id, deadlineSlot: short.lease.deadlineSlot},
    ]);
    expect((expired[0]?.slot ?? 0n) >= short.lease.deadlineSlot).toBe(true);
    expect(changes.map(({lsn}) => lsn)).toEqual(answers.map(({lsn}) => lsn));
    expect(changes.map(change => ('operation' in change ? change.operation : null))).toEqual(
      answers.map(({operation}) => operation),
    );
    const by = {client: db.clientId};
    expect(changes.slice(0, 9)).toMatchObject([
      {kind: 'create_resource', result: 'ok', resource: first, ...by},
      {kind: 'create_resource', result: 'ok', resource: second, ...by},
      {kind: 'create_resource', result: 'already_exists', resource: first, ...by},
      {
        ...{kind: 'reserve', result: 'ok', resources: [first], holder: ada, ttlSlots: 5_000n, ...by},
        lease: {id: reservation, deadlineSlot: held.lease.deadlineSlot},
      },
      {kind: 'reserve', result: 'resource_busy', resources: [first], holder: bob, lease: null, ...by},
      {kind: 'confirm', result: 'ok', reservation, holder: ada, epoch: 1n, ...by},
      {kind: 'revoke', result: 'ok', reservation, ...by},
      {kind: 'reclaim', result: 'ok', reservation, ...by},
      {kind: 'reserve_bundle', result: 'ok', resources: [first, second], lease: {id: short.lease.id}, ...by},
    ]);
    expect(changes[9]).toMatchObject({kind: 'release', holder: ada, epoch: null});
    expect(changes[9]?.result).not.toBe('ok');
  });

  test('without a beginning tells what comes from now on', async () => {
    const {db, feeds} = await open();
    await write(db, 10);
    const feed = db.changes();
    const next = feed.next();
    await until(() => feeds() !== 0, 'the feed to run');
    await db.createResource({resource: first});
    expect((await next).value?.lsn).toBe(11n);
    await feed.return();
  });

  test('loops at different places are independent, and one that is left takes nothing from the others', async () => {
    const {db, feeds} = await open();
    await write(db, 300);
    const [all, late] = [db.changes({from: 1n}), db.changes({from: 290n})];
    expect((await take(late, 11)).map(({lsn}) => lsn)).toEqual(Array.from({length: 11}, (_, i) => BigInt(290 + i)));
    const next = late.next();
    for await (const {lsn} of all) if (lsn === 150n) break;
    await until(() => (feeds() ?? 1) === 1, 'the feed that was left to be let go');
    await write(db, 1);
    expect((await next).value?.lsn).toBe(301n);
    await late.return();
    await until(() => (feeds() ?? 0) === 0, 'all feeds to be let go');
  });

  test('refuses what cannot be: 0, what is gone, what has not come', async () => {
    const {db} = await open({everyLogBytes: SEGMENT_BYTES});
    await expect(db.changes({from: 0n}).next()).rejects.toBeInstanceOf(RangeError);
    await write(db, 20);
    const lsn = db.lastLsn ?? 0n;
    expect(await failureOf(db.changes({from: lsn + 2n}).next())).toMatchObject({
      code: 'lsn_ahead',
      certainty: 'definite',
    });
    const passed = db.changes({from: 1n});
    expect(await lsnOf(passed.next())).toBe(1n);
    let failure: Record<string, unknown> = {};
    for (let i = 0; failure['code'] === undefined; i++) {
      if (i === 100) throw new Error('the log is never cut');
      await write(db, 1_000);
      const feed = db.changes({from: 1n});
      failure = await feed.next().then(() => ({}), failureIn);
      await feed.return();
    }
    expect(failure).toMatchObject({code: 'lsn_not_retained', certainty: 'definite'});
    expect(failure['oldestLsn']).toBeGreaterThan(1n);
    // A checkpoint that is still under way may cut more: then that failure says from where the log is.
    let oldest: unknown;
    while (failure['code'] === 'lsn_not_retained' && failure['oldestLsn'] !== oldest) {
      oldest = failure['oldestLsn'];
      const reader = db.changes({from: oldest as bigint});
      failure = await lsnOf(reader.next()).then(lsn => ({lsn}), failureIn);
      await reader.return();
    }
    expect(failure).toEqual({lsn: oldest});
    // The feed that was passed has what was on its way, without a gap, and then the same failure.
    const last = db.lastLsn ?? 0n;
    let expected = 2n;
    const end = await (async () => {
      for (; expected <= last; expected++) expect(await lsnOf(passed.next())).toBe(expected);
      return {};
    })().catch(failureIn);
    if (expected <= last) expect(end).toMatchObject({code: 'lsn_not_retained', certainty: 'definite'});
    await passed.return();
  });

  test('ends with the handle, and throws the reason of its signal, also while it waits', async () => {
    const {db} = await open();
    await write(db, 3);
    const reason = new Error('enough');
    const controller = new AbortController();
    const [aborted, closed, between] = [
      db.changes({from: 1n, signal: controller.signal}),
      db.changes({from: 1n}),
      db.changes({from: 1n, signal: controller.signal}),
    ];
    await Promise.all([take(aborted, 3), take(closed, 3), take(between, 1)]);
    const waiting = [aborted.next(), closed.next()];
    controller.abort(reason);
    await expect(waiting[0]).rejects.toBe(reason);
    await expect(between.next()).rejects.toBe(reason);
    await expect(db.changes({signal: controller.signal}).next()).rejects.toBe(reason);
    await db.close();
    expect(await waiting[1]).toEqual({value: undefined, done: true});
    expect(await failureOf(db.changes().next())).toMatchObject({code: 'closed'});
  });

  test('that is left while a step waits ends that step at once, and lets everything go', async () => {
    const {db, feeds} = await open();
    await write(db, 3);
    const feed = db.changes({from: 1n});
    await take(feed, 3);
    const waiting = [feed.next(), feed.next()];
    expect(await feed.return()).toEqual({value: undefined, done: true});
    const over = {value: undefined, done: true};
    expect(await Promise.all(waiting)).toEqual([over, over]);
    const thrown = db.changes({from: 1n});
    await take(thrown, 3);
    const step = thrown.next();
    const reason = new Error('enough');
    await expect(thrown.throw(reason)).rejects.toBe(reason);
    expect(await step).toEqual(over);
    const unused = db.changes({from: 1n});
    expect(await unused.return()).toEqual(over);
    expect(await unused.next()).toEqual(over);
    {
      await using scoped = db.changes({from: 1n});
      await take(scoped, 1);
    }
    await until(() => (feeds() ?? 0) === 0, 'the feeds to be let go');
    expect(await db.createResource({resource: first})).toMatchObject({lsn: 4n});
  });

  test('a consumer that is slow misses nothing of what is written meanwhile', async () => {
    const {db} = await open();
    const feed = db.changes({from: 1n});
    const seen: bigint[] = [];
    const reading = (async () => {
      for await (const {lsn} of feed) {
        seen.push(lsn);
        if (lsn % 50n === 0n) await new Promise(resolve => setImmediate(resolve));
        if (lsn === 6_000n) break;
      }
    })();
    await write(db, 6_000);
    await reading;
    expect(seen).toEqual(Array.from({length: 6_000}, (_, i) => BigInt(i + 1)));
  });

  test('the recipe: pages of a scan, then the changes behind them, make the state as it is', async () => {
    const {db} = await open();
    let isOver = false;
    const writing = (async () => {
      for (let round = 0; !isOver; round++) await someWrites(db, round);
    })();
    await until(() => (db.lastLsn ?? 0n) > 400n, 'something to be there');
    const projection = await Projection.scan(db, 40);
    const feed = db.changes({from: projection.next});
    for (let i = 0; i < 1_500; i++) projection.apply((await take(feed, 1))[0] as Change);
    isOver = true;
    await writing;
    // Deadlines pass between the pages of this one too: changes bring both to the same lsn.
    const later = await Projection.scan(db, 40);
    while (projection.next <= later.latest) {
      const [change] = await take(feed, 1);
      if (change === undefined) continue;
      projection.apply(change);
      if (change.lsn >= later.next) later.apply(change);
    }
    expect(projection.state()).toEqual(later.state());
    expect(projection.state().length).toBeGreaterThan(20);
    expect(new Set(projection.state().map(row => row.split(' ')[1])).size).toBeGreaterThan(2);
    await feed.return();
  }, 120_000);
});

/** Some of everything, by chance, on things of which more and more are there. */
async function someWrites(db: Database, round: number): Promise<void> {
  const thing = (i: number): ResourceId => resourceIdFrom(`thing ${i % Math.min(200, 5 + round)}`);
  const pick = (): number => Math.floor(Math.random() * 1_000);
  await db.createResource({resource: resourceIdFrom(`thing ${round}`)});
  const granted = await db.batch([
    {command: 'reserve', resource: thing(pick()), holder: ada, ttlSlots: 1 + (pick() % 400)},
    {command: 'reserve_bundle', resources: [thing(round), thing(round + 1)], holder: bob, ttlSlots: 1 + (pick() % 4)},
    {command: 'reserve', resource: thing(pick()), holder: bob, ttlSlots: 300},
  ]);
  for (const [i, answer] of granted.entries()) {
    if (answer.result !== 'reserved') continue;
    const {id: reservation, holder} = answer.lease;
    const way = (round + i) % 5;
    if (way < 2) await db.confirm({reservation, holder});
    if (way === 1) await db.revoke({reservation});
    if (way === 1 && round % 2 === 0) await db.reclaim({reservation});
    if (way === 2) await db.release({reservation, holder});
    if (way === 3) await db.release({reservation, holder: holderIdFrom('nobody')});
  }
}

describe('a server that ends and comes back at the same port', () => {
  test.each([
    ['from a beginning', {from: 1n}],
    ['from now on, before anything had come', {}],
  ])(
    '%s: no gap and nothing twice, whatever is written while nobody is connected',
    async (_, options) => {
      const dir = tempDir();
      const config = configOfLimits(LIMITS, SLOT_MS);
      const start = async (port: number) =>
        startServer({dir, config, slotDurationMs: SLOT_MS, listen: {host: '127.0.0.1', port}});
      const {server, port} = await start(0);
      const retry = {initialBackoffMs: 5, maxBackoffMs: 50, budgetMs: 60_000};
      const db = await connect(`allocdb://127.0.0.1:${port}`, {retry});
      closers.push(() => db.close());
      const seen: bigint[] = [];
      const reading = (async () => {
        for await (const {lsn} of db.changes(options)) {
          seen.push(lsn);
          if (lsn === 1_200n) break;
        }
      })();
      await until(() => server.engine.directory.wal.metrics.pins === 1, 'the feed to run');
      let running = server;
      for (let life = 0; life < 4; life++) {
        if (life > 0) await write(db, 100);
        await running.stop();
        ({server: running} = await start(port));
        // Before the feed has found it again, if it has not: what is durable then was not written to it.
        const commands = Array.from({length: 100}, (_, i) => ({
          command: 'create_resource' as const,
          resource: resourceIdFrom(`life ${life} ${i}`),
        }));
        await db.batch(commands);
      }
      await write(db, 500);
      await reading;
      expect(seen).toEqual(Array.from({length: 1_200}, (_, i) => BigInt(i + 1)));
      await until(() => running.engine.directory.wal.metrics.pins === 0, 'the feed to be let go');
    },
    120_000,
  );
});
