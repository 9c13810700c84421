/**
 * The scenario of HTTP from end to end with the smallest budgets, and its parts: the reference answers as the database does,
 * and the load client ends at the first answer that is not as expected. Nothing is asserted about durations.
 */
import {once} from 'node:events';
import {readdirSync} from 'node:fs';
import {createServer, type Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, onTestFinished, test} from 'vitest';
import {HttpClient, type HttpLoad, type HttpPart} from '../src/http_client.ts';
import {HTTP_LOADS, loadText, startHttpDatabase, startReference} from '../src/http_runs.ts';
import {type Cell, isSpread} from '../src/report.ts';
import {HTTP} from '../src/scenarios/http.ts';
import {lastLsnOf} from '../src/server_setup.ts';
import {resourceIdOf} from '../src/workload.ts';
import {tinyOptions} from './options.ts';

const PART: HttpPart = {firstResource: 100, endResource: 3000, firstOperation: 0};
const RESOURCES = 8000;
const COMMANDS: HttpLoad = {what: 'command', connections: 3, batch: 1};
const BATCHES: HttpLoad = {what: 'batch', connections: 2, batch: 8};

function medianOf(cell: Cell | undefined): number {
  return cell !== undefined && cell !== null && isSpread(cell) ? cell.median : Number.NaN;
}

/** A server that gives the same answer to everything; with its length unless there are other headers. */
async function answering(status: number, body: string, headers?: Record<string, string>): Promise<number> {
  const server: Server = createServer((request, response) => {
    request.resume();
    response.writeHead(status, headers ?? {'content-length': String(Buffer.byteLength(body))}).end(body);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function connect(port: number, load: HttpLoad, part: HttpPart = PART): Promise<HttpClient> {
  const client = await HttpClient.connect(port, load, part);
  onTestFinished(() => client.destroy());
  return client;
}

async function ask(port: number, path: string, body?: object, key?: string): Promise<{status: number; text: string}> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {'content-type': 'application/json', ...(key === undefined ? {} : {'idempotency-key': key})},
    ...(body === undefined ? {} : {body: JSON.stringify(body)}),
  });
  return {status: response.status, text: await response.text()};
}

/** Names and kinds of all members, in their order. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([name, member]) => [name, shapeOf(member)]);
}

function textOf(id: bigint): string {
  return id.toString(16).padStart(32, '0');
}

test('http measures database and reference under every load and leaves nothing behind', {
  timeout: 180_000,
}, async () => {
  const options = tinyOptions({seconds: 0.05, warmUpSeconds: 0.02});
  const report = await HTTP.run(options);
  expect(report.failures).toEqual([]);
  const [rates, latencies] = report.tables;
  for (const table of [rates, latencies]) expect(table?.rows.map(([load]) => load)).toEqual(HTTP_LOADS.map(loadText));
  // Where the machine is busy, a load may end before its first answer: the rate is then 0, and the quotient of two is none.
  for (const row of [...(rates?.rows ?? []), ...(latencies?.rows ?? [])]) {
    for (const cell of row.slice(1, 3)) expect(medianOf(cell)).toBeGreaterThanOrEqual(0);
  }
  expect(readdirSync(options.dir)).toEqual([]);
});

test('database and reference answer in one shape and length, and the load is in the database', {
  timeout: 180_000,
}, async () => {
  const {dir} = tinyOptions();
  const [{server, port}, reference] = await Promise.all([
    startHttpDatabase(join(dir, 'database'), null, RESOURCES),
    startReference(join(dir, 'reference'), null),
  ]);
  onTestFinished(() => {
    for (const each of [server, reference]) each.kill();
  });
  const before = await lastLsnOf(server);
  const client = await connect(port, COMMANDS);
  const batches = await connect(port, BATCHES, {firstResource: 3000, endResource: 6000, firstOperation: 2 ** 32});
  for (const each of [client, batches]) {
    each.start();
    await each.orFailure(delay(50));
    await each.stop();
    expect(each.answers).toBeGreaterThan(0);
  }
  expect(await lastLsnOf(server)).toBe(before + client.answers + BATCHES.batch * batches.answers);

  const [free, hot] = [textOf(resourceIdOf(7000)), textOf(resourceIdOf(3))];
  const holder = textOf(0xabcn);
  const reserve = (resource: string) => ({resource, holder, ttl_slots: 100});
  const compare = async (path: string, body?: object, key?: string): Promise<string> => {
    const [own, bare] = [await ask(port, path, body, key), await ask(reference.port, path, body, key)];
    expect(bare.status, path).toBe(own.status);
    expect(shapeOf(JSON.parse(bare.text)), path).toEqual(shapeOf(JSON.parse(own.text)));
    // Lsns and slots have more digits or fewer, and the words of a refusal are not compared.
    expect(Math.abs(bare.text.length / own.text.length - 1), `${own.text}\n${bare.text}`).toBeLessThan(0.1);
    return own.text;
  };
  await compare(`/v1/resources/${free}`);
  const {reservation} = JSON.parse(await compare('/v1/reservations', reserve(free), textOf(1n)));
  await compare('/v1/reservations', reserve(hot), textOf(2n));
  await compare(`/v1/reservations/${reservation.id}/confirm`, {holder}, textOf(3n));
  await compare(`/v1/reservations/${reservation.id}/release`, {holder}, textOf(4n));
  const member = {...reserve(textOf(resourceIdOf(7001))), command: 'reserve', idempotency_key: textOf(5n)};
  const refused = {...reserve(hot), command: 'reserve', idempotency_key: textOf(6n)};
  await compare('/v1/batch', {commands: [member, refused]});
  expect((await ask(reference.port, '/v1/reservations', {resource: free, holder}, textOf(7n))).status).toBe(400);
  await server.stop();
  await reference.stop();
});

test.each([
  ['another operation', 201, '{"result":"reserved","operation":"00","from_retry_cache":false}', /answered by 201/],
  ['a status that is not expected', 500, '{}', /answered by 500/],
  ['no JSON', 200, 'well', /JSON/],
])('the load ends at %s', async (_what, status, body, message) => {
  const client = await connect(await answering(status, body), COMMANDS);
  client.start();
  await expect(client.orFailure(delay(60_000, undefined, {ref: false}))).rejects.toThrow(message);
  expect(client.answers).toBe(0);
});

test('a batch with an answer missing, a read of another resource and an answer without a length end the load', async () => {
  const rejects = async (port: number, load: HttpLoad, message: RegExp): Promise<void> => {
    const client = await connect(port, load);
    client.start();
    await expect(client.orFailure(delay(60_000, undefined, {ref: false}))).rejects.toThrow(message);
  };
  await rejects(await answering(200, '{"results":[]}'), BATCHES, /answered by 200: {"results":\[\]}/);
  const other = {id: textOf(resourceIdOf(5)), state: 'available', reservation: null, version: '0'};
  const read: HttpLoad = {what: 'read', connections: 1, batch: 1};
  await rejects(await answering(200, JSON.stringify(other)), read, /answered by 200/);
  await rejects(await answering(200, '{}', {'transfer-encoding': 'chunked'}), read, /no answer with a length/);
});
