/**
 * What the HTTP port needs of the server that it belongs to, and what bounds it: types and defaults. The port owns no
 * database and no list of who is let in; both are the server's, shared with the binary protocol.
 */
import type {Database} from '@allocdb/api';
import type {
  BackupInfo,
  BackupOptions,
  ChangeFeed,
  CheckpointInfo,
  HistoryQuery,
  HistoryReport,
  StateMap,
} from '@allocdb/node';
import type {AccessList} from '../access/index.ts';
import type {Log} from '../log.ts';

/** Whether the server can do its work, and why not. */
export interface Readiness {
  readonly ready: boolean;
  /** One line for each thing that is in the way; empty when ready. */
  readonly reasons: readonly string[];
  /** What else `/readyz?verbose` is to show. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Metrics in the text of whoever collects them. */
export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

/** The server behind the port. */
export interface HttpHost {
  /** Over the engine that the TCP port uses too. */
  readonly database: Database;
  readonly access: Pick<AccessList, 'authenticate'>;
  readonly log: Log;
  /** Answers only what was sent to localhost or to an address (`foreign_host` otherwise), whatever that resolves to. */
  readonly localNamesOnly?: boolean;
  readonly slotDurationMs: number;
  readonly limits?: Partial<HttpLimits>;
  /** Answers by HTTPS; without it by HTTP. */
  readonly tls?: HttpTls | null;
  /** The changes from this lsn on, or from now on; throws AllocDbError as the engine's `changes` does. */
  openFeed(from: bigint | null): ChangeFeed;
  /** The states of all resources. */
  stateMap(): Promise<StateMap>;
  /** Copies the database into a new directory of this name; rejects with OpenError. Null where none may be made. */
  readonly backup: ((name: string, how: BackupOptions) => Promise<BackupInfo>) | null;
  /** Writes a snapshot; resolves when it is durable. */
  checkpoint(): Promise<CheckpointInfo>;
  /** What happened to a resource; rejects with OpenError, or with the signal's reason. */
  history(query: HistoryQuery, signal: AbortSignal): Promise<HistoryReport>;
  metrics(): Promise<MetricsText>;
  readiness(): Readiness;
  /** Told of each request that was answered; `route` is the pattern of its path, null where it met none. */
  onAnswered?(route: string | null, status: number): void;
  /** Told of each connection that ended other than in order: the code of what it was told, or `socket`. */
  onConnectionEnd?(reason: string): void;
}

/** Certificate and key in PEM. */
export interface HttpTls {
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** With it a client must show a certificate that this authority has signed, as on the TCP port. */
  readonly clientCa?: string | Uint8Array | undefined;
}

/** Bounds of the port. Milliseconds and bytes. */
export interface HttpLimits {
  /** Longest body of a request. */
  readonly bodyBytes: number;
  /** Request line and headers of a request together. */
  readonly headerBytes: number;
  /** Path and query of a request. A thousand ids to read need 37,000. */
  readonly urlBytes: number;
  readonly maxConnections: number;
  /** Requests, of all connections, whose answer is not finished. Times `bodyBytes` is the most memory for bodies. */
  readonly maxInFlight: number;
  /** Requests of one connection, sent ahead, whose answer is not finished. */
  readonly maxInFlightPerConnection: number;
  /** Change streams that may be open in one name. */
  readonly maxStreamsPerPrincipal: number;
  /** After so many requests a connection is closed in order; 0 for never. */
  readonly maxRequestsPerConnection: number;
  /** Most commands in a batch. */
  readonly maxBatch: number;
  /** From the first byte of a request, or from the connection, to the end of its headers. */
  readonly headerTimeoutMs: number;
  /** From the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
  /** How long a connection may be idle between requests. */
  readonly keepAliveMs: number;
  /** How long neither side of a connection with an open request may move a byte. */
  readonly stallTimeoutMs: number;
}

export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  bodyBytes: 1 << 20,
  headerBytes: 64 << 10,
  urlBytes: 40 << 10,
  maxConnections: 1000,
  maxInFlight: 1024,
  maxInFlightPerConnection: 64,
  maxStreamsPerPrincipal: 128,
  maxRequestsPerConnection: 0,
  maxBatch: 8192,
  headerTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  stallTimeoutMs: 60_000,
};
