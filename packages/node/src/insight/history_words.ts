/**
 * The words of a history: what each change did to the resource, and why one was refused. Slots are said as they are and,
 * where the length of a slot is known, as a time before or after now. Lines of a whole report are in history_lines.ts.
 */
import type {HolderId, ReservationId} from '@allocdb/api';
import type {Holding, Standing} from './ownership.ts';
import type {Bounds, Reason} from './reasons.ts';
import type {HistoryEvent, HistoryReport} from './resource_history.ts';
import {countText, durationText} from './words.ts';

/** What slots are relative to, and bounds are taken from. */
export type HistoryFrame = Pick<HistoryReport, 'nowSlot' | 'slotMs' | 'bounds' | 'firstLsn'>;

/** A slot, and how far it is from now. */
export function slotText(slot: bigint, {nowSlot, slotMs}: HistoryFrame): string {
  if (nowSlot === null || slotMs === null) return `slot ${slot}`;
  if (slot === nowSlot) return `slot ${slot} (now)`;
  const away = durationText(Number(slot < nowSlot ? nowSlot - slot : slot - nowSlot) * slotMs);
  return slot < nowSlot ? `slot ${slot} (${away} ago)` : `slot ${slot} (in ${away})`;
}

/** Who holds by this reservation, since when, and until when. */
export function holdingText(holding: Holding, frame: HistoryFrame): string {
  const {holder, reservation, sinceLsn, sinceSlot, deadlineSlot, state, stateLsn} = holding;
  const since = sinceSlot === null ? `lsn ${sinceLsn}` : `lsn ${sinceLsn}, ${slotText(sinceSlot, frame)},`;
  const who = `${holderText(holder)} under ${reservationText(reservation)} since ${since}`;
  const at = stateLsn === null ? '' : ` at lsn ${stateLsn}`;
  switch (state) {
    case 'reserved':
      return `${who} until ${slotText(deadlineSlot, frame)}`;
    case 'confirmed':
      return `${who} and confirmed${at}, so without a deadline`;
    case 'revoking':
      return `${who} and being revoked${at}: reclaim makes it free`;
    case null:
      return `${who}; whether confirmed is not known`;
    default:
      return `${who}, ${state}${at}`;
  }
}

/** How a resource stands. */
export function standingText(standing: Standing, frame: HistoryFrame): string {
  switch (standing.is) {
    case 'absent':
      return 'does not exist';
    case 'free':
      return 'free';
    case 'held':
      return `held by ${holdingText(standing.by, frame)}`;
    case 'unknown':
      return `not known: the log begins at lsn ${frame.firstLsn}, and nothing since tells`;
  }
}

/** Why an event was answered as it was. */
export function reasonText(event: HistoryEvent, frame: HistoryFrame): string {
  const {reason, kind} = event;
  switch (reason.is) {
    case 'done':
      return doneText(event, reason.by, frame);
    case 'held':
      return heldText(event, reason, frame);
    case 'held_other':
      return `one of the other ${countText(event.resourceCount - 1)} things that it names was taken; they are not followed here`;
    case 'named_twice':
      return `it names resource ${reason.resource} twice`;
    case 'no_resource':
      return reason.resource === null
        ? 'one of the things that it names did not exist; they are not followed here'
        : `resource ${reason.resource} did not exist`;
    case 'has_resource':
      return `it existed already, ${reason.lsn === null ? beforeText(frame) : `since lsn ${reason.lsn}`}`;
    case 'no_reservation':
      return 'no reservation had this id';
    case 'over':
      return reason.by === null
        ? `the reservation was over, ${beforeText(frame)} or past being remembered`
        : `the reservation was over: ${reason.by.state}${reason.by.stateLsn === null ? '' : ` at lsn ${reason.by.stateLsn}`}`;
    case 'other_holder':
      return `the reservation is ${whoseText(reason.by)}, not ${event.holder === null ? 'yours' : `${holderText(event.holder)}'s`}`;
    case 'other_epoch':
      return `its epoch was ${reason.by?.epoch ?? 'another'}, not ${event.epoch ?? 'that'}`;
    case 'other_state':
      return `the reservation was ${reason.by?.state ?? 'in another state'}${kind === 'expire' ? ', so it did not expire' : ''}`;
    case 'other_deadline':
      return `the reservation has another deadline${reason.by === null ? '' : `, slot ${reason.by.deadlineSlot}`}`;
    case 'bound':
      return boundText(event, reason.bound, frame.bounds);
    case 'not_noted':
      return 'the log does not say what was answered: it was written before answers were noted';
  }
}

function doneText(event: HistoryEvent, by: Holding | null, frame: HistoryFrame): string {
  const {kind, reservation, holder, deadlineSlot} = event;
  const named = reservation === null ? 'the reservation' : reservationText(reservation);
  const holderOf = by === null ? (holder === null ? '' : ` of ${holderText(holder)}`) : ` of ${holderText(by.holder)}`;
  switch (kind) {
    case 'create_resource':
      return 'created';
    case 'reserve':
    case 'reserve_bundle': {
      const others = event.resourceCount - 1;
      const bundle = others > 0 ? `, with ${countText(others)} ${others === 1 ? 'other' : 'others'}` : '';
      const until = deadlineSlot === null ? '' : ` until ${slotText(deadlineSlot, frame)}`;
      return `held by ${holder === null ? 'its holder' : holderText(holder)} under ${named}${bundle}${until}`;
    }
    case 'confirm':
      return `${named}${holderOf} is confirmed: it has no deadline any more`;
    case 'release':
      return `${named}${holderOf} is released: free again`;
    case 'revoke':
      return `${named}${holderOf} is being revoked: the epoch is ${by?.epoch ?? 'one higher'} now, reclaim makes it free`;
    case 'reclaim':
      return `${named}${holderOf} is revoked: free again`;
    case 'expire':
      return `${named}${holderOf} expired, its deadline was slot ${deadlineSlot}: free again`;
  }
}

function heldText(event: HistoryEvent, reason: Reason & {is: 'held'}, frame: HistoryFrame): string {
  const {by, resource} = reason;
  const what = event.resourceCount > 1 && resource !== null ? `resource ${resource}` : 'it';
  if (by === null) {
    return `at lsn ${event.lsn} ${what} was held under a reservation from before lsn ${frame.firstLsn}, where the log begins`;
  }
  const isLate = by.state === 'reserved' && by.deadlineSlot <= event.slot;
  const late = isLate ? '; the deadline had come, and a hold ends by an expiration that is logged' : '';
  return `at lsn ${event.lsn} ${what} was held by ${holdingText(by, frame)}${late}`;
}

function boundText(event: HistoryEvent, bound: keyof Bounds, bounds: Bounds | null): string {
  const is = bounds === null ? '' : ` is ${countText(bounds[bound])}`;
  switch (bound) {
    case 'max_bundle_size':
      return event.resourceCount === 0
        ? 'it names nothing'
        : `it names ${countText(event.resourceCount)} things; ${bound}${is}`;
    case 'max_ttl_slots':
      return `it asks for ${event.ttlSlots ?? 0n} slots; from 1 to ${bound} can be had${bounds === null ? '' : `, ${countText(bounds[bound])}`}`;
    case 'max_operations':
      return `the table of operations was full, ${bound}${is}; it was not remembered and may be sent again`;
    default:
      return `there was no room: ${bound}${is}`;
  }
}

function beforeText({firstLsn}: HistoryFrame): string {
  return `since before lsn ${firstLsn}`;
}

function whoseText(by: Holding | null): string {
  return by === null ? "another holder's" : `${holderText(by.holder)}'s`;
}

function holderText(holder: HolderId): string {
  return `holder ${holder}`;
}

function reservationText(reservation: ReservationId): string {
  return `reservation ${reservation}`;
}
