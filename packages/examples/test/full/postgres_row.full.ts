/**
 * The row of `postgres_row.ts` in a PostgreSQL of its own, written by a holder whose lease is over and by the present one,
 * one after the other and at the same time. Skipped, and said so, where PostgreSQL is not installed.
 */
import {join} from 'node:path';
import {findPostgres, PostgresServer} from '@allocdb/peers';
import pg from 'pg';
import {expect, test} from 'vitest';
import {DEVICE_TABLE, setState} from '../../src/postgres_row.ts';
import {staleAndPresent, testDirectory} from '../two_holders.ts';

test.skipIf(findPostgres() === null)('a row refuses a stale holder, in every order of arrival', async () => {
  const {stale, present} = await staleAndPresent();
  const server = await PostgresServer.start(join(testDirectory(), 'postgres'));
  const clients = Array.from({length: 2}, () => new pg.Client({connectionString: server.url}));
  try {
    for (const client of clients) await client.connect();
    const [first, second] = clients as [pg.Client, pg.Client];
    const stateOf = async (device: string): Promise<string> =>
      (await first.query('SELECT state FROM device WHERE name = $1', [device])).rows[0].state;
    await first.query(DEVICE_TABLE);
    await first.query("INSERT INTO device (name) SELECT 'gpu ' || i FROM generate_series(0, 49) i");

    expect(await setState(first, 'gpu 0', 'training', stale.fence)).toBe(true);
    expect(await setState(second, 'gpu 0', 'rendering', present.fence)).toBe(true);
    expect(await setState(first, 'gpu 0', 'training', stale.fence)).toBe(false);
    expect(await setState(second, 'gpu 0', 'done', present.fence)).toBe(true);
    expect(await stateOf('gpu 0')).toBe('done');

    for (let i = 1; i < 50; i++) {
      const device = `gpu ${i}`;
      const [, allowed] = await Promise.all([
        setState(first, device, 'training', stale.fence),
        setState(second, device, 'rendering', present.fence),
      ]);
      expect([allowed, await stateOf(device)]).toEqual([true, 'rendering']);
    }
  } finally {
    for (const client of clients) await client.end();
    await server.stop();
  }
});
