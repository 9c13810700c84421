/**
 * Many clients at once over HTTP: a thing that all of them want is had by one, and what they were told is what is.
 */
import {afterEach, describe, expect, test} from 'vitest';
import {ask, id, startHttp, stopHttp} from './http_in_process.ts';

afterEach(stopHttp);

const CLIENTS = 32;

describe('thirty-two clients', () => {
  test('race for one resource, again and again: there is one winner', async () => {
    const http = await startHttp();
    await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        Array.from({length: CLIENTS}, (_, i) =>
          ask(http, 'POST /v1/reservations', {body: {resource: id(1), holder: id(100 + i), ttl_slots: 1000}}),
        ),
      );
      const winners = answers.filter(({status}) => status === 201);
      expect(winners).toHaveLength(1);
      expect(answers.filter(({json}) => json.code === 'resource_busy')).toHaveLength(CLIENTS - 1);
      const [{json}] = winners as [(typeof winners)[0]];
      const {id: reservation, holder} = json.reservation;
      expect((await ask(http, `GET /v1/resources/${id(1)}`)).json.reservation).toBe(reservation);
      const released = await ask(http, `POST /v1/reservations/${reservation}/release`, {body: {holder}});
      expect(released.status).toBe(200);
    }
  });

  test('take pairs out of a ring of things: nobody has a thing that another has', async () => {
    const http = await startHttp();
    const commands = Array.from({length: CLIENTS}, (_, i) => ({command: 'create_resource', resource: id(i + 1)}));
    await ask(http, 'POST /v1/batch', {body: {commands}});
    const answers = await Promise.all(
      Array.from({length: CLIENTS}, (_, i) =>
        ask(http, 'POST /v1/reservations', {
          body: {resources: [id(i + 1), id(((i + 1) % CLIENTS) + 1)], holder: id(100 + i), ttl_slots: 1000},
        }),
      ),
    );
    const held = answers.filter(({status}) => status === 201).flatMap(({json}) => json.reservation.resources);
    expect(held.length).toBeGreaterThan(0);
    expect(new Set(held).size).toBe(held.length);
    const {json} = await ask(http, 'GET /v1/resources?state=reserved');
    expect(json.resources.map((each: {id: string}) => each.id).sort()).toEqual(held.sort());
  });
});
