/**
 * Options of a connection with their defaults, checked before anything is opened: a wrong one is a TypeError or
 * RangeError that names it. Durations are milliseconds, sizes bytes.
 */
import {type AbortSignalLike, type ClientId, COUNT_MAX, utf8Bytes} from '@allocdb/api';
import {parseAddress} from './address.ts';
import type {LinkOptions} from './link.ts';
import {type TlsOptions, tlsSettingsOf} from './tcp_tls.ts';

/** Options of every kind of connection. */
export interface ConnectionOptions {
  /** Ends the attempt to connect. It has no meaning once connected. */
  signal?: AbortSignalLike | undefined;
  /** Shown to the server in the handshake, at most 65,535 bytes of UTF-8. */
  token?: string | undefined;
  /** For an address that begins with `allocdbs://`; without it the CAs that come with Node are trusted. */
  tls?: TlsOptions | undefined;
  /** Connecting and the handshake together may take so long. Default 5,000. */
  handshakeTimeoutMs?: number | undefined;
  /** Longest response that is accepted. Default 16 MiB. */
  maxResponseBytes?: number | undefined;
}

/** How calls are retried; always with the same operation id. */
export interface RetryOptions {
  /** How long a call without a signal is tried before it rejects. Default 30,000. A call with a signal has only that. */
  budgetMs?: number | undefined;
  /** Pause before the second attempt, at most; it doubles from attempt to attempt. Default 25. */
  initialBackoffMs?: number | undefined;
  /** Longest pause between attempts. Default 2,000. */
  maxBackoffMs?: number | undefined;
}

/** Options of {@link connect}. */
export interface ConnectOptions extends ConnectionOptions {
  /** Goes into every command and is logged. Default: random. */
  clientId?: ClientId | undefined;
  /** `false`: every call is sent at most once; it still waits for a connection within the default budget. */
  retry?: RetryOptions | false | undefined;
  /** A connection on which nothing arrives for so long while answers are due is replaced. Default 15,000. */
  responseTimeoutMs?: number | undefined;
  /** Requests that wait for an answer on the connection; further calls wait unsent. Default 4 MiB. */
  maxInFlightBytes?: number | undefined;
}

/** Checked {@link RetryOptions}. */
export interface RetryPolicy {
  /** Whether a call that was sent may be sent again. */
  resend: boolean;
  budgetMs: number;
  initialBackoffMs: number;
  maxBackoffMs: number;
}

const TIMER_MAX_MS = 0x7fff_ffff;

function number(value: number | undefined, fallback: number, min: number, max: number, name: string): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, got ${typeof value}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} must be an integer between ${min} and ${max}, got ${value}`);
  }
  return value;
}

/** What a link needs, from an address and options. */
export function linkOptions(url: string, options: ConnectionOptions, responseTimeoutMs: number): LinkOptions {
  const {token = '', signal} = options;
  if (typeof token !== 'string') throw new TypeError(`token must be a string, got ${typeof token}`);
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw new TypeError('signal must be an AbortSignal');
  }
  const tokenBytes = utf8Bytes(token);
  if (tokenBytes.byteLength > COUNT_MAX) throw new RangeError(`token must have at most ${COUNT_MAX} bytes`);
  const address = parseAddress(url);
  return {
    address,
    tls: tlsSettingsOf(address, options.tls),
    token: tokenBytes,
    handshakeTimeoutMs: number(options.handshakeTimeoutMs, 5_000, 1, TIMER_MAX_MS, 'handshakeTimeoutMs'),
    responseTimeoutMs,
    maxResponseBytes: number(options.maxResponseBytes, 16 * 1024 * 1024, 1, 0xffff_ffff, 'maxResponseBytes'),
  };
}

/** `responseTimeoutMs`, checked. */
export function responseTimeoutOf(options: ConnectOptions): number {
  return number(options.responseTimeoutMs, 15_000, 1, TIMER_MAX_MS, 'responseTimeoutMs');
}

/** `maxInFlightBytes`, checked. */
export function maxInFlightBytesOf(options: ConnectOptions): number {
  return number(options.maxInFlightBytes, 4 * 1024 * 1024, 1, Number.MAX_SAFE_INTEGER, 'maxInFlightBytes');
}

/** `retry`, checked. */
export function retryPolicyOf(options: ConnectOptions): RetryPolicy {
  const retry = options.retry === false ? {} : (options.retry ?? {});
  if (typeof retry !== 'object') throw new TypeError('retry must be false or an object');
  const maxBackoffMs = number(retry.maxBackoffMs, 2_000, 1, TIMER_MAX_MS, 'retry.maxBackoffMs');
  return {
    resend: options.retry !== false,
    budgetMs: number(retry.budgetMs, 30_000, 0, TIMER_MAX_MS, 'retry.budgetMs'),
    initialBackoffMs: number(
      retry.initialBackoffMs,
      Math.min(25, maxBackoffMs),
      1,
      maxBackoffMs,
      'retry.initialBackoffMs',
    ),
    maxBackoffMs,
  };
}
