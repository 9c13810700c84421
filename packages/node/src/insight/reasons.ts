/**
 * Why a change was answered as it was, from what is known of its subjects at that moment. The answer itself stands in the
 * log and is not judged: of several things that could be the cause, the one is taken that `docs/semantics.md` checks
 * first and that is known to have been so.
 */
import type {Change, ReserveChange, ResourceId} from '@allocdb/api';
import type {CoreConfig} from '@allocdb/core';
import {type Holding, isOver, type Ownership} from './ownership.ts';
import {reservationOfChange} from './subjects.ts';

/** Which bound of the configuration refused a command. */
export type Bound =
  | 'max_resources'
  | 'max_reservations'
  | 'max_operations'
  | 'max_bundle_size'
  | 'max_ttl_slots'
  | 'max_expiration_bucket_len';

/** The bounds of a configuration. */
export type Bounds = Readonly<Record<Bound, bigint>>;

/** The bounds of a configuration, by the names that its file has. */
export function boundsOf(core: CoreConfig): Bounds {
  return {
    max_resources: BigInt(core.maxResources),
    max_reservations: BigInt(core.maxReservations),
    max_operations: BigInt(core.maxOperations),
    max_bundle_size: BigInt(core.maxBundleSize),
    max_ttl_slots: core.maxTtlSlots,
    max_expiration_bucket_len: BigInt(core.maxExpirationBucketLen),
  };
}

/**
 * - `done`: the answer is ok; `by` is what it made or changed, where it was followed
 * - `held`: a resource was owned; without `by`, by a reservation from before the first change that is known
 * - `held_other`: something else in the bundle was owned, or may have been: what, is not followed
 * - `named_twice`: a bundle names a resource twice
 * - `no_resource`, `has_resource`: it was not, or already, there; `lsn` says since when, where known
 * - `no_reservation`: none was ever granted under this id
 * - `over`: the reservation had ended; without `by`, before the first change that is known
 * - `other_holder`, `other_epoch`, `other_state`, `other_deadline`: it was there and not as the command needs it
 * - `bound`: a table or a limit was full, or the command asks for more than can be had
 * - `not_noted`: the log does not say what was answered
 */
export type Reason =
  | {readonly is: 'done'; readonly by: Holding | null}
  | {readonly is: 'held'; readonly resource: ResourceId | null; readonly by: Holding | null}
  | {readonly is: 'held_other'}
  | {readonly is: 'named_twice'; readonly resource: ResourceId}
  | {readonly is: 'no_resource'; readonly resource: ResourceId | null}
  | {readonly is: 'has_resource'; readonly lsn: bigint | null}
  | {readonly is: 'no_reservation'}
  | {readonly is: 'over'; readonly by: Holding | null}
  | {readonly is: 'other_holder' | 'other_epoch' | 'other_state' | 'other_deadline'; readonly by: Holding | null}
  | {readonly is: 'bound'; readonly bound: Bound}
  | {readonly is: 'not_noted'};

/** What a change that was answered ok has made or changed; asked behind it. */
export function outcomeOf(change: Change, ownership: Ownership): Reason {
  const id = reservationOfChange(change);
  return {is: 'done', by: id === null ? null : ownership.holdingOf(id)};
}

/** Why a change was not answered ok; asked before it is applied. */
export function refusalOf(change: Change, ownership: Ownership): Reason {
  const id = reservationOfChange(change);
  const by = id === null ? null : ownership.holdingOf(id);
  switch (change.result) {
    case 'already_exists': {
      const lsn = change.kind === 'create_resource' ? ownership.createdAt(change.resource) : null;
      return {is: 'has_resource', lsn};
    }
    case 'resource_busy':
      return 'resources' in change ? busyReason(change, ownership) : {is: 'held', resource: null, by: null};
    case 'resource_not_found':
      return {is: 'no_resource', resource: 'resources' in change ? missingOf(change, ownership) : null};
    case 'reservation_not_found':
      return {is: 'no_reservation'};
    case 'reservation_retired':
      return {is: 'over', by: by !== null && isOver(by) ? by : null};
    case 'holder_mismatch':
      return {is: 'other_holder', by};
    case 'stale_epoch':
      return {is: 'other_epoch', by};
    case 'invalid_state':
      return {is: 'other_state', by};
    case 'noop': {
      const isOther = by !== null && change.kind === 'expire' && change.deadlineSlot !== by.deadlineSlot;
      return {is: isOther ? 'other_deadline' : 'other_state', by};
    }
    case 'resource_table_full':
      return {is: 'bound', bound: 'max_resources'};
    case 'reservation_table_full':
      return {is: 'bound', bound: 'max_reservations'};
    case 'operation_table_full':
      return {is: 'bound', bound: 'max_operations'};
    case 'expiration_index_full':
      return {is: 'bound', bound: 'max_expiration_bucket_len'};
    case 'bundle_too_large':
      return {is: 'bound', bound: 'max_bundle_size'};
    case 'ttl_out_of_range':
      return {is: 'bound', bound: 'max_ttl_slots'};
    default:
      return {is: 'not_noted'};
  }
}

/**
 * The first member, in the order of the request, that is known to have been taken. One before it of which nothing is known
 * may have been taken too; what is said is true all the same.
 */
function busyReason({resources}: ReserveChange, ownership: Ownership): Reason {
  const seen = new Set<ResourceId>();
  let unknown: ResourceId | null = null;
  let hasOther = false;
  for (const resource of resources) {
    if (seen.has(resource)) return {is: 'named_twice', resource};
    seen.add(resource);
    const standing = ownership.standingOf(resource);
    if (standing.is === 'held') return {is: 'held', resource, by: standing.by};
    if (!ownership.follows(resource)) hasOther = true;
    else if (standing.is === 'unknown') unknown ??= resource;
  }
  return hasOther ? {is: 'held_other'} : {is: 'held', resource: unknown, by: null};
}

function missingOf({resources}: ReserveChange, ownership: Ownership): ResourceId | null {
  if (resources.length === 1) return resources[0] ?? null;
  return resources.find(id => ownership.standingOf(id).is === 'absent') ?? null;
}
