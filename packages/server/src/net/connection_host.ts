/**
 * What every connection of a server has in common: the engine, the bounds, and whom to ask who somebody is. And the bounds
 * that hold unless others are given.
 */
import type {ChangeFeed, SingleNodeEngine} from '@allocdb/node';
import type {Credentials} from '../access/access_list.ts';
import type {Principal} from '../access/principal.ts';
import type {Connection} from './connection.ts';

export interface ConnectionHost {
  readonly engine: SingleNodeEngine;
  readonly limits: ConnectionLimits;
  /** True to accept ticks and slots from clients. */
  readonly trustClientSlots: boolean;
  /** The present slot, for the welcome. */
  currentSlot(): bigint;
  readonly slotDurationMs: number;
  /** Who says hello; null for nobody that is let in. */
  authenticate(credentials: Credentials): Principal | null;
  /** Told once, when the connection has said who it is. */
  onHello(connection: Connection): void;
  /** Told of a change feed that begins. */
  onFeed(feed: ChangeFeed): void;
  /** Told once, when the connection has ended; null for an ordinary end. */
  onEnd(connection: Connection, end: ConnectionEnd | null): void;
}

/** Why a connection has ended other than in order. */
export interface ConnectionEnd {
  /** Name of a connection error, or what the system said. */
  readonly reason: string;
  /** What the peer was told. */
  readonly text?: string;
  /** For whom it was open. */
  readonly principal?: string;
}

/** Bounds of a connection. */
export interface ConnectionLimits {
  /** Longest request frame. */
  readonly maxFrameBytes: number;
  /** Most commands in a batch. */
  readonly maxBatch: number;
  /** Answers, waiting and unread, beyond which the connection is not read. */
  readonly maxAnswerBytes: number;
  /** How long answers may stay unread. */
  readonly slowConsumerMs: number;
  /** How long a hello may take, however slowly it drips, and before it a TLS handshake. */
  readonly helloTimeoutMs: number;
  /** How long a connection may neither say anything nor be owed anything. */
  readonly idleMs: number;
  /** How long what still arrives is drained after an error was sent. */
  readonly drainMs: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  maxFrameBytes: 1 << 20,
  maxBatch: 8192,
  maxAnswerBytes: 4 << 20,
  slowConsumerMs: 30_000,
  helloTimeoutMs: 5000,
  idleMs: 600_000,
  drainMs: 1000,
};
