/**
 * The HTTP port of a server: JSON over HTTP/1.1 or HTTPS to the same engine that the TCP port serves. This file puts the
 * parts together in the order in which a request passes them: connection, gate, access of the route, body, handler.
 *
 * Not here: who owns engine and clock, and when the port listens and stops; that is the server's.
 */
import type {Server as HttpsServer} from 'node:https';
import type {TypeBoxTypeProvider} from '@fastify/type-provider-typebox';
import {type FastifyError, fastify} from 'fastify';
import {ROUTE_RULES} from '../access/index.ts';
import {LISTEN_BACKLOG, type ListenAddress} from '../net/tcp_server.ts';
import {Connections} from './connections.ts';
import {isFault, problemOfError} from './failures.ts';
import {addGate} from './gate.ts';
import type {HttpApp, HttpContext, Routes} from './http_app.ts';
import {DEFAULT_HTTP_LIMITS, type HttpHost, type HttpTls} from './http_host.ts';
import {createNodeServer, secureContextOf} from './node_server.ts';
import {addOpenApi, openApiRoute} from './openapi.ts';
import {problemOf, sendProblem} from './problem.ts';
import {addRequestLog} from './request_log.ts';
import {guardRoutes, type RouteRules} from './route_access.ts';
import {batchRoutes} from './routes/batch.ts';
import {changeRoutes} from './routes/changes.ts';
import {consoleRoutes} from './routes/console.ts';
import {historyRoutes} from './routes/history.ts';
import {reservationRoutes} from './routes/reservations.ts';
import {resourceRoutes} from './routes/resources.ts';
import {serverRoutes} from './routes/server.ts';
import {upkeepRoutes} from './routes/upkeep.ts';
import {SECURITY_HEADERS} from './security_headers.ts';

/** A port that answers HTTP. */
export interface HttpServer {
  /** Every route, as `GET /path/:parameter`; known once it listens. */
  readonly routes: readonly string[];
  readonly connectionCount: number;
  /** Requests whose answer is not finished. */
  readonly requestsInFlight: number;
  /** Resolves with the address once connections are accepted; rejects with the system's error, or of a route without a rule. */
  listen(address: ListenAddress): Promise<ListenAddress>;
  /**
   * Accepts no more connections, answers the requests it has taken and refuses others, ends every connection behind its
   * answers, and by force after `graceMs`. Resolves when all have ended. Idempotent.
   */
  stop(graceMs: number): Promise<void>;
  /** Encrypts connections from now on with another certificate; those that are open go on. For a port with `tls` only. */
  setTls(tls: HttpTls): void;
}

/** Options that only tests and extensions use. */
export interface HttpServerOptions {
  /** Rules of access; a route without one is refused. */
  readonly rules?: RouteRules;
  /** More routes, registered like the port's own. */
  readonly routes?: readonly Routes[];
}

const ROUTES: readonly Routes[] = [
  resourceRoutes,
  reservationRoutes,
  batchRoutes,
  changeRoutes,
  historyRoutes,
  serverRoutes,
  upkeepRoutes,
  openApiRoute,
  consoleRoutes,
];

/** A port for this host; it does not listen yet. */
export function createHttpServer(host: HttpHost, options: HttpServerOptions = {}): HttpServer {
  const limits = {...DEFAULT_HTTP_LIMITS, ...host.limits};
  const stop = new AbortController();
  const connections = new Connections(limits, reason => host.onConnectionEnd?.(reason));
  const context: HttpContext = {host, limits, connections, stopping: stop.signal};
  const registered: string[] = [];
  const app = createApp(context);
  const rules = options.rules ?? ROUTE_RULES;
  const routes = [...ROUTES, ...(options.routes ?? [])];

  addGate(app, context, registered);
  addRequestLog(app, host);
  addOpenApi(app, rules);
  app.register((child, _options, done) => {
    const routed: HttpApp = child.withTypeProvider<TypeBoxTypeProvider>();
    try {
      guardRoutes(routed, context, rules, registered);
      for (const register of routes) register(routed, context);
      done();
    } catch (error) {
      done(error as Error);
    }
  });

  let stopped: Promise<void> | null = null;
  return {
    routes: registered,
    get connectionCount() {
      return connections.count;
    },
    get requestsInFlight() {
      return connections.inFlight;
    },
    async listen({host: name, port}) {
      await app.listen({host: name, port, backlog: LISTEN_BACKLOG});
      const bound = app.server.address();
      return typeof bound === 'object' && bound !== null ? {host: bound.address, port: bound.port} : {host: name, port};
    },
    stop(graceMs) {
      stopped ??= stopApp(graceMs);
      return stopped;
    },
    setTls(tls) {
      if (!host.tls) throw new Error('the port was made without TLS');
      (app.server as unknown as HttpsServer).setSecureContext(secureContextOf(tls));
    },
  };

  async function stopApp(graceMs: number): Promise<void> {
    stop.abort();
    connections.endAll();
    const force = setTimeout(() => app.server.closeAllConnections(), graceMs);
    try {
      await app.close();
    } finally {
      clearTimeout(force);
    }
  }
}

function createApp({host, limits, connections, stopping}: HttpContext): HttpApp {
  const app: HttpApp = fastify({
    serverFactory: handler =>
      createNodeServer(handler, connections, {
        limits,
        tls: host.tls ?? null,
        log: host.log,
        stopping,
        onHandshakeFailure: () => host.onConnectionEnd?.('tls_handshake'),
      }),
    // The framework's own would answer ahead of the requests that are under way.
    clientErrorHandler: (error, socket) => connections.onError(error, socket),
    forceCloseConnections: 'idle',
    // Nothing that is put together here waits for anything: a machine that is slow is no fault.
    pluginTimeout: 0,
    // The gate refuses what comes while stopping, as a problem.
    return503OnClosing: false,
    bodyLimit: limits.bodyBytes,
    // What is wrong with an id is said by its schema.
    routerOptions: {maxParamLength: limits.urlBytes},
    ajv: {
      // `verbose` names the schema that was broken; nothing is changed to fit.
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        verbose: true,
        allowUnionTypes: true,
        discriminator: true,
      },
    },
    frameworkErrors: (error, request, reply) => {
      reply.headers(SECURITY_HEADERS);
      sendProblem(reply, problemOfError(error, request));
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.decorateRequest('principal', null);
  app.decorateRequest('operation', null);
  app.decorateRequest('problemCode', null);
  app.decorateRequest('fault', null);
  // For a route that finds nothing; what meets no route has been refused by the gate.
  app.setNotFoundHandler((_request, reply) => {
    sendProblem(reply.headers(SECURITY_HEADERS), problemOf('no_such_route'));
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOfError(error, request);
    if (isFault(problem)) request.fault = error;
    // What is left of a body that is too long is read and thrown away, so that the answer arrives.
    if (problem.code === 'body_too_large') reply.removeHeader('connection');
    return sendProblem(reply, problem);
  });
  takeJsonOnly(app);
  return app;
}

/** Bodies are JSON, or there is none; which of them a route wants, its schema says. */
function takeJsonOnly(app: HttpApp): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', {parseAs: 'string'}, (request, body: string, done) => {
    if (body.length === 0) done(null, undefined);
    else void parse(request, body, done);
  });
}
