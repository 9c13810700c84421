/**
 * The beginning of a connection, and everything a peer can say that ends it: the error's code, that it comes behind the
 * answers to what was right, and that the connection is closed.
 */
import {createHash} from 'node:crypto';
import {
  CONNECTION_ERROR,
  CONNECTION_FRAME,
  decodeResponse,
  encodeHello,
  encodeRequest,
  PROTOCOL_VERSION,
} from '@allocdb/api';
import {joinFrames} from '@allocdb/sim';
import {afterEach, describe, expect, test} from 'vitest';
import {cleanUp, pause, tempFile, until} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, createMany, GET_METRICS, getResource} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const hello = (token: string = '', version: number = PROTOCOL_VERSION): Uint8Array =>
  encodeHello({version, token: new TextEncoder().encode(token)});

const prefixOnly = (length: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
};

/** The error that ends the connection, once nothing else is left to be read and the connection is closed. */
async function endOf(peer: Peer): Promise<{code: number; text: string}> {
  const error = await peer.error();
  expect(peer.takeAll()).toEqual([]);
  peer.end();
  await until(() => peer.isClosed, 'the connection to close');
  return error;
}

describe('hello', () => {
  test('is answered by a welcome with what a client must know', async () => {
    const {server, port} = await startServer({slotDurationMs: 3_600_000});
    const first = await Peer.connect(port);
    expect(await first.hello()).toEqual({
      version: 1,
      currentSlot: 0n,
      slotDurationMs: 3_600_000,
      lastDurableLsn: null,
      maxFrameBytes: 1 << 20,
      maxBatch: 8192,
    });
    await first.ask(create(1n), create(2n));
    const second = await Peer.connect(port);
    const welcome = await second.hello();
    expect(welcome.lastDurableLsn).toBe(2n);
    expect(server.engine.durableLsn).toBe(2n);
    await Promise.all([first.close(), second.close()]);
  });

  test('may arrive byte by byte, with the first request behind it', async () => {
    const {port} = await startServer();
    const peer = await Peer.connect(port);
    for (const byte of joinFrames([hello(), encodeRequest(create(5n))])) peer.socket.write(Uint8Array.of(byte));
    const [welcome, answer] = await peer.take(2);
    expect(welcome?.[0]).toBe(CONNECTION_FRAME.WELCOME);
    expect(decodeResponse(answer ?? new Uint8Array(0))).toMatchObject({resultCode: 'ok', appliedLsn: 1n});
    await peer.close();
  });

  test('of one connection does not open another', async () => {
    const {server, port} = await startServer();
    const open = await Peer.open(port);
    const silent = await Peer.connect(port);
    silent.send(encodeRequest(create(1n)));
    expect((await endOf(silent)).code).toBe(CONNECTION_ERROR.BAD_MAGIC);
    expect(server.engine.durableLsn).toBe(null);
    expect(await open.ask(create(1n))).toMatchObject([{appliedLsn: 1n}]);
    await open.close();
  });

  const magicless = hello();
  magicless[1] = 0;
  test.each([
    ['a request before it', [encodeRequest(create(1n)), hello()], CONNECTION_ERROR.BAD_MAGIC],
    ['another magic', [magicless], CONNECTION_ERROR.BAD_MAGIC],
    ['a cut hello', [hello('token').subarray(0, 10)], CONNECTION_ERROR.BAD_MAGIC],
    ['bytes behind it in its frame', [Uint8Array.of(...hello(), 0)], CONNECTION_ERROR.BAD_MAGIC],
    ['version 0', [hello('', 0)], CONNECTION_ERROR.UNSUPPORTED_VERSION],
    ['a later version', [hello('', 2)], CONNECTION_ERROR.UNSUPPORTED_VERSION],
    ['a token where none is asked for', [hello('anything')], null],
    ['a second hello', [hello(), hello()], CONNECTION_ERROR.MALFORMED_REQUEST],
  ])('%s', async (_what, frames, code) => {
    const {server, port} = await startServer();
    const peer = await Peer.connect(port);
    peer.send(...frames);
    if (code === null) {
      expect((await peer.take(1))[0]?.[0]).toBe(CONNECTION_FRAME.WELCOME);
      await peer.close();
    } else {
      if (frames.length > 1 && code !== CONNECTION_ERROR.BAD_MAGIC) await peer.take(1);
      expect((await endOf(peer)).code).toBe(code);
    }
    expect(server.engine.durableLsn).toBe(null);
  });

  test.each([
    ['', false],
    ['wrong', false],
    ['secret-and-more', false],
    ['secret', true],
  ])('with token "%s" against a server that knows one', async (token, accepted) => {
    const sha256 = createHash('sha256').update('secret').digest('hex');
    const {port, events} = await startServer({tokenFile: tempFile('tokens', `web write sha256:${sha256}\n`)});
    const peer = await Peer.connect(port);
    if (accepted) {
      expect((await peer.hello(token)).version).toBe(1);
      await peer.close();
    } else {
      peer.send(hello(token), encodeRequest(create(1n)));
      expect((await endOf(peer)).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
      await until(() => events.some(event => event['reason'] === 'unauthorized'), 'the log to say so');
    }
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  test('must arrive in time', async () => {
    const {port} = await startServer({limits: {helloTimeoutMs: 50}});
    const [silent, slow] = await Promise.all([Peer.connect(port), Peer.connect(port)]);
    slow.socket.write(joinFrames([hello()]).subarray(0, 8));
    expect((await endOf(silent)).code).toBe(CONNECTION_ERROR.BAD_MAGIC);
    expect((await endOf(slow)).code).toBe(CONNECTION_ERROR.BAD_MAGIC);
  });
});

describe('a connection ends with an error behind all answers', () => {
  const emptyBatch = encodeRequest({type: 'submit_batch', requestSlot: 0n, payloads: []});
  const liarsBatch = Uint8Array.from(emptyBatch);
  liarsBatch[9] = 0xff;
  liarsBatch[10] = 0xff;
  const overBatch = encodeRequest(createMany(100n, 9));
  const trailing = Uint8Array.of(...encodeRequest(getResource(1n)), 0);
  const tick = encodeRequest({type: 'tick_expirations', currentWallClockSlot: 1n});

  test.each([
    ['an empty frame', prefixOnly(0), CONNECTION_ERROR.EMPTY_FRAME],
    ['a frame announced too large', prefixOnly(5000), CONNECTION_ERROR.FRAME_TOO_LARGE],
    ['a frame announced as large as can be', prefixOnly(0xffff_ffff), CONNECTION_ERROR.FRAME_TOO_LARGE],
    ['a request tag that does not exist', joinFrames([Uint8Array.of(99)]), CONNECTION_ERROR.MALFORMED_REQUEST],
    ['a cut request', joinFrames([encodeRequest(create(9n)).subarray(0, 7)]), CONNECTION_ERROR.MALFORMED_REQUEST],
    ['bytes behind a request', joinFrames([trailing]), CONNECTION_ERROR.MALFORMED_REQUEST],
    ['a batch over the maximum', joinFrames([overBatch]), CONNECTION_ERROR.BATCH_TOO_LARGE],
    ['a batch that only claims to be', joinFrames([liarsBatch]), CONNECTION_ERROR.MALFORMED_REQUEST],
    ['a tick', joinFrames([tick]), CONNECTION_ERROR.FORBIDDEN],
    ['a response', joinFrames([Uint8Array.of(3)]), CONNECTION_ERROR.MALFORMED_REQUEST],
  ])('%s', async (_what, offence, code) => {
    const {server, port} = await startServer({limits: {maxFrameBytes: 4096, maxBatch: 8}});
    const peer = await Peer.open(port);
    const before = [1n, 2n, 3n].map(id => encodeRequest(create(id)));
    const after = joinFrames([encodeRequest(create(4n))]);
    peer.socket.write(Buffer.concat([joinFrames(before), offence, after]));
    const answers = (await peer.take(3)).map(decodeResponse);
    expect(answers).toMatchObject([{appliedLsn: 1n}, {appliedLsn: 2n}, {appliedLsn: 3n}]);
    expect(await endOf(peer)).toMatchObject({code, text: expect.stringMatching(/\w/) as string});
    expect(server.engine.durableLsn).toBe(3n);
  });

  test('also when the answers before it fill the bound and have to be read first', async () => {
    const {port} = await startServer({limits: {maxAnswerBytes: 2000}});
    const peer = await Peer.open(port);
    await peer.ask(create(1n));
    peer.socket.pause();
    const reads = Array.from({length: 500}, () => encodeRequest(getResource(1n)));
    peer.socket.write(Buffer.concat([joinFrames(reads), prefixOnly(0)]));
    peer.socket.resume();
    const answers = (await peer.take(500)).map(decodeResponse);
    expect(answers.every(answer => answer.type === 'resource_found')).toBe(true);
    expect((await endOf(peer)).code).toBe(CONNECTION_ERROR.EMPTY_FRAME);
  });

  test('and a batch at the maximum is executed', async () => {
    const {port} = await startServer({limits: {maxBatch: 8}});
    const peer = await Peer.open(port);
    const [answer] = await peer.ask(createMany(1n, 8));
    expect(answer).toMatchObject({type: 'batch_result', results: {length: 8}});
    await peer.close();
  });

  test('an announced giant takes no memory', async () => {
    const {port} = await startServer({limits: {maxFrameBytes: 0xffff_fff0}});
    const before = process.memoryUsage.rss();
    const peers = await Promise.all(Array.from({length: 20}, () => Peer.open(port)));
    for (const peer of peers) peer.socket.write(prefixOnly(0xf000_0000));
    const witness = await Peer.open(port);
    await witness.ask(GET_METRICS);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 << 20);
    await Promise.all([witness, ...peers].map(peer => peer.close()));
  });
});

test('one connection too many is told so, and there is room again when one has left', async () => {
  const {port} = await startServer({maxConnections: 2});
  const [first, second] = await Promise.all([Peer.open(port), Peer.open(port)]);
  const third = await Peer.connect(port);
  third.send(hello());
  expect((await endOf(third)).code).toBe(CONNECTION_ERROR.TOO_MANY_CONNECTIONS);
  expect(await first.ask(create(1n))).toMatchObject([{appliedLsn: 1n}]);
  await second.close();
  const fourth = await openWhenThereIsRoom(port);
  expect(await fourth.ask(create(2n))).toMatchObject([{appliedLsn: 2n}]);
  await Promise.all([first.close(), fourth.close()]);
});

async function openWhenThereIsRoom(port: number): Promise<Peer> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const peer = await Peer.connect(port);
    peer.send(hello());
    const [answer] = await peer.take(1);
    if (answer?.[0] === CONNECTION_FRAME.WELCOME) return peer;
    await peer.close();
    await pause(5);
  }
  throw new Error('there was never room');
}
