/**
 * A change as JSON, with the names and the text of this port, and as an event of a stream, whose id is its lsn.
 */
import type {Change} from '@allocdb/api';
import type {Json} from './read_json.ts';

/** A change; members that its kind does not have are left out. */
export function changeJson(change: Change): Json {
  const {lsn, slot, result, kind} = change;
  const base = {lsn: String(lsn), slot: String(slot), kind, result};
  if (change.kind === 'expire') {
    return {...base, reservation: change.reservation, deadline_slot: String(change.deadlineSlot)};
  }
  const head = {...base, operation: change.operation, client: change.client};
  switch (change.kind) {
    case 'create_resource':
      return {...head, resource: change.resource};
    case 'reserve':
    case 'reserve_bundle': {
      const {resources, holder, ttlSlots, lease} = change;
      const granted = lease === null ? null : {id: lease.id, deadline_slot: String(lease.deadlineSlot)};
      return {...head, resources, holder, ttl_slots: String(ttlSlots), lease: granted};
    }
    case 'confirm':
    case 'release': {
      const {reservation, holder, epoch} = change;
      return {...head, reservation, holder, epoch: epoch === null ? null : String(epoch)};
    }
    default:
      return {...head, reservation: change.reservation};
  }
}

/** One event: `data` is on one line, because JSON has no line breaks of its own. */
export function eventText(event: string, data: Json, id?: bigint): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
