/**
 * What happened, over HTTP: server-sent events in lsn order, resumed by the last id, ended with a reason; and the states of
 * all resources as bytes.
 */
import {afterEach, expect, test} from 'vitest';
import {ask, type HttpTest, id, startHttp, stopHttp} from './http_in_process.ts';

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
  await expect.poll(() => server.http.requestsInFlight, {timeout: 30_000}).toBe(0);
  const seen: string[] = [];
  try {
    for (let event = await stuck.next(); event !== null; event = await stuck.next()) seen.push(event.data.lsn);
  } catch {
    // The connection was cut in the middle of an event.
  }
  expect(seen).toEqual(seen.map((_, i) => String(i + 1)));
  expect(seen.length).toBeLessThan(30 * commands.length);
});
