/**
 * The closed loop's client by itself: an observer is told of every answer and its connection, what the answers granted is
 * what the database says it holds, and a stopped client still has its connections until it lets go of them.
 */
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {expect, onTestFinished, test} from 'vitest';
import {type ChildServer, ECHO_PROGRAM, startServer} from '../src/child_server.ts';
import {serverHoldings} from '../src/database_holdings.ts';
import {type AnswerObserver, LoadClient} from '../src/load_client.ts';
import {batchOf, type LoadShape, shapeText} from '../src/scenario.ts';
import {startDatabase} from '../src/server_setup.ts';
import {SERVER_RESOURCES, TTL_SLOTS} from '../src/workload_config.ts';
import {tinyOptions} from './options.ts';

const SINGLE: LoadShape = {connections: 3, outstanding: 5};
const BATCHED: LoadShape = {connections: 2, outstanding: 2, batch: 8};

async function startEcho(): Promise<ChildServer> {
  const dir = join(tinyOptions().dir, 'echo');
  mkdirSync(dir);
  const server = await startServer(ECHO_PROGRAM, [dir]);
  onTestFinished(() => server.kill());
  return server;
}

async function connect(port: number, shape: LoadShape, observer?: AnswerObserver): Promise<LoadClient> {
  const client = await LoadClient.connect({port, shape, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS}, observer);
  onTestFinished(() => client.destroy());
  return client;
}

/** Counts the answers of each connection, and in how many chunks they came. */
class Counts implements AnswerObserver {
  readonly answers: number[];
  /** Chunks in which there was an answer. */
  chunks: number = 0;
  #isFirst: boolean = false;

  constructor({connections}: LoadShape) {
    this.answers = new Array<number>(connections).fill(0);
  }

  onChunk(): void {
    this.#isFirst = true;
  }

  onAnswer(connection: number): void {
    this.answers[connection] = (this.answers[connection] ?? Number.NaN) + 1;
    if (this.#isFirst) this.chunks++;
    this.#isFirst = false;
  }
}

test.each([SINGLE, BATCHED].map(shape => ({shape, text: shapeText(shape)})))(
  '$text: the observer is told of every answer, and the database holds what they granted',
  async ({shape}) => {
    const server = await startDatabase(join(tinyOptions().dir, 'database'), null);
    onTestFinished(() => server.kill());
    const before = await serverHoldings(server.port);
    const counts = new Counts(shape);
    const client = await connect(server.port, shape, counts);
    client.start();
    await client.orFailure(delay(200));
    await client.stop();
    for (const answers of counts.answers) expect(answers).toBeGreaterThan(shape.outstanding);
    const told = counts.answers.reduce((sum, each) => sum + each, 0);
    expect(told * batchOf(shape)).toBe(client.answers);
    // A chunk comes before its answers, and none has more of them than were outstanding.
    expect(counts.chunks).toBeGreaterThanOrEqual(told / shape.outstanding);
    expect(client.granted).toBeGreaterThan(0);
    expect(await serverHoldings(server.port)).toEqual({
      operations: before.operations + client.answers,
      reservations: before.reservations + client.granted,
      held: before.held + client.holding,
    });
    await server.stop();
  },
);

test('a stopped client notices the end of the server, one that has let go does not', async () => {
  const server = await startEcho();
  const [open, closed] = [await connect(server.port, SINGLE), await connect(server.port, SINGLE)];
  for (const client of [open, closed]) {
    client.start();
    await client.stop();
    expect(client.answers).toBeGreaterThanOrEqual(SINGLE.connections * SINGLE.outstanding);
  }
  closed.destroy();
  const never = new Promise<never>(() => undefined);
  const noticed = expect(open.orFailure(never)).rejects.toThrow(/closed a connection|ECONNRESET/);
  server.kill();
  await noticed;
  expect(await closed.orFailure(delay(50).then(() => 'nothing'))).toBe('nothing');
});

test('a server that ends under load is the end of the load', async () => {
  const server = await startEcho();
  const client = await connect(server.port, SINGLE);
  client.start();
  await client.orFailure(delay(20));
  server.kill();
  await expect(client.orFailure(delay(10_000))).rejects.toThrow(/closed a connection|ECONNRESET|EPIPE/);
  await expect(client.stop()).rejects.toThrow(/closed a connection|ECONNRESET|EPIPE/);
});
