/**
 * The public surface of the client, by name: connecting, and of `@allocdb/api` what an application needs with it. Codecs
 * and lane-level access are in `@allocdb/api` itself.
 */
export type {Address} from './address.ts';
export {DEFAULT_PORT, parseAddress} from './address.ts';
export * from './api.ts';
export {type Client, connect} from './connect.ts';
export type {ClientStatus} from './dispatcher.ts';
export {compareFences, FenceGuard} from './fence.ts';
export type {AcquireInput, Lease, LeaseCallOptions} from './lease.ts';
export type {ConnectionOptions, ConnectOptions, RetryOptions} from './options.ts';
export {
  openRawConnection,
  type RawConnection,
  type RawConnectionEnd,
  type RawConnectionOptions,
} from './raw_connection.ts';
export type {TlsOptions} from './tcp_tls.ts';
