/** Scans over a connection that breaks, a server that has halted, and calls that end before their page comes. */
import type {ApiResponse} from '@allocdb/api';
import {describe, expect, test} from 'vitest';
import {resourceIdFrom} from '../src/index.ts';
import {errorOf, pair} from './pair.ts';
import {committed} from './scripted_server.ts';

function page(ids: readonly bigint[], next: bigint | null): ApiResponse {
  const resources = ids.map(resourceId => {
    return {resourceId, state: 'available' as const, currentReservationId: null, version: 0n};
  });
  return {type: 'resources_page', lastAppliedLsn: 8n, next, resources};
}

const NO_LEASES: ApiResponse = {type: 'reservations_page', lastAppliedLsn: 8n, next: null, leases: []};

async function take<Item>(walk: AsyncGenerator<Item, void>, count: number): Promise<Item[]> {
  const items: Item[] = [];
  for (let i = 0; i < count; i++) {
    const {value, done} = await walk.next();
    if (done === true) break;
    items.push(value as Item);
  }
  return items;
}

describe('a walk', () => {
  test('goes on over another connection where it was, with the page that was not answered', async () => {
    await using it = await pair();
    const walk = it.client.resources({state: 'available'});
    const first = take(walk, 2);
    const asked = await it.connection.requests.next();
    expect(asked).toMatchObject({type: 'scan_resources', state: 'available', position: 0n, requiredLsn: null});
    it.connection.respond(page([1n, 2n], 2n));
    expect(await first).toHaveLength(2);
    expect(it.connection.requests.size).toBe(0);
    const rest = take(walk, 9);
    const second = await it.connection.requests.next();
    // What the first page has shown is not undone on another server.
    expect(second).toMatchObject({position: 2n, requiredLsn: 8n});
    it.connection.cut();
    const again = await it.server.connections.next();
    expect(await again.requests.next()).toEqual(second);
    again.respond(page([3n], null));
    expect(await rest).toHaveLength(1);
    expect(it.client.status.reconnects).toBe(1);
  });

  test('waits for a halted server to come back, as other calls do', async () => {
    await using it = await pair();
    const walk = take(it.client.resources(), 1);
    const leases = it.client.scanReservations();
    for (let i = 0; i < 2; i++) await it.connection.requests.next();
    it.connection.respond({type: 'resource_engine_halted'}, {type: 'reservation_engine_halted'});
    for (let i = 0; i < 2; i++) {
      const {type} = await it.connection.requests.next();
      it.connection.respond(type === 'scan_resources' ? page([1n], null) : NO_LEASES);
    }
    expect(await walk).toHaveLength(1);
    expect(await leases).toEqual({result: 'page', lsn: 8n, leases: [], next: null});
  });

  test('ends with its signal while a page is under way, and the late page is nobody else’s', async () => {
    await using it = await pair();
    const controller = new AbortController();
    const {signal} = controller;
    const reason = new Error('enough');
    const aborted = take(it.client.reservations({}, {signal}), 1).catch((thrown: unknown) => thrown);
    const create = it.client.createResource({resource: resourceIdFrom('seat')});
    for (let i = 0; i < 2; i++) await it.connection.requests.next();
    controller.abort(reason);
    expect(await aborted).toBe(reason);
    await expect(it.client.resources({}, {signal}).next()).rejects.toBe(reason);
    it.connection.respond(NO_LEASES, committed(9n));
    expect((await create).result).toBe('created');
  });

  test('ends with the client', async () => {
    await using it = await pair();
    const walk = it.client.resources();
    const first = take(walk, 1);
    await it.connection.requests.next();
    it.connection.respond(page([1n], 1n));
    expect(await first).toHaveLength(1);
    const next = errorOf(walk.next());
    await it.connection.requests.next();
    await it.client.close();
    expect(await next).toMatchObject({code: 'closed', certainty: 'definite'});
    expect(await errorOf(it.client.resources().next())).toMatchObject({code: 'closed', certainty: 'definite'});
  });
});
