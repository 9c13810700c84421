/**
 * checkInvariants: walks the whole state and says what does not hold. It is run by tests, the simulator, `verify` and
 * after every recovery; never by the apply path, which asserts only what it touches.
 *
 * Each relation has a file of its own beside this one and returns the first violation as text.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {checkOperations} from './operations.ts';
import {checkReservations} from './reservations.ts';
import {checkResources} from './resources.ts';
import {checkWheel} from './wheel.ts';

/** The violations found, at most one for each relation; empty when the state is sound. */
export function checkInvariants(db: AllocDb): string[] {
  const relations = [checkResources, checkReservations, checkWheel, checkOperations];
  return relations.map(check => check(db)).filter(violation => violation !== null);
}
