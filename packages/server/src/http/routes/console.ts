/**
 * The console: static files of a package of their own, below /console/. They hold no data, so everybody may have them; what
 * the page shows it asks for with the token of whoever looks at it. A server whose console was not built serves none.
 */
import {existsSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import fastifyStatic from '@fastify/static';
import {Type} from 'typebox';
import type {HttpApp} from '../http_app.ts';
import {problemOf, sendProblem} from '../problem.ts';

/** Scripts and styles of the console's own files, requests to this server, and nothing else. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Paths that files of the console can have: anything else need not be looked for. */
const PATH = /^(?:\w[\w.-]*\/)*(?:\w[\w.-]*)?$/;

export function consoleRoutes(app: HttpApp): void {
  const root = consoleFiles();
  if (!existsSync(join(root, 'index.html'))) return;
  app.register(fastifyStatic, {root, serve: false, cacheControl: false});
  const Params = Type.Object({'*': Type.String()});
  app.get(
    '/console/*',
    {schema: {hide: true, params: Params}, config: {kind: 'public', produces: 'text/html'}},
    (request, reply) => {
      const path = request.params['*'];
      if (!PATH.test(path)) return sendProblem(reply, problemOf('no_such_route'));
      // Names of assets say what is in them, so they never change.
      const cache = path.startsWith('assets/') ? 'max-age=31536000, immutable' : 'no-cache';
      reply.headers({'content-security-policy': CONTENT_SECURITY_POLICY, 'cache-control': cache});
      return reply.sendFile(path === '' ? 'index.html' : path);
    },
  );
  app.get('/', {schema: {hide: true}, config: {kind: 'public', produces: 'text/html'}}, (_request, reply) => {
    reply.redirect('/console/');
  });
}

/** The directory of the built console. */
function consoleFiles(): string {
  return join(dirname(createRequire(import.meta.url).resolve('@allocdb/console/package.json')), 'dist');
}
