/** The printer of `printer_service.ts`, asked by a holder whose lease is over and by the present one. */
import {once} from 'node:events';
import {existsSync, mkdirSync, readFileSync, rmdirSync} from 'node:fs';
import {type AddressInfo, connect} from 'node:net';
import {join} from 'node:path';
import {type ReservationId, reservationId} from '@allocdb/client';
import {expect, onTestFinished, test} from 'vitest';
import {FENCE_HEADER, Printer, printerService} from '../src/printer_service.ts';
import {staleAndPresent, testDirectory} from './two_holders.ts';

const [EARLY, LATE] = [1n, 2n].map(n => reservationId(n.toString(16).padStart(32, '0'))) as [
  ReservationId,
  ReservationId,
];

async function listen(printer: Printer): Promise<number> {
  const service = printerService(printer);
  await new Promise<void>(resolve => service.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void service.close());
  return (service.address() as AddressInfo).port;
}

async function serve(printer: Printer): Promise<(page: string, fence?: ReservationId) => Promise<Response>> {
  const port = await listen(printer);
  return (body, fence) => {
    const headers = fence === undefined ? {} : {[FENCE_HEADER]: fence};
    return fetch(`http://127.0.0.1:${port}/`, {method: 'POST', body, headers});
  };
}

test('a stale holder prints nothing once the next one has, also after a restart of the service', async () => {
  const {stale, present} = await staleAndPresent();
  const file = join(testDirectory(), 'fence');
  const printer = new Printer(file);
  const post = await serve(printer);
  expect((await post('of the first', stale.fence)).status).toBe(204);
  expect((await post('of the second', present.fence)).status).toBe(204);
  const late = await post('too late', stale.fence);
  expect([late.status, late.headers.get(FENCE_HEADER)]).toEqual([412, present.fence]);
  expect((await post('of the second again', present.fence)).status).toBe(204);
  expect(printer.pages).toEqual(['of the first', 'of the second', 'of the second again']);

  const restarted = new Printer(file);
  const postAgain = await serve(restarted);
  expect((await postAgain('too late', stale.fence)).status).toBe(412);
  expect((await postAgain('who says so')).status).toBe(428);
  expect(restarted.pages).toEqual([]);
});

test('a fence that could not be written down prints nothing, however often its holder comes', async () => {
  const file = join(testDirectory(), 'fence');
  const printer = new Printer(file);
  const post = await serve(printer);
  // Nothing can be written where a directory stands.
  mkdirSync(`${file}.tmp`);
  for (let i = 0; i < 2; i++) expect((await post('of whom nobody will know', LATE)).status).toBe(500);
  expect([printer.pages, existsSync(file)]).toEqual([[], false]);
  rmdirSync(`${file}.tmp`);
  expect((await post('too late', EARLY)).status).toBe(412);
  expect((await post('at last', LATE)).status).toBe(204);
  expect([printer.pages, readFileSync(file, 'utf8')]).toEqual([['at last'], LATE]);
});

test('whoever goes away in the middle of a page prints nothing, and the service goes on', async () => {
  const printer = new Printer(join(testDirectory(), 'fence'));
  const port = await listen(printer);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.end(`POST / HTTP/1.1\r\nhost: printer\r\n${FENCE_HEADER}: ${EARLY}\r\ncontent-length: 100\r\n\r\nhalf of`);
  socket.resume();
  await once(socket, 'close');
  const headers = {[FENCE_HEADER]: EARLY};
  expect((await fetch(`http://127.0.0.1:${port}/`, {method: 'POST', body: 'whole', headers})).status).toBe(204);
  expect(printer.pages).toEqual(['whole']);
});
