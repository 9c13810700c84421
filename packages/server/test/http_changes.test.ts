/**
 * What happened, over HTTP: server-sent events in lsn order, resumed by the last id, ended with a reason; and the states of
 * all resources as bytes.
 */
import {writeFileSync} from 'node:fs';
import {afterEach, describe, expect, test} from 'vitest';
import {generateToken} from '../src/access/token.ts';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';
import {RawHttp, requestText} from './http_raw.ts';

afterEach(stopHttp);

interface Event {
  readonly id: string | null;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: each kind of event has members of its own.
  readonly data: any;
}

/** Reads events as they come; `next` waits for one, and gives null at the end. */
class EventReader {
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = '';

  constructor(response: Response) {
    this.response = response;
    this.#reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  }

  async next(): Promise<Event | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (!block.startsWith(':')) return eventOf(block);
        continue;
      }
      const {value, done} = await this.#reader.read();
      if (done) return null;
      this.#text += value;
    }
  }

  async take(count: number): Promise<Event[]> {
    const events: Event[] = [];
    while (events.length < count) {
      const event = await this.next();
      if (event === null) throw new Error(`the stream ended after ${events.length} events`);
      events.push(event);
    }
    return events;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

function eventOf(block: string): Event {
  const fields = new Map(block.split('\n').map(line => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
  return {
    id: fields.get('id') ?? null,
    event: fields.get('event') ?? '',
    data: JSON.parse(fields.get('data') ?? 'null'),
  };
}

async function follow(server: HttpTest, query = '', headers: Record<string, string> = {}): Promise<EventReader> {
  return new EventReader(await fetch(`${server.origin}/v1/changes${query}`, {headers}));
}

const holder = id(0x7f);

/** Creates two resources, holds them together for two slots, and is refused one of them. */
async function history(server: HttpTest): Promise<string> {
  for (const resource of [id(1), id(2)]) await ask(server, 'POST /v1/resources', {body: {id: resource}});
  const bundle = {resources: [id(1), id(2)], holder, ttl_slots: 2};
  const {json} = await ask(server, 'POST /v1/reservations', {body: bundle});
  await ask(server, 'POST /v1/reservations', {body: {resource: id(1), holder, ttl_slots: 2}});
  return json.reservation.id;
}

test('every command and expiration, refused ones too, in lsn order, as it happens', async () => {
  let nowMs = 0;
  const server = await startHttp({clockSource: () => nowMs});
  const live = await follow(server);
  const reservation = await history(server);
  nowMs = 250;
  const events = await live.take(5);
  expect(live.response.headers.get('content-type')).toBe('text/event-stream');
  expect(events.map(event => [event.id, event.event, event.data.kind, event.data.result])).toEqual([
    ['1', 'change', 'create_resource', 'ok'],
    ['2', 'change', 'create_resource', 'ok'],
    ['3', 'change', 'reserve_bundle', 'ok'],
    ['4', 'change', 'reserve', 'resource_busy'],
    ['5', 'change', 'expire', 'ok'],
  ]);
  expect(events[2]?.data).toMatchObject({resources: [id(1), id(2)], holder, ttl_slots: '2', lease: {id: reservation}});
  expect(events[3]?.data.lease).toBeNull();
  expect(events[4]?.data).toEqual({
    lsn: '5',
    slot: expect.stringMatching(/^\d+$/),
    kind: 'expire',
    result: 'ok',
    reservation,
    deadline_slot: events[2]?.data.lease.deadline_slot,
  });
  await live.cancel();
  const again = await follow(server, '?from=2', {'last-event-id': '3'});
  expect((await again.take(2)).map(event => event.data.lsn)).toEqual(['4', '5']);
  await again.cancel();
  await expect.poll(() => server.http.requestsInFlight).toBe(0);
});

test('a stream that cannot begin is a problem, one that cannot go on says why in its last event', async () => {
  const server = await startHttp();
  await history(server);
  const ahead = await ask(server, 'GET /v1/changes?from=99');
  expect([ahead.status, ahead.json.code, ahead.json.category, ahead.json.oldest_lsn]).toEqual([
    409,
    'lsn_ahead',
    'definite',
    '1',
  ]);
  expect((await ask(server, 'GET /v1/changes?from=x')).json.code).toBe('invalid_request');
  const live = await follow(server, '?from=1');
  await live.take(4);
  await server.http.stop(5000);
  for (let event = await live.next(); event !== null; event = await live.next()) expect(event.event).toBe('change');
});

describe('the streams of a name', () => {
  test('end when its access does, and say so; those of others go on', async () => {
    const [reader, other] = [generateToken(), generateToken()];
    const others = other.hashLine('other', 'write');
    const server = await startHttp({tokens: `${reader.hashLine('reader', 'read')}\n${others}\n`});
    const bearer = (token: string) => ({authorization: `Bearer ${token}`});
    const [revoked, kept] = await Promise.all([reader, other].map(({token}) => follow(server, '', bearer(token))));
    writeFileSync(server.tokenFile, `${others}\n`);
    expect(server.access.reload()).toBe(true);
    expect(await revoked?.next()).toMatchObject({
      event: 'end',
      data: {code: 'unauthorized', status: 401, detail: 'the access was changed or revoked'},
    });
    expect(await revoked?.next()).toBeNull();
    await ask(server, 'POST /v1/resources', {body: {id: id(1)}, token: other.token});
    expect((await kept?.next())?.data.lsn).toBe('1');
    await kept?.cancel();
  });

  test('are as many as it may have, and there is room again when one has ended', async () => {
    const [reader, other] = [generateToken(), generateToken()];
    const tokens = `${reader.hashLine('reader', 'read')}\n${other.hashLine('other', 'read')}\n`;
    const bearer = (token: string) => ({authorization: `Bearer ${token}`});
    for (const bound of [{limits: {maxStreamsPerPrincipal: 2}}, {sessionsMax: 2}]) {
      const server = await startHttp({tokens, ...bound});
      const open = await Promise.all([1, 2].map(() => follow(server, '', bearer(reader.token))));
      const refused = await ask(server, 'GET /v1/changes', {token: reader.token});
      expect([refused.status, codeOf(refused), refused.headers.get('retry-after')]).toEqual([
        429,
        'too_many_streams',
        '1',
      ]);
      expect(refused.json.detail).toMatch(/^at most 2 .*streams of reader$/);
      expect((await ask(server, 'GET /v1/resources', {token: reader.token})).status).toBe(200);
      const others = await follow(server, '', bearer(other.token));
      expect(others.response.status).toBe(200);
      // One that cannot begin takes no place.
      for (let i = 0; i < 3; i++) {
        expect((await ask(server, 'GET /v1/changes?from=99', {token: other.token})).status).toBe(409);
      }
      await Promise.all([...open, others].map(each => each.cancel()));
      await expect.poll(() => server.http.requestsInFlight, {timeout: 60_000}).toBe(0);
      const again = await follow(server, '', bearer(reader.token));
      expect(again.response.status).toBe(200);
      await again.cancel();
    }
  });

  test('do not stay when their connection goes before their turn to be answered has come', async () => {
    const server = await startHttp({limits: {maxStreamsPerPrincipal: 2}});
    const commands = Array.from({length: 2000}, (_, i) => ({command: 'create_resource', resource: id(i + 1)}));
    await ask(server, 'POST /v1/batch', {body: {commands}});
    const raw = await RawHttp.open(server.port);
    // The second waits for the end of the first, with more than its buffers hold.
    raw.pause();
    raw.write(requestText('GET /v1/changes?from=1').repeat(2));
    await expect.poll(async () => (await ask(server, 'HEAD /v1/changes')).status, {timeout: 60_000}).toBe(429);
    raw.destroy();
    const open: EventReader[] = [];
    await expect
      .poll(
        async () => {
          const stream = await follow(server);
          if (stream.response.status === 200) open.push(stream);
          else await stream.cancel();
          return open.length;
        },
        {timeout: 60_000},
      )
      .toBe(2);
    await Promise.all(open.map(each => each.cancel()));
  });

  test('do not stay after a HEAD', async () => {
    const server = await startHttp({limits: {maxStreamsPerPrincipal: 1}});
    for (let i = 0; i < 3; i++) {
      await expect.poll(async () => (await ask(server, 'HEAD /v1/changes')).status, {timeout: 60_000}).toBe(200);
    }
  });
});

test('states of all resources, a byte each', async () => {
  const server = await startHttp({clockSource: () => 0});
  await ask(server, 'POST /v1/resources', {body: {id: id(3)}});
  await history(server);
  const response = await fetch(`${server.origin}/v1/resources/states`);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([1, 2, 2]);
  expect(Number(response.headers.get('x-lsn'))).toBeGreaterThanOrEqual(5);
});

test('a client that reads nothing is ended, and commands go on', async () => {
  const server = await startHttp({limits: {stallTimeoutMs: 3000}});
  const stuck = await follow(server, '?from=1');
  const resources = Array.from({length: 16}, (_, i) => id(1000 + i));
  const commands = Array.from({length: 500}, () => ({command: 'reserve', resources, holder, ttl_slots: 1}));
  // Far more than what the system takes for a client that does not read.
  for (let round = 0; round < 30; round++) {
    const {json} = await ask(server, 'POST /v1/batch', {body: {commands}});
    expect(json.results).toHaveLength(commands.length);
  }
  await expect.poll(() => server.http.requestsInFlight, {timeout: 60_000}).toBe(0);
  const seen: string[] = [];
  try {
    for (let event = await stuck.next(); event !== null; event = await stuck.next()) seen.push(event.data.lsn);
  } catch {
    // The connection was cut in the middle of an event.
  }
  expect(seen).toEqual(seen.map((_, i) => String(i + 1)));
  expect(seen.length).toBeLessThan(30 * commands.length);
});
