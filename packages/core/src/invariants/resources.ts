/**
 * Resources and who owns them: every id is findable, an available resource has no owner, any other points to a live
 * reservation that lists it, in the agreeing state, and has been through a transition.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal, RESERVATION_STATE, RESOURCE_STATE} from '../result.ts';
import {RESOURCE} from '../table/resource_table.ts';
import {checkIndexCells} from './index_cells.ts';

const OWNER_STATE: Record<number, number> = {
  [RESOURCE_STATE.RESERVED]: RESERVATION_STATE.RESERVED,
  [RESOURCE_STATE.CONFIRMED]: RESERVATION_STATE.CONFIRMED,
  [RESOURCE_STATE.REVOKING]: RESERVATION_STATE.REVOKING,
};

export function checkResources(db: AllocDb): string | null {
  const {resources, reservations} = db;
  for (let row = 0; row < resources.count; row++) {
    const at = row * RESOURCE.WORDS;
    const w = resources.words;
    if (resources.find(w[at], w[at + 1], w[at + 2], w[at + 3]) !== row) return `resource row ${row} is not findable`;
    const state = resources.state(row);
    const owner = resources.owner(row);
    if (state === RESOURCE_STATE.AVAILABLE) {
      if (owner >= 0) return `resource row ${row} is available and has an owner`;
      continue;
    }
    const expected = OWNER_STATE[state];
    if (expected === undefined) return `resource row ${row} has state ${state}`;
    if (owner < 0 || owner >= reservations.capacity) return `resource row ${row} is held by nobody`;
    const ownerState = reservations.state(owner);
    if (ownerState === 0 || isTerminal(ownerState)) return `resource row ${row} is held by a reservation that is over`;
    if (ownerState !== expected) return `resource row ${row} and its reservation disagree in state`;
    if (!lists(db, owner, row)) return `resource row ${row} is held by a reservation that does not list it`;
    if (w[at + RESOURCE.VERSION] === 0 && w[at + RESOURCE.VERSION + 1] === 0) {
      return `resource row ${row} is held at version 0`;
    }
  }
  return checkIndexCells('resources', resources.index, row => row < resources.count);
}

function lists(db: AllocDb, reservation: number, resource: number): boolean {
  for (let i = 0; i < db.reservations.memberCount(reservation); i++) {
    if (db.reservations.member(reservation, i) === resource) return true;
  }
  return false;
}
