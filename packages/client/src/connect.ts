/**
 * The client: the typed facade of `@allocdb/api` over a connection that mends itself.
 */
import {type CallOptions, type Database, TransportDatabase} from '@allocdb/api';
import {type ClientStatus, Dispatcher} from './dispatcher.ts';
import {type AcquireInput, acquireLease, type Lease} from './lease.ts';
import {type ConnectOptions, linkOptions, maxInFlightBytesOf, responseTimeoutOf, retryPolicyOf} from './options.ts';

/** A connected client; the same interface as the embedded database. */
export interface Client extends Database {
  /** What goes on behind the calls: the connection, what is in flight, the last error. There are no events. */
  readonly status: ClientStatus;
  /**
   * Holds things, all or none, as an object that says how long it may be trusted and gives them back at the end of its
   * scope unless they were confirmed. Resolves with null when the database refused; `reserveBundle` says why.
   */
  acquire(input: AcquireInput, options?: CallOptions): Promise<Lease | null>;
}

class NetworkClient extends TransportDatabase implements Client {
  readonly #dispatcher: Dispatcher;

  constructor(dispatcher: Dispatcher, options: ConnectOptions) {
    super(dispatcher, {clientId: options.clientId});
    this.#dispatcher = dispatcher;
  }

  get status(): ClientStatus {
    return this.#dispatcher.status;
  }

  async acquire(input: AcquireInput, options?: CallOptions): Promise<Lease | null> {
    return acquireLease(this, this.#dispatcher, input, options);
  }
}

/**
 * Connects to `allocdb://host:port`, or with TLS to `allocdbs://host:port`, and completes the handshake, or rejects with
 * AllocDbError: `unauthorized`, `unsupported_version` and the server's other codes with its own words, `connect_failed`
 * (also for a server that cannot be verified), `connect_timed_out`, `aborted`, `protocol_error`. Bad arguments reject with
 * TypeError or RangeError.
 *
 * From then on a lost connection is replaced in the background, and calls are retried with the same operation id: after
 * a lost connection and after `engine_halted`, `storage_failure`, `overloaded` and `storage_full`; until the call's
 * signal fires or, without a signal, for 30 s (`retry.budgetMs`). Then they reject, `indefinite` with the operation id
 * if an attempt may have been executed. Retrying longer than the database remembers operations (its operation window,
 * 60 s unless configured) may execute a command again; it is still refused where the first one took the thing.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const link = linkOptions(url, options, responseTimeoutOf(options));
  const dispatcher = new Dispatcher(link, retryPolicyOf(options), maxInFlightBytesOf(options));
  const client = new NetworkClient(dispatcher, options);
  await dispatcher.open(options.signal ?? null);
  return client;
}
