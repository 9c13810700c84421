/**
 * The rate of a principal on the TCP port: a connection over it is not read until there is room again. Nothing is dropped,
 * nothing comes out of order, and nobody else waits. Times are checked from below only: a slow machine takes longer.
 */
import {CONNECTION_ERROR, decodeResponse, encodeRequest} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {afterEach, expect, test} from 'vitest';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, until} from './command.ts';
import {startServer, stopServers, type TestServer} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, getResource} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

interface Rated extends TestServer {
  readonly file: TokenFile;
  open(name: string): Promise<Peer>;
}

async function startRated(rate: number): Promise<Rated> {
  const file = new TokenFile({name: 'web', role: 'write', options: `rate=${rate}`}, {name: 'free', role: 'write'});
  const started = await startServer({tokenFile: file.path});
  return {...started, file, open: name => Peer.open(started.port, file.tokenOf(name))};
}

/** Milliseconds that something took, a little less for the grain of timers. */
async function elapsed(what: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await what();
  return performance.now() - from + 5;
}

test('all requests are answered, in order, and no faster than allowed', async () => {
  const {open} = await startRated(200);
  const [peer, free] = await Promise.all([open('web'), open('free')]);
  const requests = Array.from({length: 500}, (_, i) => create(BigInt(i + 1)));
  let others = 0;
  const answers: unknown[] = [];
  const ms = await elapsed(async () => {
    const all = peer.ask(...requests).then(taken => answers.push(...taken));
    while (answers.length === 0) {
      await free.ask(getResource(1n));
      others++;
    }
    await all;
  });
  // 200 at once, the other 300 as the bucket fills.
  expect(ms).toBeGreaterThanOrEqual((1000 * (500 - 201)) / 200);
  expect(answers).toMatchObject(requests.map((_, i) => ({resultCode: 'ok', appliedLsn: BigInt(i + 1)})));
  expect(others).toBeGreaterThan(1);
  await Promise.all([peer.close(), free.close()]);
});

test('connections of one principal share it', async () => {
  const {open} = await startRated(100);
  const peers = await Promise.all(Array.from({length: 4}, () => open('web')));
  const ms = await elapsed(() =>
    Promise.all(peers.map(peer => peer.ask(...Array<typeof GET_METRICS>(60).fill(GET_METRICS)))),
  );
  expect(ms).toBeGreaterThanOrEqual((1000 * (240 - 104)) / 100);
  await Promise.all(peers.map(peer => peer.close()));
});

test('a batch larger than the bucket is executed, and paid back before the next request', async () => {
  const {open} = await startRated(400);
  const peer = await open('web');
  const [batch] = await peer.ask(createMany(1n, 1000));
  expect(batch).toMatchObject({type: 'batch_result', results: {length: 1000}});
  const ms = await elapsed(() => peer.ask(GET_METRICS));
  // 600 were overdrawn; of them some were paid back while the batch was being answered.
  expect(ms).toBeGreaterThan(0);
  const again = await elapsed(() => peer.ask(createMany(2001n, 1000), GET_METRICS));
  expect(again).toBeGreaterThanOrEqual((1000 * 600) / 400);
  await peer.close();
});

test('a peer that half-closes gets every answer all the same', async () => {
  const {open} = await startRated(100);
  const peer = await open('web');
  peer.socket.end(joinFrames(Array.from({length: 200}, (_, i) => encodeRequest(create(BigInt(i + 1))))));
  const answers = (await peer.take(200)).map(decodeResponse);
  expect(answers.at(-1)).toMatchObject({resultCode: 'ok', appliedLsn: 200n});
  await until(() => peer.isClosed, 'the connection to close');
});

test('what is forbidden or malformed behind requests that wait is judged behind them', async () => {
  const {server, open} = await startRated(100);
  const peer = await open('web');
  const requests = Array.from({length: 150}, (_, i) => encodeRequest(create(BigInt(i + 1))));
  peer.socket.write(Buffer.concat([joinFrames(requests), new Uint8Array(4), joinFrames(requests)]));
  const answers = (await peer.take(150)).map(decodeResponse);
  expect(answers.at(-1)).toMatchObject({resultCode: 'ok', appliedLsn: 150n});
  expect((await peer.error()).code).toBe(CONNECTION_ERROR.EMPTY_FRAME);
  expect(server.engine.durableLsn).toBe(150n);
  await peer.close();
});

test('who is revoked, or whose server stops, while requests wait is told at once', async () => {
  const {server, file, open} = await startRated(1);
  const [revoked, stopped] = await Promise.all([open('web'), open('free')]);
  revoked.send(...Array.from({length: 500}, (_, i) => encodeRequest(create(BigInt(i + 1)))));
  await revoked.take(1);
  file.write({name: 'free', role: 'write'});
  server.reload();
  expect((await revoked.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  file.write({name: 'free', role: 'write', options: 'rate=1'});
  server.reload();
  expect((await stopped.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  const waiting = await open('free');
  waiting.send(...Array.from({length: 500}, () => encodeRequest(GET_METRICS)));
  await waiting.take(1);
  const stop = server.stop();
  expect((await waiting.error()).code).toBe(CONNECTION_ERROR.SHUTTING_DOWN);
  await Promise.all([revoked, stopped, waiting].map(peer => peer.close()));
  await stop;
});
