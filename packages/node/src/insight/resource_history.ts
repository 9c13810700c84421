/**
 * The history of a resource, and why an operation was answered as it was: a visitor that is fed with the changes of a log,
 * in lsn order and from any first lsn on, and says at any moment what it has come to. It reads no file and keeps no clock;
 * the caller decides how much it reads at a time.
 *
 * An operation is found first (`OperationSearch`), because which resources its answer depends on stands in its command;
 * then one walk follows those resources. Memory is bounded by the events that are kept.
 */
import type {Change, ClientId, HolderId, OperationId, ReservationId, ResourceId, ResultName} from '@allocdb/api';
import {type LogCursor, READ, type RecordView} from '@allocdb/wal';
import type {KnownState} from './known_state.ts';
import {Ownership, type Standing} from './ownership.ts';
import {type Bounds, outcomeOf, type Reason, refusalOf} from './reasons.ts';
import {changeOfRecord} from './record_change.ts';
import type {OperationRecord} from './snapshot_records.ts';
import {reservationOfChange, resourcesOf, SubjectFilter, type Subjects} from './subjects.ts';

/** One thing that happened, or was refused. */
export interface HistoryEvent {
  readonly lsn: bigint;
  readonly slot: bigint;
  readonly kind: Change['kind'];
  /** What was answered; null in a log that was written before answers were noted. */
  readonly result: ResultName | null;
  /** Null for an expiration, which nobody asked for. */
  readonly operation: OperationId | null;
  readonly client: ClientId | null;
  /** The reservation that it granted or named. */
  readonly reservation: ReservationId | null;
  /** The holder that it named. */
  readonly holder: HolderId | null;
  /** The epoch that it named. */
  readonly epoch: bigint | null;
  readonly ttlSlots: bigint | null;
  readonly deadlineSlot: bigint | null;
  /** How many resources it named. */
  readonly resourceCount: number;
  readonly reason: Reason;
}

/** What became of an operation. */
export interface OperationStory {
  readonly operation: OperationId;
  /** Each time it was executed, oldest first: once, unless it was sent again when it was no longer remembered. */
  readonly answers: readonly HistoryEvent[];
  /** What a snapshot remembers of it, where the log no longer has it. */
  readonly remembered: OperationRecord | null;
}

/** What is known of a resource and an operation from `firstLsn` to `lastLsn`. */
export interface HistoryReport {
  readonly resource: ResourceId | null;
  /** Changes before this lsn were not seen. */
  readonly firstLsn: bigint;
  readonly lastLsn: bigint;
  /** The slot that durations are relative to; null where nothing has happened yet. */
  readonly nowSlot: bigint | null;
  /** Milliseconds of a slot, where known. */
  readonly slotMs: number | null;
  /** From where the state is known beside the log; null for nowhere. */
  readonly known: {readonly lsn: bigint; readonly slot: bigint} | null;
  /** The bounds that refused something, where the configuration is known. */
  readonly bounds: Bounds | null;
  /** How the resource stands behind `lastLsn`; null where none was asked for. */
  readonly standing: Standing | null;
  /** What concerned the resource, oldest first. */
  readonly events: readonly HistoryEvent[];
  /** Older events that were seen and are not kept. */
  readonly dropped: number;
  readonly operation: OperationStory | null;
}

/** What a history is asked for. */
export interface ResourceHistoryQuery {
  readonly resource: ResourceId | null;
  readonly operation: OperationId | null;
  /** The changes of the operation, as a search has found them; what they name is followed too. */
  readonly found?: readonly Change[];
  /** Lsn of the first change that will be taken. */
  readonly from: bigint;
  /** High half of reservation ids. */
  readonly shardId: bigint;
  /** Events that are kept: the newest. Default 1,000. */
  readonly limit?: number;
  /** The state of `subjects` at an lsn of at least `from` - 1, where there is one. */
  readonly known?: KnownState | null;
  /** The configuration's bounds, to say them with what they refused. */
  readonly bounds?: Bounds | null;
}

/** Where a report ends. */
export interface HistoryEnd {
  readonly lastLsn: bigint;
  readonly nowSlot: bigint | null;
  readonly slotMs: number | null;
}

const EVENTS_KEPT = 1000;
/** Executions of one operation that are kept: the newest. */
const ANSWERS_KEPT = 16;

/** What has to be followed to answer a query. */
export function subjectsOf({resource, operation, found = []}: ResourceHistoryQuery): Subjects {
  const named = [...(resource === null ? [] : [resource]), ...found.flatMap(resourcesOf)];
  const reservations = found.flatMap(change => reservationOfChange(change) ?? []);
  return {resources: [...new Set(named)], reservations: [...new Set(reservations)], operation};
}

/** Reads on from a cursor, up to so many records; hands over those that a filter takes. False at the end. */
function readFrom(cursor: LogCursor, records: number, take: (record: RecordView) => void): boolean {
  for (let left = records; left > 0; ) {
    const event = cursor.next();
    if (event === READ.END) return false;
    if (event !== READ.RECORD) continue;
    take(cursor);
    left--;
  }
  return true;
}

/** Finds the executions of one operation. */
export class OperationSearch {
  /** Those found so far, oldest first; the newest 16. */
  readonly found: Change[] = [];
  private readonly operation: OperationId;
  private readonly shardId: bigint;
  private readonly filter: SubjectFilter;

  constructor(operation: OperationId, shardId: bigint) {
    this.operation = operation;
    this.shardId = shardId;
    this.filter = new SubjectFilter({resources: [], reservations: [], operation});
  }

  /** Takes changes in lsn order. */
  take(changes: Iterable<Change>): void {
    for (const change of changes) {
      if (!('operation' in change) || change.operation !== this.operation) continue;
      this.found.push(change);
      if (this.found.length > ANSWERS_KEPT) this.found.shift();
    }
  }

  /** Takes at most so many records from a cursor; false when it is at its end. Throws as the cursor does, and CodecError. */
  read(cursor: LogCursor, records: number): boolean {
    return readFrom(cursor, records, record => {
      if (this.filter.takes(record)) this.take([changeOfRecord(cursor, cursor.payload(), this.shardId)]);
    });
  }
}

/** Follows what a query is about. */
export class ResourceHistory {
  private readonly query: ResourceHistoryQuery;
  private readonly ownership: Ownership;
  private readonly filter: SubjectFilter;
  private readonly limit: number;
  private readonly events: HistoryEvent[] = [];
  private readonly answers: HistoryEvent[] = [];
  private dropped: number = 0;

  /** Throws RangeError for a known state from before `from` - 1: what lies between would be missing. */
  constructor(query: ResourceHistoryQuery) {
    const {from, known = null, limit = EVENTS_KEPT} = query;
    if (known !== null && known.lsn < from - 1n) {
      throw new RangeError(`the state at lsn ${known.lsn} does not reach lsn ${from}`);
    }
    const subjects = subjectsOf(query);
    this.query = query;
    this.limit = limit;
    this.filter = new SubjectFilter(subjects);
    this.ownership = new Ownership(subjects, from, known);
    for (const id of this.ownership.reservations) this.filter.addReservation(id);
  }

  /**
   * Whether a record can matter. Asked for each record in turn, behind the ones before it: a change that was taken decides
   * which later ones matter. One that does not may be taken all the same.
   */
  wants(record: RecordView): boolean {
    return this.filter.takes(record);
  }

  /** Takes changes in lsn order, all of them or those that are wanted. */
  take(changes: Iterable<Change>): void {
    for (const change of changes) this.takeOne(change);
  }

  /** Takes at most so many records from a cursor; false when it is at its end. Throws as the cursor does, and CodecError. */
  read(cursor: LogCursor, records: number): boolean {
    return readFrom(cursor, records, record => {
      if (this.wants(record)) this.takeOne(changeOfRecord(cursor, cursor.payload(), this.query.shardId));
    });
  }

  /** What is known by now. `end` is behind the last change that was taken. */
  report(end: HistoryEnd): HistoryReport {
    const {resource, operation, from, known = null, bounds = null} = this.query;
    const {ownership} = this;
    ownership.reach(end.lastLsn + 1n);
    const remembered = this.answers.length === 0 ? (known?.operation ?? null) : null;
    return {
      resource,
      firstLsn: from,
      lastLsn: end.lastLsn,
      nowSlot: end.nowSlot,
      slotMs: end.slotMs,
      known: known === null ? null : {lsn: known.lsn, slot: known.slot},
      bounds,
      standing: resource === null ? null : ownership.standingOf(resource),
      events: [...this.events],
      dropped: this.dropped,
      operation: operation === null ? null : {operation, answers: [...this.answers], remembered},
    };
  }

  private takeOne(change: Change): void {
    const {ownership} = this;
    const {operation} = this.query;
    const isAsked = operation !== null && 'operation' in change && change.operation === operation;
    ownership.reach(change.lsn);
    const refusal = change.result === 'ok' ? null : refusalOf(change, ownership);
    this.apply(change);
    const reason = refusal ?? outcomeOf(change, ownership);
    const concerns = this.concerns(change);
    if (!isAsked && !concerns) return;
    const event = eventOf(change, reason);
    if (isAsked) {
      this.answers.push(event);
      if (this.answers.length > ANSWERS_KEPT) this.answers.shift();
    }
    if (!concerns) return;
    this.events.push(event);
    if (this.events.length <= this.limit) return;
    this.events.shift();
    this.dropped++;
  }

  private apply(change: Change): void {
    this.ownership.apply(change);
    const granted = 'lease' in change ? change.lease : null;
    if (granted !== null && this.ownership.holdingOf(granted.id) !== null) this.filter.addReservation(granted.id);
  }

  private concerns(change: Change): boolean {
    const {resource} = this.query;
    if (resource === null) return false;
    const named = resourcesOf(change);
    if (named.length > 0 || !('reservation' in change)) return named.includes(resource);
    return this.ownership.hasOwned(change.reservation, resource);
  }
}

function eventOf(change: Change, reason: Reason): HistoryEvent {
  const isClient = 'operation' in change;
  const lease = 'lease' in change ? change.lease : null;
  return {
    lsn: change.lsn,
    slot: change.slot,
    kind: change.kind,
    result: change.result,
    operation: isClient ? change.operation : null,
    client: isClient ? change.client : null,
    reservation: reservationOfChange(change),
    holder: 'holder' in change ? change.holder : null,
    epoch: 'epoch' in change ? change.epoch : null,
    ttlSlots: 'ttlSlots' in change ? change.ttlSlots : null,
    deadlineSlot: change.kind === 'expire' ? change.deadlineSlot : (lease?.deadlineSlot ?? null),
    resourceCount: resourcesOf(change).length,
    reason,
  };
}
