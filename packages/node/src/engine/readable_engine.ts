/**
 * The half of an engine that is looked at: change feeds, the states of all resources, histories. Everything here shows what
 * is durable and nothing else, is read while commands go on, and takes turns so that it does not hold them up.
 *
 * Requests, checkpoints and closing are `single_node_engine.ts`.
 */
import type {AllocDb} from '@allocdb/core';
import type {Scheduler} from '../clock.ts';
import type {HistoryQuery} from '../insight/history_of.ts';
import type {HistoryReport} from '../insight/resource_history.ts';
import type {DataDirectory} from '../storage/data_directory.ts';
import {ChangeFeed} from './change_feed.ts';
import {readHistory} from './engine_history.ts';
import type {FeedPace} from './feed_pace.ts';
import {readStateMap, type StateMap} from './state_map.ts';

/** What time it is for a history, and what ends the reading. */
export interface HistoryOptions {
  /** The present slot; default: that of the last command. */
  readonly nowSlot?: bigint;
  /** Milliseconds of a slot, where they have a length. */
  readonly slotMs?: number;
  /** Ends the reading, which rejects with its reason. */
  readonly signal?: AbortSignal;
}

export abstract class ReadableEngine {
  abstract readonly directory: DataDirectory;
  abstract readonly db: AllocDb;
  protected abstract readonly scheduler: Scheduler;
  protected abstract readonly feedPace: FeedPace;

  /** The durable changes from this lsn on, or from now on; see {@link ChangeFeed}, also for what it throws. Close it. */
  changes(from: bigint | null): ChangeFeed {
    this.assertOpen();
    return ChangeFeed.open({wal: this.directory.wal, shard: this.db.shard, pace: this.feedPace}, from);
  }

  /** The states of all resources; rejects with AllocDbError when the engine has halted. See {@link readStateMap}. */
  async stateMap(): Promise<StateMap> {
    this.assertOpen();
    const {db, scheduler} = this;
    return readStateMap({db, scheduler, whenDurable: (lsn, action) => this.whenDurable(lsn, action)});
  }

  /**
   * What happened to a resource, and why an operation was answered as it was, from the log as far as it is durable. Rejects
   * with OpenError where the log is damaged, with what halted the engine, or with the signal's reason.
   */
  async history(query: HistoryQuery, options: HistoryOptions = {}): Promise<HistoryReport> {
    this.assertOpen();
    const {db, feedPace: pace} = this;
    const {wal} = this.directory;
    const whenDurable = (lsn: bigint, action: () => void): Promise<void> => this.whenDurable(lsn, action);
    return readHistory({db, wal, pace, whenDurable}, query, options);
  }

  protected abstract assertOpen(): void;
  /** Runs an action at a moment when everything through the lsn is durable and no frame is frozen. */
  protected abstract whenDurable(lsn: bigint, action: () => void): Promise<void>;
}
