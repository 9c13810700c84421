/**
 * Everything the console asks of the server: its HTTP API, with the token of this tab. What the server refuses becomes a
 * Problem; what never arrived becomes one too, and says whether it may have happened all the same.
 */

/** A resource as the API answers it. */
export interface Resource {
  readonly id: string;
  readonly state: string;
  readonly reservation: string | null;
  readonly version: string;
}

/** A reservation with its members. */
export interface Reservation {
  readonly id: string;
  readonly holder: string;
  readonly state: string;
  readonly epoch: string;
  readonly resources: readonly string[];
  readonly created_lsn: string;
  readonly deadline_slot: string;
}

/** One thing that happened to a resource, or was refused. */
export interface HistoryEvent {
  readonly lsn: string;
  readonly age_ms: number | null;
  readonly kind: string;
  readonly result: string | null;
  readonly holder_id: string | null;
  readonly reservation_id: string | null;
  readonly reason: {readonly text: string};
}

/** What happened to a resource, as far as the log goes back. */
export interface History {
  readonly log: {readonly first_lsn: string};
  readonly events: readonly HistoryEvent[];
  readonly events_dropped: number;
}

/** Who the server takes this tab for. */
export interface Access {
  readonly name: string;
  readonly role: 'read' | 'write' | 'operate';
}

/** An answer that is no success. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** Whether it is certain that nothing happened. */
  readonly isDefinite: boolean;
  /** What is in the way, where the server is not ready; else empty. */
  readonly reasons: readonly string[];

  constructor(status: number, code: string, isDefinite: boolean, detail: string, reasons: readonly string[] = []) {
    super(detail);
    this.status = status;
    this.code = code;
    this.isDefinite = isDefinite;
    this.reasons = reasons;
  }
}

const TOKEN_KEY = 'allocdb.token';
const TIMEOUT_MS = 10_000;

/** The server this page came from. */
export class ServerApi {
  get hasToken(): boolean {
    return sessionStorage.getItem(TOKEN_KEY) !== null;
  }

  /** Goes with every request from now on, until this tab is closed; empty for none. */
  setToken(token: string): void {
    if (token === '') sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
  }

  access(): Promise<Access> {
    return this.#json('GET', 'v1/access');
  }

  /** The state of each resource, a byte each, in the order of creation. */
  async states(): Promise<{lsn: string; states: Uint8Array}> {
    return await this.#ask('GET', 'v1/resources/states', {}, async response => {
      const states = new Uint8Array(await response.arrayBuffer());
      return {lsn: response.headers.get('x-lsn') ?? '0', states};
    });
  }

  async metrics(): Promise<string> {
    return await this.#ask('GET', 'metrics', {}, response => response.text());
  }

  /** What keeps the server from its work, a sentence each; empty where nothing does. */
  async reasonsUnready(): Promise<readonly string[]> {
    try {
      await this.#ask('GET', 'readyz?verbose', {}, response => response.text());
      return [];
    } catch (error) {
      if (error instanceof Problem && error.code === 'not_ready') return error.reasons;
      throw error;
    }
  }

  /** The resource that was created as the n-th, counting from 0; null where there is none. */
  async resourceAt(position: number): Promise<Resource | null> {
    const page: {resources: Resource[]} = await this.#json('GET', `v1/resources?position=${position}&limit=1`);
    return page.resources[0] ?? null;
  }

  resource(id: string): Promise<Resource> {
    return this.#json('GET', `v1/resources/${encodeURIComponent(id)}`);
  }

  reservation(id: string): Promise<Reservation> {
    return this.#json('GET', `v1/reservations/${id}`);
  }

  reservations(state: string, position: string): Promise<{reservations: Reservation[]; next: string | null}> {
    return this.#json('GET', `v1/reservations?state=${state}&position=${position}`);
  }

  history(id: string): Promise<History> {
    return this.#json('GET', `v1/resources/${encodeURIComponent(id)}/history?limit=100`);
  }

  /** The key makes it happen once, however often it is sent. */
  change(reservation: string, action: 'revoke' | 'reclaim', key: string): Promise<unknown> {
    return this.#json('POST', `v1/reservations/${reservation}/${action}`, {'idempotency-key': key});
  }

  #json<T>(method: string, path: string, headers: Record<string, string> = {}): Promise<T> {
    return this.#ask(method, path, headers, response => response.json() as Promise<T>);
  }

  async #ask<T>(
    method: string,
    path: string,
    headers: Record<string, string>,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const token = sessionStorage.getItem(TOKEN_KEY);
    if (token !== null) headers['authorization'] = `Bearer ${token}`;
    let problem: Problem;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const url = new URL(`../${path}`, document.baseURI);
      const response = await fetch(url, {method, headers, cache: 'no-store', signal});
      // An answer that is cut off is none.
      if (response.ok) return await read(response);
      problem = await problemOf(response);
    } catch (error) {
      const {name, message} = error as Error;
      const why = name === 'TimeoutError' ? `nothing came for ${TIMEOUT_MS / 1000} s` : message;
      throw new Problem(0, 'unreachable', method === 'GET', `The server does not answer: ${why}.`);
    }
    throw problem;
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const told = (await response.json().catch(() => ({}))) as Partial<Record<'code' | 'category' | 'detail', string>> & {
    readonly reasons?: readonly string[];
  };
  const {code = String(response.status), category = 'indefinite', detail = response.statusText, reasons} = told;
  return new Problem(response.status, code, category === 'definite', detail || `The server answers ${code}.`, reasons);
}
