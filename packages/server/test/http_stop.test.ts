/**
 * How the HTTP port stops: what it has taken is answered, what comes later is refused, every connection ends, and nothing
 * keeps it from ending.
 */
import {connect} from 'node:net';
import type {Database} from '@allocdb/api';
import {afterEach, describe, expect, test} from 'vitest';
import {pause, until, withDeadline} from './command.ts';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {RawHttp, requestText} from './http_raw.ts';

afterEach(stopHttp);

const GRACE_MS = 60_000;
const READ = requestText('GET /v1/resources');

/** A port whose creations wait until the test lets them go. */
async function startHeld(): Promise<{http: HttpTest; taken: () => number; letGo: () => void}> {
  let taken = 0;
  let letGo = (): void => undefined;
  const gone = new Promise<void>(resolve => {
    letGo = resolve;
  });
  const http = await startHttp({
    database: database => {
      const held = Object.create(database) as Database;
      held.createResource = async (...input) => {
        taken++;
        await gone;
        return database.createResource(...input);
      };
      held.scanResources = (...input) => database.scanResources(...input);
      return held;
    },
  });
  return {http, taken: () => taken, letGo};
}

describe('stopping', () => {
  test('answers what was taken, also what was sent ahead, and then ends the connection', async () => {
    const {http, taken, letGo} = await startHeld();
    const raw = await RawHttp.open(http.port);
    raw.write(Array.from({length: 5}, (_, i) => requestText('POST /v1/resources', {id: id(i + 1)})).join(''));
    await until(() => taken() === 5, 'five commands to be taken');
    const stopped = http.http.stop(GRACE_MS);
    letGo();
    expect((await raw.take(5)).map(({status}) => status)).toEqual([201, 201, 201, 201, 201]);
    await raw.closed();
    await withDeadline(stopped, 'the port to stop');
    expect(http.engine.durableLsn).toBe(5n);
  });

  test('refuses what comes on a connection that still waits for an answer', async () => {
    const {http, taken, letGo} = await startHeld();
    const raw = await RawHttp.open(http.port);
    raw.write(requestText('POST /v1/resources', {id: id(1)}));
    await until(() => taken() === 1, 'the command to be taken');
    const stopped = http.http.stop(GRACE_MS);
    raw.write(requestText('POST /v1/resources', {id: id(2)}));
    await until(() => http.http.requestsInFlight === 2, 'the second request to arrive');
    letGo();
    const responses = await raw.take(2);
    expect(responses[0]?.status).toBe(201);
    expect(responses[1]?.status).toBe(503);
    expect(JSON.parse(responses[1]?.body ?? '')).toMatchObject({code: 'shutting_down', category: 'definite'});
    expect(responses[1]?.headers['connection']).toBe('close');
    await raw.closed();
    await stopped;
    expect(taken()).toBe(1);
  });

  test('waits for who reads slowly what was answered', async () => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    raw.pause();
    // More than the buffers between the two ends hold.
    const commands = Array.from({length: 8000}, (_, i) => ({command: 'create_resource', resource: id(i + 1)}));
    raw.write(requestText('POST /v1/batch', {commands}));
    await until(() => http.engine.durableLsn === 8000n, 'the batch to be executed');
    const stopped = http.http.stop(GRACE_MS);
    await pause(300);
    raw.resume();
    const [batch] = await raw.take(1);
    expect((JSON.parse(batch?.body ?? '') as {results: unknown[]}).results).toHaveLength(commands.length);
    await raw.closed();
    await withDeadline(stopped, 'the port to stop');
  });

  test('ends connections that are idle, and accepts no more', async () => {
    const http = await startHttp();
    const idle = await RawHttp.open(http.port);
    idle.write(READ);
    await idle.take(1);
    const silent = await RawHttp.open(http.port);
    await until(() => http.http.connectionCount === 2, 'two connections');
    await withDeadline(http.http.stop(GRACE_MS), 'the port to stop');
    await idle.closed();
    await silent.closed();
    const refused = await new Promise(resolve => {
      connect(http.port, '127.0.0.1').once('error', resolve).once('connect', resolve);
    });
    expect(refused).toMatchObject({code: 'ECONNREFUSED'});
  });

  test('does not wait longer than it is told for a request that never ends', async () => {
    const http = await startHttp();
    const raw = await RawHttp.open(http.port);
    raw.write(requestText('POST /v1/resources', {id: id(1)}).slice(0, -1));
    await until(() => http.http.requestsInFlight === 1, 'the request to begin');
    await withDeadline(http.http.stop(50), 'the port to stop');
    await raw.closed();
    expect(http.engine.durableLsn).toBeNull();
  });

  test('is done once, however often it is asked for, and also before anything was', async () => {
    const http = await startHttp();
    expect(http.http.stop(GRACE_MS)).toBe(http.http.stop(0));
    await http.http.stop(GRACE_MS);
    const other = await startHttp();
    await ask(other, 'GET /v1/resources');
    await withDeadline(other.http.stop(GRACE_MS), 'the port to stop');
  });

  test('goes on while the database is asked, and nothing is lost', async () => {
    const http = await startHttp();
    const answered: string[] = [];
    let refusals = 0;
    let isStopping = false;
    const client = async (client: number): Promise<void> => {
      for (let i = 0; !isStopping || refusals === 0; i++) {
        try {
          const resource = id(client * 100_000 + i);
          const {status} = await ask(http, 'POST /v1/resources', {body: {id: resource}});
          if (status === 201) answered.push(resource);
          else refusals++;
        } catch {
          // The connection was ended, or not accepted any more.
          refusals++;
        }
      }
    };
    const clients = Array.from({length: 8}, (_, i) => client(i + 1));
    await until(() => answered.length > 50, 'some answers');
    isStopping = true;
    await withDeadline(http.http.stop(GRACE_MS), 'the port to stop');
    await Promise.all(clients);
    const {db} = http.engine;
    expect(db.resources.count).toBeGreaterThanOrEqual(answered.length);
    const known = new Set<string>();
    for (const resource of answered) known.add(resource);
    expect(known.size).toBe(answered.length);
  });
});
