/**
 * A history as lines for people. They are made from its JSON form, so that a report that came over the network reads like
 * one that was made here, word by word. What happened, and why, stands in that form in words already (history_words.ts).
 */
import type {HolderId, ReservationId} from '@allocdb/api';
import {eventJson, type HistoryEventJson, type HistoryJson, type HoldingJson, historyToJson} from './history_json.ts';
import {type HistoryFrame, slotText, standingText} from './history_words.ts';
import type {Holding, HoldingState, Standing} from './ownership.ts';
import type {HistoryEvent, HistoryReport} from './resource_history.ts';
import {countText} from './words.ts';

/** A report as lines: where it begins, how the resource stands, what happened, and what became of the operation. */
export function historyLines(report: HistoryReport): string[] {
  return historyJsonLines(historyToJson(report));
}

/** An event of a report as a line. */
export function eventLine(event: HistoryEvent, frame: HistoryFrame): string {
  return lineOf(eventJson(event, frame), frame);
}

/** The lines of a report that came as JSON. */
export function historyJsonLines(json: HistoryJson): string[] {
  const frame = frameOf(json);
  const lines: string[] = [];
  const {resource_id: resource, known_at_lsn: knownLsn, events, events_dropped: dropped, operation} = json;
  const standing = standingOf(json);
  if (resource !== null && standing !== null) {
    lines.push(`resource ${resource}: ${standingText(standing, frame)}`);
    if (frame.firstLsn > 1n) {
      const also = knownLsn === null ? '' : `; a snapshot at lsn ${knownLsn} tells of what was there before`;
      lines.push(`the log begins at lsn ${frame.firstLsn}: what lies before is unknown${also}`);
    }
    if (dropped > 0) lines.push(`${countText(dropped)} older events are not shown`);
    if (events.length === 0) lines.push(nothingText(json.log));
    lines.push(...events.map(event => lineOf(event, frame)));
  }
  if (operation !== null) lines.push(...operationLines(operation, json, frame));
  return lines;
}

function lineOf(
  {lsn, slot, kind, result, operation_id: operation, reason}: HistoryEventJson,
  frame: HistoryFrame,
): string {
  const by = operation === null ? '' : ` (operation ${operation})`;
  const answer = result === null ? '' : `${result}: `;
  return `lsn ${lsn}, ${slotText(BigInt(slot), frame)}: ${kind}${by}: ${answer}${reason.text}`;
}

function nothingText({first_lsn: first, last_lsn: last}: HistoryJson['log']): string {
  if (BigInt(last) < BigInt(first)) return `nothing has happened from lsn ${first} on`;
  return `from lsn ${first} to ${last} nothing concerned it`;
}

function operationLines(
  story: NonNullable<HistoryJson['operation']>,
  {log}: HistoryJson,
  frame: HistoryFrame,
): string[] {
  const {operation_id: operation, answers, remembered} = story;
  if (answers.length > 0) {
    const times =
      answers.length === 1 ? '' : `, executed ${answers.length} times because it was not remembered any more`;
    return [`operation ${operation}${times}:`, ...answers.map(event => `  ${lineOf(event, frame)}`)];
  }
  if (remembered === null) {
    return [
      `operation ${operation}: it is not in the log from lsn ${log.first_lsn} to ${log.last_lsn}: never executed, refused before it was logged, or older`,
    ];
  }
  const {lsn, result, reservation_id: reservation, deadline_slot: deadlineSlot} = remembered;
  const granted = reservation === null ? '' : `, reservation ${reservation} until slot ${deadlineSlot}`;
  return [
    `operation ${operation}: answered ${result} at lsn ${lsn}${granted}, as a snapshot remembers; the log begins later, so why is unknown`,
  ];
}

/** What slots are relative to. Bounds are in the words of the events that they have refused. */
function frameOf({now_slot: nowSlot, slot_ms: slotMs, log}: HistoryJson): HistoryFrame {
  return {nowSlot: wideOf(nowSlot), slotMs, bounds: null, firstLsn: BigInt(log.first_lsn)};
}

function standingOf({standing, holding}: HistoryJson): Standing | null {
  if (standing !== 'held') return standing === null ? null : {is: standing};
  return holding === null ? {is: 'unknown'} : {is: 'held', by: holdingOf(holding)};
}

function holdingOf(json: HoldingJson): Holding {
  return {
    reservation: json.reservation_id as ReservationId,
    holder: json.holder_id as HolderId,
    sinceLsn: BigInt(json.since_lsn),
    sinceSlot: wideOf(json.since_slot),
    deadlineSlot: BigInt(json.deadline_slot),
    state: json.state as HoldingState | null,
    epoch: wideOf(json.epoch),
    stateLsn: wideOf(json.state_lsn),
    stateSlot: wideOf(json.state_slot),
    resourceCount: json.resource_count,
  };
}

function wideOf(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}
