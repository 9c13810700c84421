/**
 * The end of the server: by SIGTERM under load, and by SIGKILL under load. What was answered is durable and is answered
 * the same when it is asked again by its operation id; what was not answered is settled by asking again.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {
  type ApiRequest,
  CONNECTION_ERROR,
  type ConnectionError,
  decodeConnectionError,
  decodeResponse,
  encodeRequest,
} from '@allocdb/api';
import {configOfLimits, configToJson, verifyDirectory} from '@allocdb/node';
import {joinFrames} from '@allocdb/sim';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanUp, pause, runCommand, ServeProcess, tempDir, tempFile, until} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS, repeated, reserve} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const RESOURCES = 1000;

/** Room for every operation of a test, and no more. */
function configFile(): string {
  const limits = {maxResources: RESOURCES, maxReservations: RESOURCES, maxOperations: 200_000, maxTtlSlots: 10_000};
  return tempFile('config.json', JSON.stringify(configToJson(configOfLimits(limits, 100))));
}

interface Sent {
  readonly request: ApiRequest;
  answer: unknown;
}

/** A client that keeps many requests in flight and remembers every answer; each command has an operation of its own. */
class Load {
  readonly sent: Sent[] = [];
  error: ConnectionError | null = null;
  readonly #peer: Peer;
  readonly #firstOperation: bigint;
  #answered: number = 0;

  constructor(peer: Peer, firstOperation: bigint) {
    this.#peer = peer;
    this.#firstOperation = firstOperation;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Keeps going until the connection has ended. */
  async run(inFlight: number): Promise<void> {
    const peer = this.#peer;
    while (!peer.isEnded && !peer.isClosed) {
      const missing = this.#answered + inFlight - this.sent.length;
      if (missing > 0) peer.socket.write(joinFrames(Array.from({length: missing}, () => this.#next())));
      await pause(1);
      this.#collect();
    }
    this.#collect();
  }

  #next(): Uint8Array {
    const operation = this.#firstOperation + BigInt(this.sent.length);
    const request = reserve(operation, operation % BigInt(RESOURCES));
    this.sent.push({request, answer: null});
    return encodeRequest(request);
  }

  #collect(): void {
    for (const frame of this.#peer.takeAll()) {
      if (frame[0] === 0xff) {
        this.error = decodeConnectionError(frame);
        continue;
      }
      const sent = this.sent[this.#answered++];
      if (sent !== undefined) sent.answer = decodeResponse(frame);
    }
  }
}

/** Starts `clients` loads, each with a range of operations of its own. */
async function startLoads(port: number, clients: number, round: number): Promise<[Load[], Promise<unknown>]> {
  const loads = await Promise.all(
    Array.from({length: clients}, async (_, i) => {
      return new Load(await Peer.open(port), BigInt(1_000_000 * (1 + round * clients + i)));
    }),
  );
  return [loads, Promise.all(loads.map(load => load.run(64)))];
}

/** Asks everything again: what was answered is answered the same, from memory; the rest is settled now. */
async function expectSameAnswers(port: number, loads: readonly Load[]): Promise<void> {
  const peer = await Peer.open(port);
  for (const load of loads) {
    for (let at = 0; at < load.sent.length; at += 500) {
      const part = load.sent.slice(at, at + 500);
      const answers = await peer.ask(...part.map(sent => sent.request));
      part.forEach((sent, i) => {
        if (sent.answer === null) expect(answers[i]).toMatchObject({type: 'submit_committed'});
        else expect(answers[i]).toEqual({...(sent.answer as object), fromRetryCache: true});
      });
    }
  }
  await peer.close();
}

async function createResources(port: number): Promise<void> {
  const peer = await Peer.open(port);
  await peer.ask(...Array.from({length: RESOURCES}, (_, i) => create(BigInt(i))));
  await peer.close();
}

describe('SIGTERM', () => {
  test('under load: exit 0, error 8 behind the answers, nothing answered is lost', async () => {
    const dir = tempDir();
    const server = await ServeProcess.start(dir, '--config', configFile());
    await createResources(server.port);
    const [loads, done] = await startLoads(server.port, 4, 0);
    await until(() => loads.every(load => load.answered > 500), 'the load to flow');
    expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
    await done;
    expect(loads.map(load => load.error?.code)).toEqual(loads.map(() => CONNECTION_ERROR.SHUTTING_DOWN));
    expect(server.events.map(event => event.event)).toEqual(expect.arrayContaining(['stopping', 'stopped']));
    expect(existsSync(join(dir, 'wal', 'clean'))).toBe(true);
    expect((await runCommand(['verify', dir])).code).toBe(0);
    const again = await ServeProcess.start(dir);
    expect(again.events.find(event => event.event === 'listening')).toMatchObject({recovery: {cutBytes: 0}});
    await expectSameAnswers(again.port, loads);
    await again.signal('SIGINT');
  });

  test('beside clients that read nothing and clients that said nothing', async () => {
    const server = await ServeProcess.start(tempDir(), '--config', configFile());
    const silent = await Peer.connect(server.port);
    const greedy = await Peer.open(server.port);
    greedy.socket.pause();
    greedy.socket.write(repeated(GET_METRICS, 200_000));
    await pause(50);
    const end = await server.signal('SIGTERM');
    expect(end).toEqual({code: 0, signal: null});
    expect((await silent.error()).code).toBe(CONNECTION_ERROR.SHUTTING_DOWN);
    await Promise.all([silent.close(), greedy.close()]);
  });

  test('refuses who connects meanwhile, and leaves the directory free', async () => {
    const {server, dir, port} = await startServer();
    const peer = await Peer.open(port);
    await peer.ask(create(1n));
    const stopped = server.stop();
    await expect(Peer.open(port)).rejects.toThrow();
    expect((await peer.error()).code).toBe(CONNECTION_ERROR.SHUTTING_DOWN);
    await stopped;
    await server.stop();
    const again = await startServer({dir});
    const other = await Peer.open(again.port);
    expect(await other.ask(create(1n))).toMatchObject([{fromRetryCache: true}]);
    await Promise.all([peer.close(), other.close()]);
  });
});

describe('SIGKILL under load', () => {
  test('five times: every answer is given again, and the log is sound each time', async () => {
    const dir = tempDir();
    const all: Load[] = [];
    const flags = ['--config', configFile(), '--checkpoint-every-mib', '1'];
    let server = await ServeProcess.start(dir, ...flags);
    await createResources(server.port);
    for (let round = 0; round < 5; round++) {
      const [loads, done] = await startLoads(server.port, 3, round);
      await until(() => loads.every(load => load.answered > 1500 + 300 * round), 'the load to flow');
      expect(await server.kill()).toEqual({code: null, signal: 'SIGKILL'});
      await done;
      all.push(...loads);
      expect(verifyDirectory(dir).problems).toEqual([]);
      server = await ServeProcess.start(dir, ...flags);
      await expectSameAnswers(server.port, loads);
    }
    await expectSameAnswers(server.port, all);
    await server.kill();
    expect((await runCommand(['verify', dir])).stdout.toString()).toMatch(/^ok {2}lsn=/);
  });

  test('a single client that waits for each answer finds exactly what it was told', async () => {
    const dir = tempDir();
    let server = await ServeProcess.start(dir, '--config', configFile());
    for (let round = 0n; round < 3n; round++) {
      const peer = await Peer.open(server.port);
      const told = [];
      for (let i = 1n; i <= 20n; i++) told.push(...(await peer.ask(create(100n * round + i))));
      await server.kill();
      server = await ServeProcess.start(dir);
      const again = await Peer.open(server.port);
      const retold = await again.ask(...Array.from({length: 20}, (_, i) => create(100n * round + BigInt(i + 1))));
      expect(retold).toEqual(told.map(answer => ({...answer, fromRetryCache: true})));
    }
    await server.kill();
  });
});
