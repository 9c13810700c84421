/**
 * Who may use a route: deny by default. A route is registered with the rule that the list of rules has for it, and one
 * without a rule is not registered at all; a batch also needs the rule of each command in it. Every request is
 * authenticated by itself, from its Authorization header or the certificate of its connection, so that a revoked token ends
 * with the request under way.
 *
 * Not here: who is let in (access/), and what the rules are.
 */
import type {IncomingMessage} from 'node:http';
import {TLSSocket} from 'node:tls';
import {type BatchCommand, COMMAND} from '@allocdb/api';
import type {FastifyReply, FastifyRequest, onRequestHookHandler, RouteOptions} from 'fastify';
import {COMMAND_RULES, includesRole, type Principal, type Role, type RouteRule} from '../access/index.ts';
import {accepts} from './accept.ts';
import type {HttpApp, HttpContext} from './http_app.ts';
import {type Problem, problemOf, sendProblem} from './problem.ts';

/** Tag of a command by the name it has in a batch. */
const TAGS: Readonly<Record<BatchCommand['command'], number>> = {
  create_resource: COMMAND.CREATE_RESOURCE,
  reserve: COMMAND.RESERVE,
  reserve_bundle: COMMAND.RESERVE_BUNDLE,
  confirm: COMMAND.CONFIRM,
  release: COMMAND.RELEASE,
  revoke: COMMAND.REVOKE,
  reclaim: COMMAND.RECLAIM,
};

/** Rules of routes, as `GET /path/:parameter`. */
export type RouteRules = Readonly<Record<string, RouteRule>>;

/** Puts the rule of each route in front of it, for every route that is registered from now on. */
export function guardRoutes(app: HttpApp, context: HttpContext, rules: RouteRules, registered: string[]): void {
  app.addHook('onRoute', route => {
    // The framework adds a HEAD to every GET, made from what the GET was before anything was put in front of it.
    const isHead = route.method === 'HEAD';
    const name = `${isHead ? 'GET' : String(route.method)} ${route.url}`;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) throw new Error(`the route ${name} has no rule of access`);
    if (!isHead) registered.push(name);
    route.onRequest = [guardOf(route, context, rule), ...[route.onRequest ?? []].flat()];
  });
}

function guardOf({config}: RouteOptions, context: HttpContext, rule: RouteRule): onRequestHookHandler {
  // A batch counts as many as it has, once they are known; what watches the server is not held up.
  const countsAsOne = config?.kind === 'command' || config?.kind === 'read';
  const mediaType = config?.produces ?? 'application/json';
  return (request, reply, done) => {
    const refused =
      (rule === 'public' ? null : admit(request, context, rule)) ??
      (accepts(request.headers.accept, mediaType) ? null : problemOf('not_acceptable')) ??
      (countsAsOne ? takeRate(request, 1) : null);
    if (refused === null) done();
    else refuse(request, reply, refused);
  };
}

function admit(request: FastifyRequest, {host, connections}: HttpContext, needed: Role): Problem | null {
  const principal = host.access.authenticate({
    token: tokenOf(request.raw),
    commonName: commonNameOf(request.raw),
  });
  if (principal === null) return problemOf('unauthorized');
  request.principal = principal;
  connections.know(request.raw);
  return includesRole(principal.role, needed) ? null : forbidden(principal, needed);
}

function forbidden({role}: Principal, needed: Role): Problem {
  return problemOf('forbidden', {detail: `this needs the role ${needed}, and ${role} was granted`});
}

function refuse(request: FastifyRequest, reply: FastifyReply, problem: Problem): void {
  if (problem.code === 'unauthorized') {
    const error = request.headers.authorization === undefined ? '' : ', error="invalid_token"';
    reply.header('www-authenticate', `Bearer realm="allocdb"${error}`);
  }
  sendProblem(reply, problem);
}

/** The problem of a batch with a command that who asks may not send; null when there is none. */
export function batchForbidden({principal}: FastifyRequest, commands: readonly BatchCommand[]): Problem | null {
  for (const [i, {command}] of commands.entries()) {
    const rule = COMMAND_RULES[TAGS[command]];
    if (rule === 'public') continue;
    if (principal === null || rule === undefined || rule === 'nobody') return problemOf('forbidden');
    if (includesRole(principal.role, rule)) continue;
    const {detail = ''} = forbidden(principal, rule);
    return problemOf('forbidden', {detail, errors: [{in: 'body', pointer: `/commands/${i}`, detail}]});
  }
  return null;
}

/** Counts commands against the rate of who asks; the problem when there are too many. */
export function takeRate({principal}: FastifyRequest, commands: number): Problem | null {
  const waitMs = principal === null ? 0 : principal.limiter.take(commands);
  return waitMs === 0 ? null : problemOf('rate_limited', {retry_after_ms: waitMs});
}

const BEARER = /^Bearer +([^\s]+) *$/i;
/** Stands for whatever is presented in another way: it is nobody's token, and a certificate does not make up for it. */
const WRONG_TOKEN = ' ';

/** The token that was presented; empty when none was. */
function tokenOf({headers: {authorization}}: IncomingMessage): string {
  return authorization === undefined ? '' : (BEARER.exec(authorization)?.[1] ?? WRONG_TOKEN);
}

/** By connection, because reading a certificate takes longer than all else here. */
const COMMON_NAMES: WeakMap<TLSSocket, string | null> = new WeakMap();

function commonNameOf({socket}: IncomingMessage): string | null {
  if (!(socket instanceof TLSSocket)) return null;
  let name = COMMON_NAMES.get(socket);
  if (name === undefined) {
    name = socket.authorized ? textOf(socket.getPeerCertificate().subject?.CN) : null;
    COMMON_NAMES.set(socket, name);
  }
  return name;
}

/** A certificate with several common names has none. */
function textOf(name: unknown): string | null {
  return typeof name === 'string' && name !== '' ? name : null;
}
