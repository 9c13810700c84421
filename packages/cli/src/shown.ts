/**
 * Resources and leases as get and list show them: flat, with a deadline only where one can still pass. A confirmed lease
 * has none, and one that is over has an end instead.
 */
import type {Client, LeaseView, ResourceView} from '@allocdb/client';
import type {Fields} from './output.ts';
import {secondsLeft} from './slots.ts';

/** A lease's own fields. */
export function leaseFields(client: Client, lease: LeaseView): Fields {
  const isHeld = lease.state === 'reserved';
  return {
    lease: lease.id,
    state: lease.state,
    resources: lease.resources,
    holder: lease.holder,
    epoch: lease.epoch,
    deadlineSlot: isHeld ? lease.deadlineSlot : null,
    secondsLeft: isHeld ? secondsLeft(client, lease.deadlineSlot) : null,
    createdLsn: lease.createdLsn,
    releasedLsn: lease.releasedLsn,
  };
}

/** A resource's own fields. */
export function resourceFields(resource: ResourceView): Fields {
  return {
    resource: resource.id,
    state: resource.state,
    version: resource.version,
    lease: resource.reservation,
  };
}

/** A digest as it is printed everywhere. */
export function hex128(value: bigint): string {
  return value.toString(16).padStart(32, '0');
}
