/**
 * A hold of a round time, as people configure and ask for it: a database that was made for holds of ten minutes takes one
 * of 600,000 ms, whichever command made it, and refuses one that is a slot longer.
 */
import {join} from 'node:path';
import {defaultConfig} from '@allocdb/server';
import {afterAll, expect, test} from 'vitest';
import {cleanUp, tempDir} from './command.ts';
import {startServer, stopPorts} from './http_ports.ts';
import {runHere} from './in_process.ts';

const SLOT_MS = 100;
const HELD_MS = 600_000;
const SIZES = ['--max-resources', '10', '--max-reservations', '10', '--max-operations', '1000'];

afterAll(async () => {
  await stopPorts();
  await cleanUp();
});

async function must(...words: string[]): Promise<void> {
  const {code, stderr} = await runHere(words);
  expect([code, stderr]).toEqual([0, '']);
}

/** What makes a directory for holds of ten minutes; null leaves it to the server. */
const MAKERS: readonly [string, (dir: string) => Promise<void> | null][] = [
  ['serve', () => null],
  ['init', dir => must('init', dir, ...SIZES)],
  ['init --max-hold', dir => must('init', dir, ...SIZES, '--max-hold', '10m')],
  [
    'plan',
    async dir => {
      const out = join(tempDir(), 'config.json');
      await must('plan', '--rate', '10', '--hold', '10m', '--resources', '10', '--out', out);
      await must('init', dir, '--config', out);
    },
  ],
  [
    'reconfigure',
    async dir => {
      await must('init', dir, ...SIZES, '--max-hold', '1m');
      await must('reconfigure', dir, '--max-hold', '10m');
    },
  ],
];

test.each(MAKERS)('of %s', async (_, make) => {
  const dir = join(tempDir(), 'data');
  const made = make(dir);
  await made;
  const config = made === null ? defaultConfig(SLOT_MS) : null;
  const {http} = await startServer({dir, config, slotDurationMs: SLOT_MS});
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`${http[1]}${path}`, {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify(body),
    });
    const {code} = (await response.json()) as {code?: string};
    return code ?? response.status;
  };
  const [resource, holder] = ['018f6c1e00007000800000000000002a', '018f6c1e00007000800000000000002b'];
  expect(await post('/v1/resources', {id: resource})).toBe(201);
  expect(await post('/v1/reservations', {resource, holder, ttl_ms: HELD_MS + SLOT_MS})).toBe('ttl_out_of_range');
  expect(await post('/v1/reservations', {resource, holder, ttl_ms: HELD_MS})).toBe(201);
});
