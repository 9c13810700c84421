/** The printer of `printer_service.ts`, asked by a holder whose lease is over and by the present one. */
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import type {ReservationId} from '@allocdb/client';
import {expect, onTestFinished, test} from 'vitest';
import {FENCE_HEADER, Printer, printerService} from '../src/printer_service.ts';
import {staleAndPresent, testDirectory} from './two_holders.ts';

async function serve(printer: Printer): Promise<(page: string, fence?: ReservationId) => Promise<Response>> {
  const service = printerService(printer);
  await new Promise<void>(resolve => service.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void service.close());
  const {port} = service.address() as AddressInfo;
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
