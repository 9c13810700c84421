/**
 * Routes of what happened: every change as server-sent events, and the states of all resources at once, with which a
 * reader that follows the changes begins.
 */
import {Type} from 'typebox';
import {changeStream} from '../change_stream.ts';
import {u64Text} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';

const strict = {additionalProperties: false} as const;

const ChangesQuery = Type.Object(
  {
    from: Type.Optional(u64Text('The first lsn wanted, at least 1. Left out: what happens from now on.', '978')),
  },
  strict,
);
const ChangesHeaders = Type.Object({
  'Last-Event-ID': Type.Optional(
    u64Text('The last lsn that arrived, as event sources send it by themselves; counts before `from`.', '977'),
  ),
});

export function changeRoutes(app: HttpApp, {host, stopping}: HttpContext): void {
  app.get(
    '/v1/changes',
    {
      config: {
        kind: 'read',
        problems: ['lsn_not_retained', 'lsn_ahead', 'log_damaged'],
        produces: 'text/event-stream',
      },
      schema: {
        operationId: 'followChanges',
        summary: 'Every committed command and expiration, in lsn order without a gap',
        description:
          'Server-sent events. The id of a `change` is its lsn, so that a source which connects again goes on behind the ' +
          'last one. Commands that were refused are there too: anything but the result `ok` changed nothing. A stream that ' +
          'cannot go on ends with an `end` event, whose data is the problem.',
        tags: ['changes'],
        querystring: ChangesQuery,
        headers: ChangesHeaders,
        produces: ['text/event-stream'],
        response: {
          200: {description: 'Events.', content: {'text/event-stream': {schema: {type: 'string'}}}},
        },
      },
    },
    (request, reply) => {
      const last = request.headers['last-event-id'];
      const from = last === undefined ? (request.query.from ?? null) : BigInt(String(last)) + 1n;
      const feed = host.openFeed(from === null ? null : BigInt(from));
      const gone = new AbortController();
      request.raw.once('close', () => gone.abort());
      const signal = AbortSignal.any([stopping, gone.signal]);
      reply
        .headers({'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no'})
        .send(changeStream(feed, signal) as never);
    },
  );

  app.get(
    '/v1/resources/states',
    {
      config: {kind: 'read', problems: [], produces: 'application/octet-stream'},
      schema: {
        operationId: 'getStates',
        summary: 'The state of every resource, a byte each',
        description:
          'In the order of creation: byte `i` is the resource that a page from position `i` begins with. 1 available, ' +
          '2 reserved, 3 confirmed, 4 revoking. Everything shown was so at the lsn of the header X-LSN or before.',
        tags: ['resources'],
        produces: ['application/octet-stream'],
        response: {
          200: {
            description: 'As many bytes as there are resources.',
            content: {'application/octet-stream': {schema: {type: 'string', format: 'binary'}}},
          },
        },
      },
    },
    async (_request, reply) => {
      const {lsn, states} = await host.stateMap();
      return reply
        .headers({'content-type': 'application/octet-stream', 'x-lsn': String(lsn ?? 0n)})
        .send(Buffer.from(states.buffer, states.byteOffset, states.byteLength) as never);
    },
  );
}
