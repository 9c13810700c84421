/**
 * Resources and who owns them: every id is findable, an available resource has no owner, any other points to a live
 * reservation that lists it, in the agreeing state, and has been through a transition.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {isTerminal, RESERVATION_STATE, RESOURCE_STATE} from '../result.ts';
import {RESOURCE} from '../table/resource_table.ts';
import {checkIndexCells} from './index_cells.ts';
import {readAhead} from './read_ahead.ts';

const OWNER_STATE: Record<number, number> = {
  [RESOURCE_STATE.RESERVED]: RESERVATION_STATE.RESERVED,
  [RESOURCE_STATE.CONFIRMED]: RESERVATION_STATE.CONFIRMED,
  [RESOURCE_STATE.REVOKING]: RESERVATION_STATE.REVOKING,
};

export function checkResources(db: AllocDb): string | null {
  const {resources, reservations, lookahead} = db;
  const listedBy = listings(db);
  const w = resources.words;
  const note = (row: number): boolean => {
    const at = row * RESOURCE.WORDS;
    return lookahead.noteResource(w[at], w[at + 1], w[at + 2], w[at + 3]);
  };
  for (let row = 0, seen = 0; row < resources.count; row++) {
    if (row === seen) seen = readAhead(lookahead, row, resources.count, note);
    const at = row * RESOURCE.WORDS;
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
    if (listedBy[row] !== owner + 1) return `resource row ${row} is held by a reservation that does not list it`;
    if (w[at + RESOURCE.VERSION] === 0 && w[at + RESOURCE.VERSION + 1] === 0) {
      return `resource row ${row} is held at version 0`;
    }
  }
  return checkIndexCells('resources', resources.index, row => row < resources.count);
}

/** By resource row: the live reservation row + 1 that lists it (the last one, if several do), or 0. */
function listings(db: AllocDb): Int32Array {
  const {resources, reservations} = db;
  const listedBy = new Int32Array(resources.capacity);
  for (let row = 0; row < reservations.capacity; row++) {
    const state = reservations.state(row);
    if (state === 0 || isTerminal(state)) continue;
    // A count out of bounds is reported with the reservations; here it must not make the walk endless.
    const count = Math.min(reservations.memberCount(row), db.config.maxBundleSize);
    for (let i = 0; i < count; i++) listedBy[reservations.member(row, i)] = row + 1;
  }
  return listedBy;
}
