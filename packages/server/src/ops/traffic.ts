/**
 * What a server counts of its ports beside what the engine counts: why connections ended, how HTTP requests were answered,
 * and which change feeds are open. Plain numbers, added to where something ends, and read when somebody asks.
 *
 * Whatever a peer says is sorted into closed sets here: what is in none of them is `other`. Not here: how many connections
 * there are, which the ports know themselves, and how it is shown (metric_table.ts).
 */
import {CONNECTION_ERROR_NAMES, type ConnectionErrorName} from '@allocdb/api';

/** The ways in. */
export const TRANSPORTS = ['tcp', 'http'] as const;
/** One of {@link TRANSPORTS}. */
export type Transport = (typeof TRANSPORTS)[number];

/** What is in none of the sets. */
export const OTHER = 'other';

/** What HTTP connections are told that ends them. */
const HTTP_REASONS = ['malformed_http', 'headers_too_large', 'request_timeout'] as const;

/** Why connections end other than in order: what they were told, or what befell them. */
export const END_REASONS: readonly EndReason[] = [
  ...CONNECTION_ERROR_NAMES.slice(1).map(name => name as ConnectionErrorName),
  ...HTTP_REASONS,
  'tls_handshake',
  'socket',
  'feed',
  OTHER,
];
/** One of {@link END_REASONS}. */
export type EndReason =
  | ConnectionErrorName
  | (typeof HTTP_REASONS)[number]
  | 'tls_handshake'
  | 'socket'
  | 'feed'
  | typeof OTHER;

/** Classes of HTTP status codes. */
export const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** A change feed, as far as it is told about. */
export interface FeedView {
  /** The first lsn that it has not handed out yet. */
  readonly nextLsn: bigint;
  readonly isClosed: boolean;
}

/** Connections that ended other than in order. */
export interface EndCount {
  readonly transport: Transport;
  readonly reason: EndReason;
  readonly count: number;
}

/** HTTP requests that were answered. */
export interface RequestCount {
  readonly route: string;
  readonly status: string;
  readonly count: number;
}

export class Traffic {
  /** Patterns of the paths of HTTP routes; everything else is `other`. */
  readonly routes: readonly string[];
  readonly #ends: Readonly<Record<Transport, Map<EndReason, number>>>;
  /** By route, one count for each status class. */
  readonly #requests: Map<string, number[]>;
  readonly #feeds: Map<FeedView, Transport> = new Map();

  /** Takes the routes that there are, as patterns, with or without a method before them. */
  constructor(routes: readonly string[] = []) {
    const zeros = (): Map<EndReason, number> => new Map(END_REASONS.map(reason => [reason, 0]));
    this.#ends = {tcp: zeros(), http: zeros()};
    this.routes = [...new Set([...routes.map(route => route.replace(/^[A-Z]+ /, '')), OTHER])];
    this.#requests = new Map(this.routes.map(route => [route, STATUS_CLASSES.map(() => 0)]));
  }

  /** A connection has ended other than in order, or none came of it; `reason` is that of its end in the log. */
  connectionEnded(transport: Transport, reason: string): void {
    const ends = this.#ends[transport];
    const sorted = endReasonOf(reason);
    ends.set(sorted, (ends.get(sorted) ?? 0) + 1);
  }

  /** An HTTP request was answered; `route` is the pattern that its path matched, null for none. */
  requestAnswered(route: string | null, status: number): void {
    const counts = this.#requests.get(route ?? OTHER) ?? this.#requests.get(OTHER);
    const at = Math.floor(status / 100) - 1;
    if (counts?.[at] !== undefined) counts[at]++;
  }

  /** A change feed has begun. It is forgotten when it has closed. */
  feedOpened(transport: Transport, feed: FeedView): void {
    this.#forgetClosed();
    this.#feeds.set(feed, transport);
  }

  /** One count for each transport and reason. */
  ends(): EndCount[] {
    return TRANSPORTS.flatMap(transport =>
      [...this.#ends[transport]].map(([reason, count]) => ({transport, reason, count})),
    );
  }

  /** Those that there were. */
  requests(): RequestCount[] {
    return [...this.#requests].flatMap(([route, counts]) =>
      STATUS_CLASSES.map((status, i) => ({route, status, count: counts[i] ?? 0})).filter(({count}) => count > 0),
    );
  }

  /** The feeds of a transport that are open. */
  feeds(transport: Transport): FeedView[] {
    this.#forgetClosed();
    return [...this.#feeds].filter(([, of]) => of === transport).map(([feed]) => feed);
  }

  #forgetClosed(): void {
    for (const feed of this.#feeds.keys()) if (feed.isClosed) this.#feeds.delete(feed);
  }
}

function endReasonOf(reason: string): EndReason {
  const known = END_REASONS.find(name => name === reason);
  if (known !== undefined) return known;
  if (reason.startsWith('socket')) return 'socket';
  return reason.startsWith('feed') ? 'feed' : OTHER;
}
