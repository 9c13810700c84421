/**
 * Which role each thing that can be asked needs: requests and frames of a connection, commands inside submits and batches,
 * and HTTP routes, in one place, as data. What has no rule here is refused.
 *
 * A submit and a batch need the rule of the request and, for each command in them, the rule of the command. Not here:
 * reading frames (frame_access.ts), who somebody is (access_list.ts), and that ticks are refused to everybody where the
 * server ticks by itself.
 */
import {COMMAND, CONNECTION_FRAME, REQUEST} from '@allocdb/api';
import type {Role} from './roles.ts';

/** A role; `public` is for who has not said who they are; `nobody` is for what only a server says or logs. */
export type Rule = Role | 'public' | 'nobody';
/** What an HTTP route needs. */
export type RouteRule = Role | 'public';

/** Requests by tag. */
export const REQUEST_RULES: Readonly<Record<number, Rule>> = {
  [REQUEST.SUBMIT]: 'write',
  [REQUEST.SUBMIT_BATCH]: 'write',
  [REQUEST.GET_RESOURCE]: 'read',
  [REQUEST.GET_RESERVATION]: 'read',
  [REQUEST.GET_LEASE]: 'read',
  [REQUEST.GET_METRICS]: 'read',
  [REQUEST.SCAN_RESOURCES]: 'read',
  [REQUEST.SCAN_RESERVATIONS]: 'read',
  [REQUEST.TICK_EXPIRATIONS]: 'operate',
};

/** Commands by tag: a holder's own are `write`, those over the head of a holder are `operate`. */
export const COMMAND_RULES: Readonly<Record<number, Rule>> = {
  [COMMAND.CREATE_RESOURCE]: 'write',
  [COMMAND.RESERVE]: 'write',
  [COMMAND.RESERVE_BUNDLE]: 'write',
  [COMMAND.CONFIRM]: 'write',
  [COMMAND.CONFIRM_FENCED]: 'write',
  [COMMAND.RELEASE]: 'write',
  [COMMAND.RELEASE_FENCED]: 'write',
  [COMMAND.REVOKE]: 'operate',
  [COMMAND.RECLAIM]: 'operate',
  [COMMAND.EXPIRE]: 'nobody',
};

/** Frames of a connection by tag. */
export const CONNECTION_FRAME_RULES: Readonly<Record<number, Rule>> = {
  [CONNECTION_FRAME.HELLO]: 'public',
  [CONNECTION_FRAME.SUBSCRIBE]: 'read',
  [CONNECTION_FRAME.WELCOME]: 'nobody',
  [CONNECTION_FRAME.CHANGE]: 'nobody',
  [CONNECTION_FRAME.FEED_END]: 'nobody',
  [CONNECTION_FRAME.ERROR]: 'nobody',
};

/** HTTP routes, as `GET /path/:parameter`. */
export const ROUTE_RULES: Readonly<Record<string, RouteRule>> = {
  'GET /': 'public',
  'GET /console/*': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /openapi.json': 'public',
  'GET /metrics': 'read',
  'GET /v1/metrics': 'read',
  'GET /v1/changes': 'read',
  'GET /v1/resources': 'read',
  'GET /v1/resources/states': 'read',
  'GET /v1/resources/:id': 'read',
  'GET /v1/resources/:id/history': 'read',
  'GET /v1/access': 'read',
  'GET /v1/reservations': 'read',
  'GET /v1/reservations/:id': 'read',
  'POST /v1/resources': 'write',
  'POST /v1/reservations': 'write',
  'POST /v1/reservations/:id/confirm': 'write',
  'POST /v1/reservations/:id/release': 'write',
  'POST /v1/reservations/:id/revoke': 'operate',
  'POST /v1/reservations/:id/reclaim': 'operate',
  'POST /v1/batch': 'write',
  'POST /v1/backups': 'operate',
  'POST /v1/checkpoints': 'operate',
};
