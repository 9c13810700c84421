/**
 * A seat map: a CSV file with the columns section, row, seat and tier, one line a seat. Every fault is reported with its
 * line, all at once up to a bound, and a map with any fault is refused: nobody wants to sell half a hall.
 *
 * Seats are adjacent when their numbers follow each other in one row of one section; an aisle is a gap in the numbers.
 * The order of sections and tiers in the file is their popularity, the first being the most wanted.
 */
import {type ResourceId, resourceIdFrom} from '@allocdb/api';

/** One seat. */
export interface Seat {
  /** Position in the map. */
  readonly index: number;
  readonly section: string;
  readonly row: string;
  readonly number: number;
  readonly tier: string;
}

/** Seats with consecutive numbers in one row, as positions in the map, by rising number. */
export interface Run {
  readonly section: string;
  readonly row: string;
  /** Of its first seat. */
  readonly tier: string;
  readonly seats: readonly number[];
}

/** Why a seat map is refused: one line a fault, each with file and line. */
export class SeatMapError extends Error {
  override readonly name: string = 'SeatMapError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

const COLUMNS: readonly string[] = ['section', 'row', 'seat', 'tier'];
const FAULTS_MAX = 20;
const SEATS_MAX = 200_000;

/** Reads a seat map; `source` is what faults call the file. Throws SeatMapError. */
export function parseSeatMap(text: string, source: string): Seat[] {
  const faults: string[] = [];
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  while (lines.length > 0 && lines.at(-1) === '') lines.pop();
  const order = headerOrder(lines[0] ?? '', `${source}:1`);
  const seats: Seat[] = [];
  const lineOf = new Map<string, number>();
  for (const [i, line] of lines.entries()) {
    if (i === 0) continue;
    const read = readSeat(line, order, seats.length);
    let fault = typeof read === 'string' ? read : null;
    if (typeof read !== 'string') {
      const name = seatName(read);
      const before = lineOf.get(name);
      if (before === undefined) {
        lineOf.set(name, i + 1);
        seats.push(read);
      } else fault = `section ${read.section}, row ${read.row}, seat ${read.number} stands in line ${before} already`;
    }
    if (fault !== null) faults.push(`${source}:${i + 1}: ${fault}`);
    if (faults.length === FAULTS_MAX) {
      faults.push(`${source}: and perhaps more; the first ${FAULTS_MAX} faults are shown`);
      break;
    }
  }
  if (faults.length === 0 && seats.length === 0) faults.push(`${source}:2: no seats follow the header`);
  if (seats.length > SEATS_MAX) faults.push(`${source}: ${seats.length} seats, at most ${SEATS_MAX} are sold here`);
  if (faults.length > 0) throw new SeatMapError(faults);
  return seats;
}

/** For each of COLUMNS, where it stands in a line. */
function headerOrder(header: string, place: string): number[] {
  const wanted = `the header must name the columns ${COLUMNS.join(', ')}`;
  if (header.trim() === '') throw new SeatMapError([`${place}: the file is empty; ${wanted}`]);
  const names = splitLine(header)?.map(name => name.trim().toLowerCase()) ?? [];
  const unknown = names.filter(name => !COLUMNS.includes(name));
  if (unknown.length > 0) throw new SeatMapError([`${place}: unknown column "${unknown[0]}"; ${wanted}`]);
  const missing = COLUMNS.filter(name => !names.includes(name));
  if (missing.length > 0) throw new SeatMapError([`${place}: column "${missing[0]}" is missing; ${wanted}`]);
  if (names.length > COLUMNS.length) throw new SeatMapError([`${place}: a column is named twice; ${wanted}`]);
  return COLUMNS.map(name => names.indexOf(name));
}

/** The seat in a line, or what is wrong with it. */
function readSeat(line: string, order: readonly number[], index: number): Seat | string {
  if (line.trim() === '') return 'empty line';
  const fields = splitLine(line);
  if (fields === null) return 'a quote is not closed';
  if (fields.length !== COLUMNS.length) return `${fields.length} columns, wanted ${COLUMNS.length}`;
  const values = order.map(at => (fields[at] ?? '').trim());
  const empty = values.indexOf('');
  if (empty >= 0) return `${COLUMNS[empty]} is empty`;
  const slashed = values.findIndex(value => value.includes('/'));
  if (slashed >= 0) return `${COLUMNS[slashed]} contains "/", which separates the parts of a seat's name`;
  const [section = '', row = '', seat = '', tier = ''] = values;
  if (!/^\d{1,6}$/.test(seat) || Number(seat) === 0) return `seat must be a whole number from 1, got "${seat}"`;
  return {index, section, row, number: Number(seat), tier};
}

/** Fields of a line; quoted ones may contain commas and doubled quotes. Null when a quote stays open. */
function splitLine(line: string): string[] | null {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (char === '"' && quoted && line.charAt(i + 1) === '"') {
      field += '"';
      i++;
    } else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      fields.push(field);
      field = '';
    } else field += char;
  }
  return quoted ? null : [...fields, field];
}

/** What a seat's resource id is derived from. */
export function seatName(seat: Seat): string {
  return `hall/${seat.section}/${seat.row}/${seat.number}`;
}

/** The resource that stands for a seat. */
export function seatResource(seat: Seat): ResourceId {
  return resourceIdFrom(seatName(seat));
}

/** All runs of adjacent seats, rows in the order in which they first occur. */
export function runsOf(seats: readonly Seat[]): Run[] {
  const rows = new Map<string, Seat[]>();
  for (const seat of seats) {
    const key = `${seat.section}/${seat.row}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, [seat]);
    else row.push(seat);
  }
  return [...rows.values()].flatMap(runsOfRow);
}

function runsOfRow(row: Seat[]): Run[] {
  const runs: Seat[][] = [];
  for (const seat of row.toSorted((a, b) => a.number - b.number)) {
    const last = runs.at(-1);
    if (last?.at(-1)?.number === seat.number - 1) last?.push(seat);
    else runs.push([seat]);
  }
  return runs.flatMap(run => {
    const [first] = run;
    if (first === undefined) return [];
    return [{section: first.section, row: first.row, tier: first.tier, seats: run.map(seat => seat.index)}];
  });
}
