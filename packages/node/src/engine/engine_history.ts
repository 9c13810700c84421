/**
 * Histories out of a running engine: the log as far as it is durable, walked in steps that take turns with change feeds, so
 * that however long the log is, commands are not held up. What lies before the log is taken from the state in memory.
 */
import type {ResourceId} from '@allocdb/api';
import {type AllocDb, bigintOfU64, type CoreConfig} from '@allocdb/core';
import type {LogCursor, Wal} from '@allocdb/wal';
import {type HistoryQuery, type HistorySource, historySteps} from '../insight/history_of.ts';
import {type KnownState, knownInState} from '../insight/known_state.ts';
import type {HistoryReport} from '../insight/resource_history.ts';
import type {Subjects} from '../insight/subjects.ts';
import type {FeedPace} from './feed_pace.ts';
import type {HistoryOptions} from './readable_engine.ts';

/** What a history needs of the engine. */
export interface HistoryHost {
  readonly db: AllocDb;
  readonly wal: Wal;
  readonly pace: FeedPace;
  /** Runs an action once everything through an lsn is durable; rejects when the engine halts. */
  whenDurable(lsn: bigint, action: () => void): Promise<void>;
}

/** Reads a history. Rejects with OpenError as `historySteps` throws, with what halted the engine, or the signal's reason. */
export async function readHistory(
  host: HistoryHost,
  query: HistoryQuery,
  options: HistoryOptions,
): Promise<HistoryReport> {
  const {signal} = options;
  signal?.throwIfAborted();
  const known = await knownOf(host, query.resource);
  let steps: Generator<number, HistoryReport> | null = null;
  try {
    for (;;) {
      const step = await inTurn(host.pace, () => {
        // Where the log begins is looked up in the turn that opens it: a checkpoint may cut it while the turn is waited for.
        steps ??= historySteps(new EngineLog(host, options, known), query);
        return steps.next();
      });
      if (step.done === true) return step.value;
      signal?.throwIfAborted();
    }
  } finally {
    // Left early, it closes what it reads from.
    (steps as Generator<number, HistoryReport> | null)?.return(undefined as never);
  }
}

/** The state of the resource, once it is durable: the log may be cut before it is read. */
async function knownOf({db, whenDurable}: HistoryHost, resource: ResourceId | null): Promise<KnownState | null> {
  if (resource === null) return null;
  const known = knownInState(db, {resources: [resource], reservations: [], operation: null});
  await whenDurable(bigintOfU64(db.lastLsnLo, db.lastLsnHi), () => undefined);
  return known;
}

async function inTurn<T>(pace: FeedPace, step: () => T): Promise<T> {
  let outcome: {value: T} | {error: unknown} = {error: null};
  await pace.run(() => {
    try {
      outcome = {value: step()};
    } catch (error) {
      outcome = {error};
    }
    return true;
  });
  if ('error' in outcome) throw outcome.error;
  return (outcome as {value: T}).value;
}

class EngineLog implements HistorySource {
  readonly name: string = 'the database';
  readonly core: CoreConfig;
  readonly slotMs: number | null;
  readonly firstLsn: bigint;
  private readonly wal: Wal;
  private readonly state: KnownState | null;
  private readonly lastLsn: bigint;
  private readonly nowSlot: bigint;

  constructor({db, wal}: HistoryHost, {nowSlot, slotMs}: HistoryOptions, state: KnownState | null) {
    this.wal = wal;
    this.state = state;
    this.core = db.config;
    this.slotMs = slotMs ?? null;
    this.firstLsn = wal.firstLsn;
    this.lastLsn = wal.durableLsn;
    this.nowSlot = nowSlot ?? bigintOfU64(db.lastSlotLo, db.lastSlotHi);
  }

  end(): {lastLsn: bigint; nowSlot: bigint | null} {
    return {lastLsn: this.lastLsn, nowSlot: this.nowSlot};
  }

  /** Known is the resource that was asked about; what else an operation names is told by the log alone. */
  known({resources}: Subjects, from: bigint): KnownState | null {
    const {state} = this;
    if (state === null || state.lsn < from - 1n) return null;
    return resources.every(id => state.resources.has(id)) ? state : null;
  }

  read(from: bigint): LogCursor {
    return this.wal.read({from, to: this.lastLsn});
  }
}
