// Scans of the model: what a page of resources shows, and what all pages of reservations show together.
//
// Resources lie in the order of their creation, so that a position means the same here and in an engine. Where an engine
// keeps a reservation is nobody's business: the model shows them in the order of their ids, all of them or, past every
// table's end, none, and an engine's page is compared once its entries lie in that order too (`pageInIdOrder`).
import {ByteReader, U64_MAX} from './bytes.ts';
import type {ApiRequest} from './request.ts';
import type {ApiResponse} from './response.ts';
import type {Reservation, State} from './state.ts';

const ROWS_MAX = 8192;
const ENTRIES_MAX = 1000;
const RESERVATIONS_PAGE = 19;

export function resourcesPage(
  {resources, lastAppliedLsn}: State,
  {state, position, limit}: Extract<ApiRequest, {kind: 'scan_resources'}>,
): ApiResponse {
  const rows = [...resources.values()];
  const first = position < BigInt(rows.length) ? Number(position) : rows.length;
  const most = limit === 0 ? ENTRIES_MAX : Math.min(limit, ENTRIES_MAX);
  const shown = [];
  let next = first;
  while (next < rows.length && next < first + ROWS_MAX && shown.length < most) {
    const row = rows[next];
    if (row !== undefined && (state === null || row.state === state)) shown.push({...row});
    next += 1;
  }
  return {
    kind: 'resources_page',
    lastAppliedLsn,
    next: next < rows.length ? BigInt(next) : null,
    resources: shown,
  };
}

/** Of a whole walk, or past the end. Reservations beyond the history window are gone from the state already. */
export function reservationsPage(
  {reservations, lastAppliedLsn}: State,
  {currentSlot, holderId, state, position, limit}: Extract<ApiRequest, {kind: 'scan_reservations'}>,
): ApiResponse {
  if ((position !== 0n && position !== U64_MAX) || limit !== 0)
    throw new RangeError('the model shows whole walks only');
  const isShown = (row: Reservation): boolean =>
    (holderId === null || row.holderId === holderId) &&
    (state === null || row.state === state) &&
    (row.retireAfterSlot === null || row.retireAfterSlot >= currentSlot);
  const shown = position === 0n ? [...reservations.values()].filter(isShown) : [];
  shown.sort((left, right) => (left.reservationId < right.reservationId ? -1 : 1));
  const copies = shown.map(row => ({...row, members: [...row.members]}));
  return {kind: 'reservations_page', lastAppliedLsn, next: null, reservations: copies};
}

/** A page of reservations with its entries in the order of their ids; any other response as it is. */
export function pageInIdOrder(response: Uint8Array): Uint8Array {
  if (response[0] !== RESERVATIONS_PAGE) return response;
  const reader = new ByteReader(response);
  const at = (): number => response.length - reader.left();
  reader.u8();
  reader.opt64();
  reader.opt64();
  const count = reader.u16();
  const head = response.slice(0, at());
  const entries = Array.from({length: count}, () => {
    const begin = at();
    const id = reader.u128();
    reader.take(16 + 1 + 8 + 8 + 8);
    reader.opt64();
    reader.opt64();
    reader.take(16 * reader.u32());
    return {id, bytes: response.slice(begin, at())};
  });
  reader.end();
  entries.sort((left, right) => (left.id < right.id ? -1 : 1));
  return Uint8Array.from([...head, ...entries.flatMap(({bytes}) => [...bytes])]);
}
