/**
 * What every request passes before its route sees it, in this order: is there room for it, is it HTTP as the port speaks
 * it, does its route exist. Nothing of a body is read before that, nor before the access of the route (route_access.ts).
 */
import type {IncomingHttpHeaders} from 'node:http';
import {isIP} from 'node:net';
import type {FastifyReply, FastifyRequest} from 'fastify';
import type {HttpApp, HttpContext} from './http_app.ts';
import {type Problem, problemOf, sendProblem} from './problem.ts';
import {SECURITY_HEADERS} from './security_headers.ts';

/** Puts the gate in front of every request. `registered` is the list of routes, as `GET /path/:parameter`. */
export function addGate(app: HttpApp, context: HttpContext, registered: readonly string[]): void {
  const {host, stopping, limits, connections} = context;
  let paths: readonly Path[] | null = null;

  function refusal(request: FastifyRequest, reply: FastifyReply): Problem | null {
    const {raw, is404} = request;
    const crowded = connections.enter(raw, reply.raw);
    if (stopping.aborted) return problemOf('shutting_down');
    if (crowded !== null && request.routeOptions.config.isVital !== true) return crowded;
    if ((raw.url ?? '').length > limits.urlBytes) return problemOf('url_too_long');
    if (raw.headers.host === undefined && raw.httpVersion !== '1.0') {
      return problemOf('malformed_http', {detail: 'the header Host is missing'});
    }
    if (
      host.localNamesOnly === true &&
      !isLocalName(raw.headers.host) &&
      request.routeOptions.config.isVital !== true
    ) {
      return problemOf('foreign_host');
    }
    if (is404) {
      paths ??= registered.map(pathOf);
      return unrouted(request, reply, paths);
    }
    if (request.method === 'GET' || request.method === 'HEAD') return null;
    // No page of another site makes a browser send commands to a server that lets this machine in without a token.
    if (isCrossSite(raw.headers)) return problemOf('cross_site');
    const encoding = raw.headers['content-encoding'];
    return encoding === undefined || encoding === 'identity' ? null : problemOf('unsupported_media_type');
  }

  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(SECURITY_HEADERS);
    const refused = refusal(request, reply);
    if (refused === null) done();
    else sendProblem(reply, refused);
  });
}

/**
 * Whether a header Host names this machine as nobody else can: as localhost, or by an address. A page of another site can
 * have its own name resolved to a loopback address, and is then of the same origin as what answers there (DNS rebinding).
 */
function isLocalName(host = 'localhost'): boolean {
  const name = host.replace(/:\d*$/, '').toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0;
}

/**
 * By what browsers say. Where they do not say how a page is related, which they only do for addresses that they trust, its
 * origin tells; but not for a request with a token, which no other page has, behind a proxy that names another host.
 */
function isCrossSite(headers: IncomingHttpHeaders): boolean {
  const {'sec-fetch-site': site, origin, host, authorization} = headers;
  if (site !== undefined) return site === 'cross-site' || site === 'same-site';
  return origin !== undefined && authorization === undefined && origin.replace(/^https?:\/\//, '') !== host;
}

/** A registered route, its path in parts. */
interface Path {
  readonly method: string;
  readonly parts: readonly string[];
}

function pathOf(route: string): Path {
  const [method = '', path = ''] = route.split(' ');
  return {method, parts: path.split('/')};
}

/** A path that exists with other methods says with which. */
function unrouted({raw}: FastifyRequest, reply: FastifyReply, paths: readonly Path[]): Problem {
  const [path = ''] = (raw.url ?? '').split('?');
  const parts = path.split('/');
  const methods = new Set(paths.filter(each => matches(each.parts, parts)).map(({method}) => method));
  if (methods.size === 0) return problemOf('no_such_route');
  if (methods.has('GET')) methods.add('HEAD');
  reply.header('allow', [...methods].join(', '));
  return problemOf('method_not_allowed');
}

/** `:name` stands for a part, and `*` at the end for all that is left. */
function matches(pattern: readonly string[], parts: readonly string[]): boolean {
  const isOpen = pattern[pattern.length - 1] === '*';
  return (
    (isOpen ? pattern.length <= parts.length : pattern.length === parts.length) &&
    pattern.every((part, i) => part === '*' || (part.startsWith(':') ? parts[i] !== '' : part === parts[i]))
  );
}
