/**
 * The HTTP port, by name: for the server that owns it.
 */
export type {HttpApp, HttpContext, Routes} from './http_app.ts';
export {
  DEFAULT_HTTP_LIMITS,
  type HttpHost,
  type HttpLimits,
  type HttpTls,
  type MetricsText,
  type Readiness,
} from './http_host.ts';
export {createHttpServer, type HttpServer, type HttpServerOptions} from './http_server.ts';
