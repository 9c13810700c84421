/**
 * Holds a report against what the naive database wrote down: every event that must be there and no other, every owner that
 * is named is the owner of that moment, every cause is the first of the causes there were. What a report says it does not
 * know is no contradiction here; the tests say where it must know.
 */
import type {Change, ReservationId, ResourceId} from '@allocdb/api';
import type {HistoryEvent, HistoryReport, Holding, KnownState, ReservationRecord, Standing} from '../src/index.ts';
import {ALL_RESOURCES, type ModelReservation, type NaiveDatabase, type Truth} from './why_model.ts';

/**
 * What contradicts the truth, one line each. `from` is the first lsn that was shown to the history, `grantsFrom` the first
 * one of which it can know the reservation.
 */
export function contradictions(
  report: HistoryReport,
  database: NaiveDatabase,
  from: bigint = 1n,
  grantsFrom: bigint = from,
): string[] {
  const {resource, events, operation, standing} = report;
  const wrong: string[] = [];
  if (resource !== null) {
    const expected = concerning(resource, database, grantsFrom).filter(lsn => lsn >= from);
    const got = new Set(events.map(({lsn}) => lsn));
    for (const lsn of expected) if (!got.has(lsn)) wrong.push(`lsn ${lsn} is missing`);
    const all = concerning(resource, database, 1n);
    for (const {lsn} of events) if (!all.includes(lsn)) wrong.push(`lsn ${lsn} does not concern it`);
    if (standing !== null) wrong.push(...standingProblems(standing, resource, database));
  }
  for (const event of [...events, ...(operation?.answers ?? [])]) {
    const truth = database.truths[Number(event.lsn) - 1];
    if (truth !== undefined) wrong.push(...eventProblems(event, truth).map(text => `lsn ${event.lsn}: ${text}`));
  }
  return wrong;
}

/** Lsns that concern a resource, from the moment on from which reservations can be known. */
function concerning(resource: ResourceId, {truths}: NaiveDatabase, from: bigint): bigint[] {
  const owned = new Set<ReservationId>();
  const lsns: bigint[] = [];
  for (const {change} of truths) {
    const {lsn} = change;
    if (lsn < from) continue;
    if (change.kind === 'create_resource') {
      if (change.resource === resource) lsns.push(lsn);
    } else if ('resources' in change) {
      if (!change.resources.includes(resource)) continue;
      lsns.push(lsn);
      if (change.lease !== null) owned.add(change.lease.id);
    } else if (owned.has(change.reservation)) lsns.push(lsn);
  }
  return lsns;
}

function standingProblems(standing: Standing, resource: ResourceId, {resources}: NaiveDatabase): string[] {
  const owner = resources.get(resource);
  if (standing.is === 'unknown') return [];
  if (standing.is === 'absent') return owner === undefined ? [] : ['it exists'];
  if (standing.is === 'free') return owner === null ? [] : ['it is not free'];
  return owner ? holdingProblems(standing.by, owner) : ['nobody holds it'];
}

function holdingProblems(holding: Holding, truth: ModelReservation): string[] {
  const wrong: string[] = [];
  const check = (name: string, got: unknown, expected: unknown): void => {
    if (got !== expected) wrong.push(`${name} is ${expected}, not ${got}`);
  };
  check('the owner', holding.reservation, truth.id);
  check('the holder', holding.holder, truth.holder);
  check('the lsn', holding.sinceLsn, truth.lsn);
  check('the deadline', holding.deadlineSlot, truth.deadlineSlot);
  check('the number of members', holding.resourceCount, truth.members.length);
  if (holding.sinceSlot !== null) check('the slot', holding.sinceSlot, truth.slot);
  if (holding.state !== null) check('the state', holding.state, truth.state);
  if (holding.epoch !== null) check('the epoch', holding.epoch, truth.epoch);
  return wrong;
}

function eventProblems(event: HistoryEvent, {change, owners, reservation}: Truth): string[] {
  const {reason} = event;
  if (event.result !== change.result || event.kind !== change.kind) return ['it is another change'];
  switch (reason.is) {
    case 'not_noted':
      return change.result === null ? [] : ['it was noted'];
    case 'done':
      return change.result === 'ok' ? [] : ['it was refused'];
    case 'held': {
      if (change.result !== 'resource_busy') return ['nothing was held'];
      if (reason.by === null) return [];
      const owner = reason.resource === null ? undefined : owners.get(reason.resource);
      return owner ? holdingProblems(reason.by, owner) : [`${reason.resource} was not held`];
    }
    case 'held_other':
      return change.result === 'resource_busy' && membersOf(change) > 1 ? [] : ['there is no other'];
    case 'named_twice':
      return change.result === 'resource_busy' && countOf(change, reason.resource) > 1
        ? []
        : ['it was not named twice'];
    case 'no_resource':
      if (change.result !== 'resource_not_found') return ['nothing was missing'];
      return reason.resource === null || !owners.has(reason.resource) ? [] : ['it was there'];
    case 'has_resource':
      return change.result === 'already_exists' ? [] : ['it was created'];
    case 'no_reservation':
      return reservation === null ? [] : ['there was such a reservation'];
    case 'over':
      if (reservation?.endLsn === null || reservation === null) return ['it was not over'];
      return reason.by === null ? [] : holdingProblems(reason.by, reservation);
    case 'other_holder':
    case 'other_epoch':
    case 'other_state':
    case 'other_deadline':
      if (reservation === null) return ['there was no such reservation'];
      return reason.by === null ? [] : holdingProblems(reason.by, reservation);
    default:
      return [`it is never for a reason like ${reason.is}`];
  }
}

function membersOf(change: Change): number {
  return 'resources' in change ? change.resources.length : 0;
}

function countOf(change: Change, resource: ResourceId): number {
  return 'resources' in change ? change.resources.filter(id => id === resource).length : 0;
}

/** Events that leave open what a history from the beginning can say, of bundles as far as it follows them. */
export function openEvents(report: HistoryReport): string[] {
  return [...report.events, ...(report.operation?.answers ?? [])].flatMap(({lsn, reason}) => {
    const isOpen =
      (reason.is === 'held' && reason.by === null) ||
      (reason.is === 'over' && reason.by === null) ||
      (reason.is === 'has_resource' && reason.lsn === null) ||
      ('by' in reason && reason.is.startsWith('other') && reason.by === null);
    return isOpen ? [`lsn ${lsn}: ${reason.is}`] : [];
  });
}

/** The state of a database, as a snapshot of this moment would have it if nothing had retired. */
export function knownOf({lastLsn, slot, resources, reservations}: NaiveDatabase): KnownState {
  return {
    lsn: lastLsn,
    slot,
    resources: new Map(
      ALL_RESOURCES.map(id => {
        const owner = resources.get(id);
        if (owner === undefined) return [id, null];
        const state = owner === null ? 'available' : owner.state;
        return [id, {kind: 'resource', id, state, version: 1n, reservation: owner?.id ?? null}];
      }),
    ),
    reservations: new Map([...reservations.values()].map(each => [each.id, recordOf(each)])),
    operation: null,
  };
}

function recordOf(each: ModelReservation): ReservationRecord {
  const {id, lsn, holder, state, epoch, deadlineSlot, endLsn, members} = each;
  const end = {releasedLsn: endLsn, retireAfterSlot: endLsn === null ? null : 1_000_000n};
  return {kind: 'reservation', id, lsn, holder, state, epoch, deadlineSlot, ...end, resources: members};
}
