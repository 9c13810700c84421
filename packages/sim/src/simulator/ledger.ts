// What clients may hold against the database from the answers they got, and from nothing else: no state. One thing is
// taken from the model, the slot at which a command was applied, which answers do not tell.
//
// Every answer that granted, confirmed or ended something is kept by its lsn. Two grants of one resource need an end of
// the first between them; without a release or a reclaim that end can only be its expiry, and so the later grant must lie
// at or behind its deadline, and it must never have been confirmed. One operation has one outcome as long as it is
// remembered. What was asked for and not answered may have happened: it excuses, it does not accuse. Answers of one frame
// arrive client by client, so pairs are looked at when everything has come to rest (`checkAll`).
import {decodeClientRequest} from '../model/command.ts';
import type {Committed} from '../model/state.ts';
import {Violation} from './violation.ts';

interface Grant {
  readonly lsn: bigint;
  readonly reservationId: bigint;
  readonly slot: bigint;
  readonly deadlineSlot: bigint;
  confirmedLsn: bigint | null;
  /** Lsns of acknowledged releases and reclaims. */
  readonly ends: bigint[];
  /** A release or reclaim was sent of which nothing is known for certain. */
  mayHaveEnded: boolean;
}

interface Outcome {
  readonly lsn: bigint;
  readonly slot: bigint;
  readonly fingerprint: string;
}

const ENDS: readonly string[] = ['release', 'release_fenced', 'reclaim'];

export class Ledger {
  readonly #operationWindow: bigint;
  readonly #byResource: Map<bigint, Grant[]> = new Map();
  readonly #byReservation: Map<bigint, Grant> = new Map();
  readonly #outcomes: Map<bigint, Outcome> = new Map();
  /** Ends that were acknowledged, or may have happened, before their grant was. */
  readonly #early: Map<bigint, Pick<Grant, 'ends' | 'mayHaveEnded' | 'confirmedLsn'>> = new Map();

  constructor(operationWindow: bigint) {
    this.#operationWindow = operationWindow;
  }

  /** Nobody will ever answer this command, and it may have been applied. */
  unanswered(payload: Uint8Array): void {
    const {command} = decodeClientRequest(payload);
    if (!ENDS.includes(command.kind) || !('reservationId' in command)) return;
    this.#about(command.reservationId).mayHaveEnded = true;
  }

  /** A client got this answer; `slot` is the one at which the command was applied. */
  answered(payload: Uint8Array, answer: Committed, slot: bigint): void {
    const {operationId, command, fingerprint} = decodeClientRequest(payload);
    this.#oneOutcome(operationId, fingerprint, answer, slot);
    if (answer.result !== 'ok') return;
    switch (command.kind) {
      case 'reserve':
        this.#granted([command.resourceId], command.ttlSlots, answer);
        return;
      case 'reserve_bundle':
        this.#granted(command.resourceIds, command.ttlSlots, answer);
        return;
      case 'confirm':
      case 'confirm_fenced':
        this.#about(command.reservationId).confirmedLsn = answer.appliedLsn;
        return;
      case 'release':
      case 'release_fenced':
      case 'reclaim':
        this.#about(command.reservationId).ends.push(answer.appliedLsn);
        return;
      default:
    }
  }

  /** Looks at all grants, with everything that is known by now. */
  checkAll(): void {
    for (const [resourceId, grants] of this.#byResource) {
      for (let i = 1; i < grants.length; i++) checkPair(resourceId, grants[i - 1] as Grant, grants[i] as Grant);
    }
  }

  #granted(resourceIds: readonly bigint[], ttlSlots: bigint, answer: Committed): void {
    const {appliedLsn: lsn, reservationId, deadlineSlot} = answer;
    if (reservationId === null || deadlineSlot === null) throw new Violation('double_owner', 'a grant of nothing');
    const known = this.#byReservation.get(reservationId);
    if (known !== undefined) {
      if (known.lsn !== lsn) throw new Violation('double_owner', `reservation ${reservationId} was granted twice`);
      return;
    }
    const before = this.#early.get(reservationId) ?? {confirmedLsn: null, ends: [], mayHaveEnded: false};
    this.#early.delete(reservationId);
    const grant: Grant = {...before, lsn, reservationId, slot: deadlineSlot - ttlSlots, deadlineSlot};
    this.#byReservation.set(reservationId, grant);
    for (const resourceId of resourceIds) {
      const grants = this.#byResource.get(resourceId) ?? [];
      this.#byResource.set(resourceId, grants);
      let at = grants.length;
      while (at > 0 && (grants[at - 1] as Grant).lsn > grant.lsn) at--;
      grants.splice(at, 0, grant);
    }
  }

  #oneOutcome(operationId: bigint, fingerprint: string, {result, appliedLsn}: Committed, slot: bigint): void {
    if (result === 'operation_conflict' || result === 'operation_table_full') return;
    const known = this.#outcomes.get(operationId);
    if (known !== undefined && known.lsn === appliedLsn && known.fingerprint === fingerprint) return;
    if (known !== undefined && slot <= known.slot + this.#operationWindow && appliedLsn > known.lsn) {
      const twice = `operation ${operationId} was applied at lsn ${known.lsn} and at ${appliedLsn}`;
      throw new Violation('two_results', `${twice}, within its window of slot ${known.slot}`);
    }
    if (known === undefined || appliedLsn > known.lsn)
      this.#outcomes.set(operationId, {lsn: appliedLsn, slot, fingerprint});
  }

  #about(reservationId: bigint): Pick<Grant, 'ends' | 'mayHaveEnded' | 'confirmedLsn'> {
    const grant = this.#byReservation.get(reservationId) ?? this.#early.get(reservationId);
    if (grant !== undefined) return grant;
    const early = {ends: [], mayHaveEnded: false, confirmedLsn: null};
    this.#early.set(reservationId, early);
    return early;
  }
}

function checkPair(resourceId: bigint, first: Grant, second: Grant): void {
  if (first.mayHaveEnded || first.ends.some(lsn => lsn > first.lsn && lsn < second.lsn)) return;
  const both = `resource ${resourceId} was granted at lsn ${first.lsn} and at ${second.lsn}`;
  if (first.confirmedLsn !== null && first.confirmedLsn < second.lsn) {
    throw new Violation(
      'double_owner',
      `${both}, the first was confirmed at ${first.confirmedLsn} and nobody ended it`,
    );
  }
  if (second.slot < first.deadlineSlot) {
    throw new Violation('early_end', `${both}, at slot ${second.slot} before the deadline ${first.deadlineSlot}`);
  }
}
