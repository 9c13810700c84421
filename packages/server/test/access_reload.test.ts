/**
 * A running server whose token file changes: who is revoked is told so behind their answers and is gone, who is not goes on
 * undisturbed, and a file that is wrong changes nothing. And in all of this, no token and no hash in log or error.
 */

import {writeFileSync} from 'node:fs';
import {CONNECTION_ERROR, decodeConnectionError, decodeResponse, encodeRequest, encodeSubscribe} from '@allocdb/api';
import {connect, isAllocDbError, newResourceId} from '@allocdb/client';
import {afterEach, expect, test} from 'vitest';
import {TokenFile} from './access_tokens.ts';
import {cleanUp, until} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS} from './requests.ts';

afterEach(async () => {
  await stopServers();
  await cleanUp();
});

const web = {name: 'web', role: 'write'} as const;
const board = {name: 'board', role: 'read'} as const;

test('who is revoked loses every connection, feeds too; others notice nothing', async () => {
  const file = new TokenFile(web, board, {name: 'door', role: 'write'});
  const {server, port} = await startServer({tokenFile: file.path});
  const kept = await Peer.open(port, file.tokenOf('web'));
  const doors = await Promise.all([1, 2, 3].map(() => Peer.open(port, file.tokenOf('door'))));
  const [feed] = doors;
  feed?.send(encodeSubscribe(1n));
  await kept.ask(create(1n));
  await feed?.take(1);
  file.write(web, board);
  expect(server.reload()).toBe(true);
  for (const door of doors) {
    const error = await door.error();
    expect(error).toMatchObject({code: CONNECTION_ERROR.UNAUTHORIZED, text: 'the access was changed or revoked'});
  }
  expect(await kept.ask(create(2n))).toMatchObject([{resultCode: 'ok'}]);
  const again = await Peer.connect(port);
  await expect(again.hello(file.tokenOf('door'))).rejects.toThrow();
  await Promise.all([kept, again, ...doors].map(peer => peer.close()));
});

test('a change of role ends the connection; the next one has the new role', async () => {
  const file = new TokenFile(board);
  const {server, port} = await startServer({tokenFile: file.path});
  const before = await Peer.open(port, file.tokenOf('board'));
  file.write({...board, role: 'write'});
  server.reload();
  expect((await before.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  const after = await Peer.open(port, file.tokenOf('board'));
  expect(await after.ask(create(1n))).toMatchObject([{resultCode: 'ok'}]);
  await Promise.all([before.close(), after.close()]);
});

test('what was executed before the end is answered before it', async () => {
  const file = new TokenFile(web);
  const {server, port} = await startServer({tokenFile: file.path});
  const peer = await Peer.open(port, file.tokenOf('web'));
  peer.send(...Array.from({length: 5000}, (_, i) => encodeRequest(create(BigInt(i + 1)))));
  const [first] = await peer.take(1);
  file.write(board);
  server.reload();
  expect((await peer.error()).code).toBe(CONNECTION_ERROR.UNAUTHORIZED);
  const answers = [first ?? new Uint8Array(0), ...peer.takeAll()].map(decodeResponse);
  expect(answers.every(answer => answer.type === 'submit_committed')).toBe(true);
  await server.stop();
  expect(server.engine.durableLsn).toBe(BigInt(answers.length));
});

test('an entry that expires ends its connections', async () => {
  let nowMs = Date.UTC(2030, 0, 1);
  const file = new TokenFile({...web, options: 'expires=2031-01-01T00:00:00Z'}, board);
  const {port} = await startServer({tokenFile: file.path, wallClock: () => nowMs});
  const [expiring, lasting] = await Promise.all([web, board].map(({name}) => Peer.open(port, file.tokenOf(name))));
  await expiring?.ask(create(1n));
  nowMs = Date.UTC(2031, 0, 1);
  expect(await expiring?.error()).toMatchObject({code: CONNECTION_ERROR.UNAUTHORIZED, text: 'the access has expired'});
  expect(await lasting?.ask(GET_METRICS)).toMatchObject([{type: 'metrics'}]);
  await Promise.all([expiring?.close(), lasting?.close()]);
});

test('the client tells a revoked token as such, and a forbidden command as its own failure', async () => {
  const file = new TokenFile(web, board);
  const {server, port} = await startServer({tokenFile: file.path});
  const url = `allocdb://127.0.0.1:${port}`;
  await using reader = await connect(url, {token: file.tokenOf('board')});
  const refused: unknown = await reader.createResource({resource: newResourceId()}).catch((error: unknown) => error);
  expect(isAllocDbError(refused) && refused.failure).toEqual({code: 'forbidden', certainty: 'definite'});
  expect(await reader.metrics()).toMatchObject({acceptingWrites: true});
  file.write(web);
  server.reload();
  const revoked: unknown = await connect(url, {token: file.tokenOf('board')}).catch((error: unknown) => error);
  expect(isAllocDbError(revoked) && revoked.code).toBe('unauthorized');
});

test('nothing that was logged or said holds a token or a hash', async () => {
  const file = new TokenFile(web, board, {name: 'gone', role: 'write', options: 'expires=2020-01-01T00:00:00Z'});
  const {server, port, events} = await startServer({tokenFile: file.path});
  const said: string[] = [];
  const wrong = 'allocdb_a-token-that-nobody-has-ever-been-given-0000';
  for (const token of [file.tokenOf('web'), file.tokenOf('board'), file.tokenOf('gone'), wrong, ...file.secrets()]) {
    const peer = await Peer.connect(port);
    await peer.hello(token).catch(() => undefined);
    if (!peer.isEnded) peer.send(new Uint8Array([1, 2, 3]));
    await until(() => peer.isEnded || peer.isClosed, 'the connection to end');
    said.push(...peer.takeAll().map(frame => (frame[0] === 0xff ? decodeConnectionError(frame).text : '')));
    await peer.close();
  }
  // A token where its hash belongs, and a line cut in the middle of a hash.
  writeFileSync(file.path, `web write ${file.tokenOf('web')}\nboard read ${file.secrets()[3]?.slice(0, 40)}\n`);
  expect(server.reload()).toBe(false);
  file.write(board);
  expect(server.reload()).toBe(true);
  await server.stop();
  const everything = JSON.stringify([events, said]);
  expect(events.map(event => event.event)).toEqual(
    expect.arrayContaining(['connection_ended', 'access_reload_failed']),
  );
  for (const secret of [wrong, ...file.secrets()]) {
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(secret.slice(0, 24));
    expect(everything).not.toContain(Buffer.from(secret).toString('base64').slice(0, 24));
  }
});
