/**
 * What the ports of the server use of access control, by name: who somebody is (`AccessList`), what they may do (rules and
 * roles), how fast (`Principal.limiter`), and what ends when their access does (`Principal`'s sessions).
 */
export {AccessList, type AccessOptions, type Credentials} from './access_list.ts';
export {Principal, type Session} from './principal.ts';
export {type MonotonicMs, RateLimiter} from './rate_limiter.ts';
export {defaultAnonymousRole, includesRole, ROLES, type Role, roleNamed} from './roles.ts';
export {
  COMMAND_RULES,
  CONNECTION_FRAME_RULES,
  REQUEST_RULES,
  ROUTE_RULES,
  type RouteRule,
  type Rule,
} from './rules.ts';
