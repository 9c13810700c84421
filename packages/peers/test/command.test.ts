/**
 * What the peers are asked is what the workload asks AllocDB, and their schemas speak of the same codes.
 */
import {readFileSync} from 'node:fs';
import {HOT_RESOURCES, PAYLOAD_BYTES_MAX, PERIOD, STEP, Workload} from '@allocdb/bench';
import {COMMAND, RESERVATION_STATE, RESULT} from '@allocdb/core';
import {expect, test} from 'vitest';
import {emptyCommand, KIND, readCommand} from '../src/command.ts';
import {POSTGRES_SETTINGS} from '../src/postgres/postgres_server.ts';
import {REDIS_SETTINGS} from '../src/redis/redis_server.ts';
import {hotReserve, resourceId} from '../src/setup.ts';
import {SQLITE_SETTINGS} from '../src/sqlite/sqlite_peer.ts';

const LANES = 4;
const TTL_SLOTS = 3000;

function schema(name: string): string {
  return readFileSync(new URL(`../schemas/${name}`, import.meta.url), 'utf8');
}

test('the loop of a lane: own resources in threes, every tenth a hot one, each operation once and rising', () => {
  const workload = new Workload({lanes: LANES, resources: 1000, ttlSlots: TTL_SLOTS});
  const bytes = Buffer.alloc(PAYLOAD_BYTES_MAX);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hot = new Set(Array.from({length: HOT_RESOURCES}, (_, i) => resourceId(i).toString('hex')));
  const command = emptyCommand();
  const counts = new Map<string, number>();
  let last = Buffer.alloc(16);
  for (let i = 0; i < LANES * PERIOD * 3; i++) {
    const lane = i % LANES;
    const step = workload.stepOf(lane);
    workload.writePayload(lane, view, 0);
    readCommand(bytes, 100, command);
    if (i > 0) expect(Buffer.compare(command.operation, last)).toBe(1);
    last = Buffer.from(command.operation);
    const isReserve = command.kind === KIND.RESERVE;
    expect(isReserve).toBe(step === STEP.RESERVE || step === STEP.HOT);
    if (isReserve) {
      expect(hot.has(command.resource.toString('hex'))).toBe(step === STEP.HOT);
      expect(command.ttlMs).toBe(300_000);
    } else expect(command.reservation).toBe(2 ** 40 + lane);
    const name = `${lane} ${step}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    workload.settle(lane, lane, 256, 0, 0);
  }
  for (let lane = 0; lane < LANES; lane++) {
    expect(Object.values(STEP).map(step => counts.get(`${lane} ${step}`))).toEqual([9, 9, 9, 3]);
  }
});

test('operations of the setup are none of the loop', () => {
  expect(hotReserve(0).operation[0]).toBe(0xff);
  expect(hotReserve(1).operation).not.toEqual(hotReserve(0).operation);
});

test('what is no command of the loop is refused', () => {
  const bytes = Buffer.alloc(PAYLOAD_BYTES_MAX);
  bytes[32] = COMMAND.CREATE_RESOURCE;
  expect(() => readCommand(bytes, 100, emptyCommand())).toThrow(RangeError);
});

test('the codes, kinds and states that the schemas name are those of AllocDB', () => {
  const named = schema('postgres.sql').split('CREATE')[0]?.replaceAll(/\n-- /g, ' ') ?? '';
  const numbers = new Map(
    [...named.matchAll(/(\d+) ([a-z]+(?: [a-z]+)*)/g)].map(([, number, name = '']) => [name, Number(number)] as const),
  );
  const constant = (name: string): string => name.toUpperCase().replaceAll(' ', '_');
  const known: Readonly<Record<string, number>> = {...COMMAND, ...RESERVATION_STATE, ...RESULT};
  expect(numbers.size).toBeGreaterThanOrEqual(14);
  for (const [name, number] of numbers) expect([name, known[constant(name)]]).toEqual([name, number]);
});

test('every peer is durable before it answers', () => {
  expect(POSTGRES_SETTINGS).toMatchObject({fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on'});
  expect(REDIS_SETTINGS).toMatchObject({appendonly: 'yes', appendfsync: 'always'});
  expect(SQLITE_SETTINGS).toMatchObject({journal_mode: 'WAL', synchronous: 'FULL'});
});

test('schemas are plain ASCII, as they are sent', () => {
  for (const name of ['postgres.sql', 'sqlite.sql', 'redis.lua']) expect(schema(name)).toMatch(/^[\x20-\x7e\n]+$/);
});
