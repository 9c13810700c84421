/**
 * A history as JSON, for the command line and for the server's HTTP answer: this is the one place where its shape is
 * decided. Names are snake_case; ids are 32 hex digits; lsns, slots, epochs and other 64-bit numbers are decimal strings;
 * counts and milliseconds are numbers. Fields may be added, none is left out: what does not apply is null.
 */

import {type HistoryFrame, reasonText} from './history_words.ts';
import type {Holding, Standing} from './ownership.ts';
import type {Reason} from './reasons.ts';
import type {HistoryEvent, HistoryReport} from './resource_history.ts';

/** A reservation that owns or owned the resource. */
export interface HoldingJson {
  readonly reservation_id: string;
  readonly holder_id: string;
  readonly since_lsn: string;
  readonly since_slot: string | null;
  readonly deadline_slot: string;
  /** reserved, confirmed, revoking, released, expired, revoked; null where not known. */
  readonly state: string | null;
  readonly epoch: string | null;
  readonly state_lsn: string | null;
  readonly state_slot: string | null;
  readonly resource_count: number;
}

/** Why something was answered as it was; see `Reason` for the codes. */
export interface ReasonJson {
  readonly code: Reason['is'];
  readonly resource_id: string | null;
  readonly holding: HoldingJson | null;
  /** The setting that refused it. */
  readonly bound: string | null;
  /** Since when a resource has existed that was to be created. */
  readonly since_lsn: string | null;
  /** The same in words. */
  readonly text: string;
}

/** One thing that happened, or was refused. */
export interface HistoryEventJson {
  readonly lsn: string;
  readonly slot: string;
  /** Milliseconds before now; null where slots have no known length. */
  readonly age_ms: number | null;
  readonly kind: HistoryEvent['kind'];
  readonly result: string | null;
  readonly operation_id: string | null;
  readonly client_id: string | null;
  readonly reservation_id: string | null;
  readonly holder_id: string | null;
  readonly lease_epoch: string | null;
  readonly ttl_slots: string | null;
  readonly deadline_slot: string | null;
  readonly resource_count: number;
  readonly reason: ReasonJson;
}

/** A whole report. */
export interface HistoryJson {
  readonly resource_id: string | null;
  readonly log: {readonly first_lsn: string; readonly last_lsn: string};
  readonly now_slot: string | null;
  readonly slot_ms: number | null;
  /** Lsn of the state that is known beside the log, or null. */
  readonly known_at_lsn: string | null;
  /** How the resource stands: absent, free, held, unknown; null where none was asked for. */
  readonly standing: Standing['is'] | null;
  readonly holding: HoldingJson | null;
  readonly events: readonly HistoryEventJson[];
  readonly events_dropped: number;
  readonly operation: {
    readonly operation_id: string;
    readonly answers: readonly HistoryEventJson[];
    /** What a snapshot remembers, where the log begins later. */
    readonly remembered: {
      readonly lsn: string;
      readonly result: string;
      readonly reservation_id: string | null;
      readonly deadline_slot: string | null;
    } | null;
  } | null;
}

/** The JSON form of a report. */
export function historyToJson(report: HistoryReport): HistoryJson {
  const {standing, operation, known} = report;
  return {
    resource_id: report.resource,
    log: {first_lsn: String(report.firstLsn), last_lsn: String(report.lastLsn)},
    now_slot: textOf(report.nowSlot),
    slot_ms: report.slotMs,
    known_at_lsn: textOf(known?.lsn),
    standing: standing?.is ?? null,
    holding: standing?.is === 'held' ? holdingJson(standing.by) : null,
    events: report.events.map(event => eventJson(event, report)),
    events_dropped: report.dropped,
    operation:
      operation === null
        ? null
        : {
            operation_id: operation.operation,
            answers: operation.answers.map(event => eventJson(event, report)),
            remembered:
              operation.remembered === null
                ? null
                : {
                    lsn: String(operation.remembered.lsn),
                    result: operation.remembered.result,
                    reservation_id: operation.remembered.reservation,
                    deadline_slot: textOf(operation.remembered.deadlineSlot),
                  },
          },
  };
}

/** The JSON form of an event. */
export function eventJson(event: HistoryEvent, frame: HistoryFrame): HistoryEventJson {
  const {nowSlot, slotMs} = frame;
  return {
    lsn: String(event.lsn),
    slot: String(event.slot),
    age_ms: nowSlot === null || slotMs === null ? null : Number(nowSlot - event.slot) * slotMs,
    kind: event.kind,
    result: event.result,
    operation_id: event.operation,
    client_id: event.client,
    reservation_id: event.reservation,
    holder_id: event.holder,
    lease_epoch: textOf(event.epoch),
    ttl_slots: textOf(event.ttlSlots),
    deadline_slot: textOf(event.deadlineSlot),
    resource_count: event.resourceCount,
    reason: reasonJson(event, frame),
  };
}

function reasonJson(event: HistoryEvent, frame: HistoryFrame): ReasonJson {
  const {reason} = event;
  const by = 'by' in reason ? reason.by : null;
  return {
    code: reason.is,
    resource_id: 'resource' in reason ? reason.resource : null,
    holding: by === null ? null : holdingJson(by),
    bound: 'bound' in reason ? reason.bound : null,
    since_lsn: 'lsn' in reason ? textOf(reason.lsn) : null,
    text: reasonText(event, frame),
  };
}

function holdingJson(holding: Holding): HoldingJson {
  return {
    reservation_id: holding.reservation,
    holder_id: holding.holder,
    since_lsn: String(holding.sinceLsn),
    since_slot: textOf(holding.sinceSlot),
    deadline_slot: String(holding.deadlineSlot),
    state: holding.state,
    epoch: textOf(holding.epoch),
    state_lsn: textOf(holding.stateLsn),
    state_slot: textOf(holding.stateSlot),
    resource_count: holding.resourceCount,
  };
}

function textOf(value: bigint | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
