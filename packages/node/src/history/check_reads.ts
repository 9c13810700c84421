/**
 * The check reads. With a log: a read's answer must be what the state shows at some lsn between the highest that was
 * known when it was sent and the lowest that can only have come after its answer, and not before what a read showed that
 * had come by then. The state at each lsn is core's, so a read is looked at while replay passes its window; most are
 * settled at their first lsn.
 *
 * Without a log only what an answer says of itself and of lsns is held against the clock and the grants.
 */
import {
  type AllocDb,
  bigintOfU64,
  bigintOfU128,
  hiOf,
  LOOKUP,
  loOf,
  RESERVATION,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  ReservationView,
  ResourceView,
  readMemberId,
  readReservation,
  readResource,
  writeU128,
} from '@allocdb/core';
import {lsnOfReservation, type Read, type ShownReservation, type ShownResource} from './entry.ts';
import type {Findings} from './findings.ts';
import {type History, isOwnAnswer} from './history.ts';
import {countBelow, freshLsn, type KnownLsns, shownLsn} from './known_lsns.ts';
import {isOver} from './lifecycle.ts';
import {WaitingReads} from './waiting_reads.ts';

/** The lsns at which a read's answer may have been true. */
export interface Window {
  readonly read: Read;
  readonly from: bigint;
  /** Null where nothing bounds it. */
  readonly to: bigint | null;
}

/** Reads with their windows, by the lsn from which each may be true. */
export function windowsOf(history: History, known: KnownLsns): Window[] {
  const neighbours = sentBeside(history);
  const windows = history.reads
    .filter(({answer}) => answer.type !== 'nothing')
    .map(read => {
      const {requiredLsn, answer, sent, came, connection, place} = read;
      let from = known.before(sent);
      let to = came === null ? null : known.after(came);
      for (const beside of connection === null ? [] : (neighbours.get(connection) ?? [])) {
        if (beside.place < place && beside.lsn > from) from = beside.lsn;
        if (beside.place > place && (to === null || beside.lsn < to)) to = beside.lsn;
      }
      if (requiredLsn !== null && answer.type !== 'fence_not_applied' && requiredLsn > from) from = requiredLsn;
      return {read, from, to: to === null ? null : to - 1n};
    });
  return behindEarlierReads(windows).sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}

/** No read's window begins before that of one that had come when it was sent, unless that one's has no lsn at all. */
function behindEarlierReads(windows: readonly Window[]): Window[] {
  const earlier = windows.filter(({from, to}) => to === null || from <= to);
  earlier.sort((a, b) => (a.read.came ?? 0) - (b.read.came ?? 0));
  const came = earlier.map(({read}) => read.came ?? 0);
  const highest: bigint[] = [];
  for (const {from} of earlier) highest.push(from > (highest.at(-1) ?? 0n) ? from : (highest.at(-1) ?? 0n));
  return windows.map(window => {
    const from = highest[countBelow(came, window.read.sent) - 1] ?? 0n;
    return from > window.from ? {...window, from} : window;
  });
}

interface Beside {
  readonly place: number;
  readonly lsn: bigint;
}

/** New executions by the connection that sent them, only where a read went over it too. */
function sentBeside(history: History): Map<string, Beside[]> {
  const beside = new Map<string, Beside[]>();
  for (const {connection} of history.reads) if (connection !== null) beside.set(connection, []);
  if (beside.size === 0) return beside;
  for (const operation of history.operations.values()) {
    for (const attempt of operation.attempts) {
      const list = attempt.connection === null ? undefined : beside.get(attempt.connection);
      const lsn = list === undefined || !isOwnAnswer(attempt) ? null : freshLsn(operation, attempt);
      if (lsn !== null) list?.push({place: attempt.place, lsn});
    }
  }
  return beside;
}

/** Reads against the state, as replay passes. */
export class ReadJudge {
  readonly #windows: readonly Window[];
  readonly #findings: Findings;
  readonly #db: AllocDb;
  readonly #id: Int32Array = new Int32Array(4);
  readonly #resource: ResourceView = new ResourceView();
  readonly #reservation: ReservationView = new ReservationView();
  readonly #waiting: WaitingReads;
  #next: number = 0;
  /** The first lsn whose state was seen: what may have been so before it cannot be denied. */
  #base: bigint | null = null;
  #lsn: bigint = 0n;

  constructor(windows: readonly Window[], db: AllocDb, findings: Findings) {
    this.#windows = windows;
    this.#db = db;
    this.#findings = findings;
    this.#waiting = new WaitingReads({
      isTrue: ({read}) => this.#isTrue(read),
      settled: () => this.#findings.look('reads', null),
      wrong: (window, wentBack) => this.#tell(window, wentBack),
    });
  }

  /** The state is that at this lsn. */
  reached(lsn: bigint): void {
    this.#base ??= lsn;
    this.#lsn = lsn;
    const first = this.#next;
    while ((this.#windows[this.#next]?.from ?? lsn + 1n) <= lsn) this.#next++;
    this.#waiting.add(this.#windows.slice(first, this.#next), this.#base);
    this.#waiting.reached(lsn);
  }

  /** Nothing more will come. */
  finish(): void {
    this.#waiting.reached(null);
    for (const window of this.#windows.slice(this.#next)) this.#tell(window, false);
  }

  #tell({read, from, to}: Window, wentBack: boolean): void {
    if (from < (this.#base ?? 0n)) return;
    const until = to === null ? 'the end' : `lsn ${to}`;
    const when = wentBack
      ? 'only before what a read that had come by then showed'
      : `at no lsn from ${from} to ${until}`;
    this.#findings.look('reads', `${read.kind} of ${read.id} was so ${when}`, [read.line]);
  }

  #isTrue(read: Read): boolean {
    const {answer, requiredLsn} = read;
    const lsn = this.#lsn;
    if (answer.type === 'fence_not_applied') {
      return (answer.lastLsn ?? 0n) === lsn && (requiredLsn ?? 0n) > lsn;
    }
    return read.kind === 'get_resource' ? this.#isResource(read) : this.#isReservation(read);
  }

  #isResource({id, answer}: Read): boolean {
    const view = this.#resource;
    writeU128(this.#id, 0, id);
    if (!readResource(this.#db, this.#id, 0, view)) return answer.type === 'not_found';
    if (answer.type !== 'resource') return false;
    const shown: ShownResource = answer;
    const owner = view.held ? bigintOfU64(view.reservationLsnLo, view.reservationLsnHi) : null;
    return (
      shown.state === RESOURCE_STATE_NAMES[view.state] &&
      shown.version === bigintOfU64(view.versionLo, view.versionHi) &&
      (shown.reservationId === null ? null : lsnOfReservation(shown.reservationId)) === owner
    );
  }

  #isReservation({id, answer, slot, kind}: Read): boolean {
    const view = this.#reservation;
    writeU128(this.#id, 0, id);
    const found = readReservation(this.#db, this.#id, 0, loOf(slot ?? 0n), hiOf(slot ?? 0n), view);
    if (found === LOOKUP.NOT_FOUND) return answer.type === 'not_found';
    // Where the reader's slot is not known, what is over may have been past its window.
    if (answer.type === 'retired') return found === LOOKUP.RETIRED || (slot === null && isOver(view.state));
    return found === LOOKUP.FOUND && answer.type === 'reservation' && this.#isShown(answer, kind);
  }

  #isShown(shown: ShownReservation, kind: Read['kind']): boolean {
    const {words, state, terminal, memberCount, row} = this.#reservation;
    const u64 = (at: number): bigint => bigintOfU64(words[at] ?? 0, words[at + 1] ?? 0);
    const members = kind === 'get_lease' ? memberCount : 1;
    if (shown.state !== RESERVATION_STATE_NAMES[state] || shown.resourceIds.length !== members) return false;
    for (const [i, resourceId] of shown.resourceIds.entries()) {
      readMemberId(this.#db, row, i, this.#id, 0);
      if (bigintOfU128(this.#id, 0) !== resourceId) return false;
    }
    return (
      shown.holderId === bigintOfU128(words, RESERVATION.HOLDER) &&
      shown.createdLsn === u64(RESERVATION.LSN) &&
      shown.deadlineSlot === u64(RESERVATION.DEADLINE) &&
      shown.releasedLsn === (terminal ? u64(RESERVATION.RELEASED_LSN) : null) &&
      (shown.leaseEpoch === null || shown.leaseEpoch === u64(RESERVATION.EPOCH))
    );
  }
}

/** The same without a log. */
export function checkReadsAlone(history: History, windows: readonly Window[], findings: Findings): void {
  const grants = new Map<bigint, {holderId: bigint; deadlineSlot: bigint | null; resourceIds: readonly bigint[]}>();
  for (const operation of history.operations.values()) {
    const {told} = operation;
    if (operation.blamed || told?.answer.type !== 'committed' || told.answer.reservationId === null) continue;
    const {command, answer} = told;
    if (command.kind !== 'reserve' && command.kind !== 'reserve_bundle') continue;
    const resourceIds = command.kind === 'reserve' ? [command.resourceId] : command.resourceIds;
    grants.set(told.answer.reservationId, {holderId: command.holderId, deadlineSlot: answer.deadlineSlot, resourceIds});
  }
  for (const {read, to} of windows) {
    const {answer, kind, id, line} = read;
    const lsn = shownLsn(read);
    let why = to !== null && lsn > to ? `shows lsn ${lsn}, and lsn ${to + 1n} was sent only after it` : null;
    if (answer.type === 'resource' && answer.reservationId !== null) {
      const grant = grants.get(answer.reservationId);
      if (grant?.resourceIds.includes(id) === false)
        why ??= `shows owner ${answer.reservationId}, which was granted others`;
    } else if (answer.type === 'reservation') {
      const grant = grants.get(id);
      const shown = kind === 'get_lease' ? grant?.resourceIds : grant?.resourceIds.slice(0, 1);
      const isSame =
        grant?.holderId === answer.holderId &&
        grant.deadlineSlot === answer.deadlineSlot &&
        lsnOfReservation(id) === answer.createdLsn &&
        shown?.join() === answer.resourceIds.join();
      if (grant !== undefined && !isSame) why ??= 'shows something else than was granted';
    }
    findings.look('reads', why === null ? null : `${kind} of ${id} ${why}`, [line]);
  }
}
