/**
 * A small multi-model store over `WalManager`: documents and vectors of many tenants and databases, all of it in memory,
 * all of it from the log when it opens.
 *
 * A write is acknowledged when its promise resolves, and then it survives a kill. An order and the count of its owner's
 * orders change in one transaction. Payloads are MessagePack. Not here: queries, and a checkpoint that would allow truncation.
 */

import {
  type DataRecord,
  SurrogateAllocator,
  type SurrogateBind,
  type TransactionMember,
  WalManager,
} from '@allocdb/wal/nodedb';
import {decode, encode} from '@msgpack/msgpack';

export interface DataScope {
  readonly tenant: bigint;
  readonly database: bigint;
}

/** Everything a store holds, by `tenant/database/collection/id`. */
export type State = Record<string, unknown>;

/** A write as it stands in a payload; without a value it is a deletion. */
interface Write {
  readonly collection: string;
  readonly id: string;
  readonly value?: unknown;
}

export class MultiModelStore {
  readonly #manager: WalManager;
  readonly #surrogates: SurrogateAllocator;
  readonly #state: State;
  readonly #idOfKey: Map<string, number>;
  readonly #assigning: Map<string, Promise<number>> = new Map();

  private constructor(manager: WalManager, state: State, idOfKey: Map<string, number>) {
    this.#manager = manager;
    this.#surrogates = SurrogateAllocator.restore(manager, {batch: 16});
    this.#state = state;
    this.#idOfKey = idOfKey;
  }

  static open(dir: string): MultiModelStore {
    const manager = WalManager.open({dir, segmentBytes: 1 << 20});
    const state: State = {};
    const idOfKey = new Map<string, number>();
    const write = ({scope, value}: DataRecord): void => apply(state, scope, writeOf(value));
    const bind = ({value}: {value: SurrogateBind}): void => {
      idOfKey.set(new TextDecoder().decode(value.key), value.surrogate);
    };
    manager.replay(
      {Put: write, Delete: write, VectorPut: write, SurrogateBind: bind},
      {collectionOf: (_type, payload) => writeOf(payload).collection},
    );
    return new MultiModelStore(manager, state, idOfKey);
  }

  /** What is in the store now, acknowledged or about to be. */
  get state(): Readonly<State> {
    return this.#state;
  }

  /** The surrogates that keys are bound to. */
  get surrogates(): ReadonlyMap<string, number> {
    return this.#idOfKey;
  }

  /** Adds an order and counts it, both or neither. */
  addOrder(scope: DataScope, id: string, total: number): Promise<void> {
    return this.#write(() => {
      const {orders} = (this.#state[keyOf(scope, 'totals', 'all')] ?? {orders: 0}) as {orders: number};
      const writes: Write[] = [
        {collection: 'orders', id, value: {total}},
        {collection: 'totals', id: 'all', value: {orders: orders + 1}},
      ];
      const members = writes.map((write): TransactionMember => ({type: 'Put', payload: encode(write)}));
      this.#manager.appendTransaction({...scope, vshard: 0}, members);
      for (const write of writes) apply(this.#state, scope, write);
    });
  }

  cancelOrder(scope: DataScope, id: string): Promise<void> {
    return this.#write(() => {
      const write: Write = {collection: 'orders', id};
      this.#manager.appendDelete({...scope, vshard: 0}, encode(write));
      apply(this.#state, scope, write);
    });
  }

  /** Stores a vector and returns the surrogate that an index would know it by; the same one for the same image. */
  async addVector(scope: DataScope, id: string, vector: readonly number[]): Promise<number> {
    const surrogate = await this.#surrogateOf(keyOf(scope, 'images', id));
    await this.#write(() => {
      const write: Write = {collection: 'images', id, value: vector};
      this.#manager.appendVectorPut({...scope, vshard: 0}, encode(write));
      apply(this.#state, scope, write);
    });
    return surrogate;
  }

  /** Drops a collection: no write of it from before comes back, though all of them are still in the log. */
  dropCollection(scope: DataScope, collection: string): Promise<void> {
    return this.#write(() => {
      this.#manager.appendCollectionTombstone(scope, collection, this.#manager.wal.nextLsn ?? 0n);
      const prefix = keyOf(scope, collection, '');
      for (const key of Object.keys(this.#state)) if (key.startsWith(prefix)) delete this.#state[key];
    });
  }

  close(): Promise<void> {
    return this.#manager.close();
  }

  /** Appends and applies in one synchronous step, so that memory and log agree on the order; durable when it resolves. */
  async #write(appendAndApply: () => void): Promise<void> {
    await this.#manager.whenRoom(appendAndApply);
    await this.#manager.commit();
  }

  async #surrogateOf(key: string): Promise<number> {
    const known = this.#idOfKey.get(key);
    if (known !== undefined) return known;
    // Two who ask for one key at once must get one surrogate.
    const asked = this.#assigning.get(key) ?? this.#surrogates.assign('images', new TextEncoder().encode(key));
    this.#assigning.set(key, asked);
    try {
      const id = await asked;
      this.#idOfKey.set(key, id);
      return id;
    } finally {
      this.#assigning.delete(key);
    }
  }
}

function apply(state: State, scope: DataScope, {collection, id, value}: Write): void {
  const key = keyOf(scope, collection, id);
  if (value === undefined) delete state[key];
  else state[key] = value;
}

function keyOf({tenant, database}: DataScope, collection: string, id: string): string {
  return `${tenant}/${database}/${collection}/${id}`;
}

function writeOf(payload: Uint8Array): Write {
  return decode(payload) as Write;
}
