/**
 * Routes of what happened: every change as server-sent events, and the states of all resources at once, with which a
 * reader that follows the changes begins.
 */
import type {PassThrough} from 'node:stream';
import {Type} from 'typebox';
import type {Principal, Session} from '../../access/index.ts';
import {changeStream, StreamEnd} from '../change_stream.ts';
import {u64Text} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {type Problem, problemOf, sendProblem} from '../problem.ts';

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

export function changeRoutes(app: HttpApp, {host, limits, stopping}: HttpContext): void {
  const streams = new Streams(limits.maxStreamsPerPrincipal);
  app.get(
    '/v1/changes',
    {
      config: {
        kind: 'read',
        problems: ['lsn_not_retained', 'lsn_ahead', 'log_damaged', 'too_many_streams'],
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
      const {principal} = request;
      if (principal === null) throw new Error('assertion failed: the route is not public');
      const gone = new AbortController();
      const signal = AbortSignal.any([stopping, gone.signal]);
      const stream = streams.open(principal, gone, () =>
        changeStream(host.openFeed(from === null ? null : BigInt(from)), signal),
      );
      if ('code' in stream) {
        sendProblem(reply, stream);
        return;
      }
      request.raw.once('close', () => gone.abort());
      reply
        .headers({'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no'})
        .send(stream as never);
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
            headers: {'X-LSN': {type: 'string', description: 'The lsn at which or before which all of it was so.'}},
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

/**
 * The streams that are open, by name. Each is a session of whoever reads it, as a connection over TCP is: it counts with
 * these, and ends when the access does. And each holds one of the places for requests, so that a name may not have many.
 */
class Streams {
  readonly #most: number;
  readonly #counts: WeakMap<Principal, number> = new WeakMap();

  constructor(most: number) {
    this.#most = most;
  }

  /** Opens a stream until it closes; the problem when the name has too many. `gone` fires when the access ends. */
  open(principal: Principal, gone: AbortController, make: () => PassThrough): PassThrough | Problem {
    const session: Session = {
      onAccessEnd: detail => gone.abort(new StreamEnd(problemOf('unauthorized', {detail}))),
    };
    const {name, sessionsMax} = principal;
    if (this.#countOf(principal) >= this.#most) return tooMany(`at most ${this.#most} streams of ${name}`);
    if (!principal.enter(session)) return tooMany(`at most ${sessionsMax} connections and streams of ${name}`);
    this.#add(principal, 1);
    const leave = (): void => {
      principal.leave(session);
      this.#add(principal, -1);
    };
    try {
      return make().once('close', leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  #countOf(principal: Principal): number {
    return this.#counts.get(principal) ?? 0;
  }

  #add(principal: Principal, by: number): void {
    this.#counts.set(principal, this.#countOf(principal) + by);
  }
}

function tooMany(detail: string): Problem {
  return problemOf('too_many_streams', {detail});
}
