/**
 * The embedded database: an engine on a directory of this process behind the same typed interface that the network
 * client has. Its slots are those of a monotonic clock that continues from the last slot in the log, and holds expire by
 * themselves while it is open.
 */
import {type ClientId, createDatabase, type Database} from '@allocdb/api';
import {type AllocDb, bigintOfU64} from '@allocdb/core';
import {MonotonicSlotClock} from './clock.ts';
import type {EngineOptions} from './engine/engine_options.ts';
import {ExpirationTicker} from './engine/expiration_ticker.ts';
import {SingleNodeEngine} from './engine/single_node_engine.ts';
import {EngineTransport} from './engine_transport.ts';
import {configOfLimits, type DatabaseLimits} from './limits.ts';

/** How to open an embedded database. */
export interface OpenDbOptions {
  /** The data directory; created when it is not there. */
  dir: string;
  /** For a new directory, and compared with an existing one; leave it out to open one as it was created. */
  limits?: DatabaseLimits;
  /** Milliseconds of a slot; 1000. Must be the same at every opening for holds to last as long as they were meant to. */
  slotMs?: number;
  /** Goes into every command; random unless given. */
  clientId?: ClientId;
  /** What the engine offers beyond that. */
  engine?: Omit<EngineOptions, 'dir' | 'config' | 'slots'>;
}

const DEFAULT_SLOT_MS = 1000;

/**
 * Opens an embedded database. Resolves when the directory is recovered and checked; rejects with OpenError (locked,
 * config_mismatch, corrupt_log, …). A resolved call on it is durable. `close` makes everything durable and lets the
 * directory go; a process that ends without it loses nothing that was answered.
 */
export async function openDb(options: OpenDbOptions): Promise<Database> {
  const slotMs = options.slotMs ?? DEFAULT_SLOT_MS;
  if (!(slotMs > 0)) throw new RangeError(`slotMs must be positive, got ${slotMs}`);
  let clock: MonotonicSlotClock | null = null;
  const engine = SingleNodeEngine.open({
    ...options.engine,
    dir: options.dir,
    slotMs,
    config: options.limits === undefined ? null : configOfLimits(options.limits, slotMs),
    slots: db => {
      clock = new MonotonicSlotClock(lastSlotOf(db), slotMs);
      return {clock, maxSlotAdvance: null, ignoreRequestSlots: true};
    },
  });
  if (clock === null) throw new Error('assertion failed: the engine asked for its slot policy');
  const ticker = new ExpirationTicker(engine, clock);
  const transport = new EngineTransport(engine, clock, async () => {
    ticker.stop();
    // Every call that was queued is answered before the engine has closed.
    await engine.close();
  });
  return createDatabase(transport, {clientId: options.clientId});
}

/** The slot from which a clock continues: the last one in the log, 0 for an empty one. */
export function lastSlotOf(db: AllocDb): bigint {
  return bigintOfU64(db.lastSlotLo, db.lastSlotHi);
}
