/**
 * The checks disjoint_ownership, nothing_early and, where core has not replayed, replay: facts in order of lsn, against
 * what can have been true there. Nothing here is core's; what a command does to a reservation is said in `lifecycle.ts`.
 *
 * What is not known may have been anything that it can have been: an unanswered operation behind what had been told when
 * it was sent, an expiration once the deadline can have come, each at an lsn of which nothing else is known. So there is
 * no finding where any course of events explains the answers, as far as resources and reservations can be looked at one
 * by one; room in tables is not judged. A contradiction is told once: whatever it was about is left alone afterwards.
 */
import {type CoreConfig, RESERVATION_STATE as STATE} from '@allocdb/core';
import {lsnOfReservation} from './entry.ts';
import type {Fact} from './fact.ts';
import type {CheckName, Findings} from './findings.ts';
import {type Act, isOver, stepOf} from './lifecycle.ts';
import {LsnGaps} from './lsn_gaps.ts';
import {OwnedResources} from './owned_resources.ts';
import {type Reachable, stateOf, Tracked, withState} from './tracked.ts';
import type {UnseenOperations} from './unseen.ts';

export interface TimelineOptions {
  /** True when the database was empty before the first lsn and nothing is missing. */
  readonly fromEmpty: boolean;
  readonly core: CoreConfig | null;
  readonly unseen: UnseenOperations;
  readonly findings: Findings;
}

type Problem = readonly [check: CheckName, why: string, alsoLine?: number];

export class Timeline {
  readonly #options: TimelineOptions;
  readonly #lsnGaps: LsnGaps;
  readonly #reservations: Map<bigint, Tracked> = new Map();
  readonly #resources: OwnedResources;
  #firstLsn: bigint | null = null;
  /** Whether looks of the check replay are counted here: not where core has replayed. */
  countsReplay: boolean = true;

  constructor(options: TimelineOptions) {
    this.#options = options;
    this.#resources = new OwnedResources(options.fromEmpty, options.unseen);
    this.#lsnGaps = new LsnGaps(options.fromEmpty ? 0n : null);
  }

  /** Takes the next fact; its lsn is above that of the one before. */
  take(fact: Fact): void {
    this.#firstLsn ??= fact.lsn;
    this.#lsnGaps.reached(fact.lsn);
    const problem = this.#problemWith(fact);
    const {findings} = this.#options;
    if (this.countsReplay) findings.look('replay', null);
    if (problem === null) return;
    const [check, why, alsoLine] = problem;
    const place = `lsn ${fact.lsn} (${fact.command.kind}, ${fact.result})`;
    findings.add(check, `${place}: ${why}`, [fact.line, alsoLine ?? 0]);
  }

  #problemWith(fact: Fact): Problem | null {
    const {command, result} = fact;
    const isReserve = command.kind === 'reserve' || command.kind === 'reserve_bundle';
    const isGranted = isReserve && result === 'ok';
    if (isGranted !== (fact.reservationId !== null) || isGranted !== (fact.deadlineSlot !== null)) {
      return ['replay', 'a reservation id and a deadline belong to a granted reserve and to nothing else'];
    }
    if (result === 'operation_table_full') return null;
    if (result === 'slot_overflow' || (result === 'noop' && command.kind !== 'expire')) {
      return ['replay', 'this is never the answer to a command'];
    }
    if (command.kind === 'create_resource') return this.#create(command.resourceId, fact);
    if (command.kind === 'reserve') return this.#reserve([command.resourceId], command.ttlSlots, fact);
    if (command.kind === 'reserve_bundle') return this.#reserve(command.resourceIds, command.ttlSlots, fact);
    return this.#act(command, fact);
  }

  #create(resourceId: bigint, {lsn, result}: Fact): Problem | null {
    const resource = this.#resources.of(resourceId);
    if (result === 'ok') {
      if (resource.exists) return ['replay', `resource ${resourceId} was there already`];
      resource.exists = true;
      return null;
    }
    if (result !== 'already_exists') return null;
    const may = this.#resources.mayExist(resourceId, lsn);
    resource.exists = true;
    return may ? null : ['replay', `nothing can have created resource ${resourceId} before`];
  }

  #reserve(resourceIds: readonly bigint[], ttlSlots: bigint, fact: Fact): Problem | null {
    const {result} = fact;
    const expected = this.#rangeOf(resourceIds.length, ttlSlots);
    if (expected !== null && expected !== result) return ['replay', `such a command is answered ${expected}`];
    switch (result) {
      case 'ok':
        return this.#grant(resourceIds, ttlSlots, fact);
      case 'resource_busy':
        return this.#busy(resourceIds, fact);
      case 'resource_not_found': {
        const isMissing = resourceIds.some(id => !this.#resources.of(id).exists);
        return isMissing ? null : ['replay', 'every resource that it names was there'];
      }
      case 'bundle_too_large':
      case 'ttl_out_of_range':
        // Without a configuration the bounds are not known.
        return expected === null && this.#options.core !== null ? ['replay', 'it is within the bounds'] : null;
      default:
        return null;
    }
  }

  #rangeOf(members: number, ttlSlots: bigint): 'bundle_too_large' | 'ttl_out_of_range' | null {
    const {core} = this.#options;
    if (members === 0 || (core !== null && members > core.maxBundleSize)) return 'bundle_too_large';
    return ttlSlots === 0n || (core !== null && ttlSlots > core.maxTtlSlots) ? 'ttl_out_of_range' : null;
  }

  #grant(resourceIds: readonly bigint[], ttlSlots: bigint, fact: Fact): Problem | null {
    const {lsn, deadlineSlot, line} = fact;
    const [id, deadline] = [fact.reservationId ?? 0n, deadlineSlot ?? 0n];
    if (lsnOfReservation(id) !== lsn) return ['replay', `reservation ${id} is not the one of this lsn`];
    const slot = deadline - ttlSlots;
    if (new Set(resourceIds).size < resourceIds.length) return ['replay', 'it names a resource twice'];
    const holderId = 'holderId' in fact.command ? fact.command.holderId : 0n;
    const grant = {id, lsn, holderId, resourceIds, deadlineSlot: deadline, line};
    let problem: Problem | null = null;
    for (const resourceId of resourceIds) {
      const resource = this.#resources.of(resourceId);
      if (!this.#resources.mayExist(resourceId, lsn)) {
        problem ??= ['replay', `nothing can have created resource ${resourceId} before`];
      }
      problem ??= resource.owner === null ? null : this.#endOf(resource.owner, resourceId, slot, lsn);
    }
    const tracked = new Tracked(grant, this.#lsnGaps.mark);
    // Of two that contradict each other nobody knows which one is wrong.
    tracked.isLost = problem !== null;
    this.#reservations.set(id, tracked);
    for (const resourceId of resourceIds) this.#resources.give(resourceId, tracked);
    return problem;
  }

  /** Sees to it that the owner of a resource had ended when the resource was granted at `slot`. */
  #endOf(owner: Tracked, resourceId: bigint, slot: bigint, lsn: bigint): Problem | null {
    const {findings} = this.#options;
    findings.look('disjoint_ownership', null);
    findings.look('nothing_early', null);
    if (owner.isLost) return null;
    const {grant} = owner;
    const reachable = this.#reachable(owner, slot, lsn);
    const over = [...reachable.keys()].filter(configuration => isOver(stateOf(configuration)));
    if (over.length > 0) {
      const problem = this.#settle(owner, reachable, over, over);
      owner.endedBefore = lsn;
      return problem;
    }
    owner.isLost = true;
    const whose = `resource ${resourceId} was reservation ${grant.id}'s, granted at lsn ${grant.lsn}`;
    if (owner.wasIn(STATE.RESERVED) && slot < grant.deadlineSlot) {
      return ['nothing_early', `${whose} until slot ${grant.deadlineSlot}, and this is slot ${slot}`, grant.line];
    }
    return ['disjoint_ownership', `${whose}, and nothing can have ended it`, grant.line];
  }

  #busy(resourceIds: readonly bigint[], fact: Fact): Problem | null {
    const {lsn} = fact;
    if (resourceIds.length === 1) this.#resources.of(resourceIds[0] ?? 0n).exists = true;
    if (new Set(resourceIds).size < resourceIds.length) return null;
    const isOpen = resourceIds.some(id => this.#resources.mayBeHeldUnseen(id, lsn));
    if (isOpen) return null;
    const slot = fact.slotAtMost;
    const held: [Tracked, Reachable, number[]][] = [];
    for (const id of resourceIds) {
      const {owner} = this.#resources.of(id);
      if (owner === null) continue;
      const reachable = this.#reachable(owner, slot, lsn);
      const live = [...reachable.keys()].filter(configuration => !isOver(stateOf(configuration)));
      if (live.length > 0) held.push([owner, reachable, live]);
    }
    const [only] = held;
    if (only === undefined) return ['replay', 'nobody can have held what it names'];
    // With one that may have held it, that one did.
    return held.length === 1 ? this.#settle(only[0], only[1], only[2], only[2]) : null;
  }

  #act(act: Act, fact: Fact): Problem | null {
    const {lsn, result} = fact;
    const tracked = this.#reservations.get(act.reservationId);
    if (tracked === undefined) return this.#actOnUnknown(act.reservationId, fact);
    if (tracked.isLost) return null;
    const {grant} = tracked;
    const {findings} = this.#options;
    const slot = fact.slotAtMost;
    if (act.kind === 'expire' || result === 'reservation_retired') findings.look('nothing_early', null);
    if (act.kind === 'expire' && result === 'ok' && slot !== null && slot < grant.deadlineSlot) {
      tracked.isLost = true;
      return [
        'nothing_early',
        `reservation ${grant.id} has its deadline at slot ${grant.deadlineSlot}, and this is slot ${slot}`,
        grant.line,
      ];
    }
    const reachable = this.#reachable(tracked, slot, lsn);
    const fitting = [...reachable.keys()].filter(each => stepOf(stateOf(each), grant, act).result === result);
    if (fitting.length > 0) {
      const after = fitting.map(each => withState(each, stepOf(stateOf(each), grant, act).next));
      return this.#settle(tracked, reachable, fitting, after);
    }
    tracked.isLost = true;
    const whose = `reservation ${grant.id}, granted at lsn ${grant.lsn},`;
    const proves = result !== 'reservation_retired' && result !== 'reservation_not_found' && result !== 'noop';
    if (tracked.endedBefore !== null && proves) {
      const why = `${whose} is live, and what it held was granted again at lsn ${tracked.endedBefore}`;
      return ['disjoint_ownership', why, grant.line];
    }
    const isEarly = tracked.wasIn(STATE.RESERVED) && slot !== null && slot < grant.deadlineSlot;
    if (result === 'reservation_retired' && isEarly) {
      return [
        'nothing_early',
        `${whose} is over at slot ${slot}, before its deadline ${grant.deadlineSlot}`,
        grant.line,
      ];
    }
    return ['replay', `${whose} cannot have been in a state with this answer`, grant.line];
  }

  #actOnUnknown(id: bigint, {lsn, result, command}: Fact): Problem | null {
    if (result === 'reservation_not_found' || result === 'reservation_retired' || command.kind === 'expire')
      return null;
    const granted = lsnOfReservation(id);
    const isBefore = !this.#options.fromEmpty && granted < (this.#firstLsn ?? 0n);
    const isUnseen = granted < lsn && this.#lsnGaps.isUnknown(granted) && this.#options.unseen.mayGrantAt(granted);
    return isBefore || isUnseen ? null : ['replay', `there can be no reservation ${id}`];
  }

  #reachable(tracked: Tracked, slot: bigint | null, lsn: bigint): Reachable {
    const {id, deadlineSlot} = tracked.grant;
    return tracked.reachable({
      before: lsn,
      mayExpire: slot === null || slot >= deadlineSlot,
      acts: this.#options.unseen.actsOn(id),
      room: this.#lsnGaps.room(tracked.mark),
    });
  }

  /** What is known now of a reservation; a problem when more must have happened unseen than there are lsns for. */
  #settle(
    tracked: Tracked,
    reachable: Reachable,
    fitting: readonly number[],
    after: readonly number[],
  ): Problem | null {
    const events = Math.min(...fitting.map(configuration => reachable.get(configuration) ?? 0));
    const hadRoom = this.#lsnGaps.use(tracked.mark, events);
    tracked.narrow(after, this.#lsnGaps.mark);
    if (hadRoom) return null;
    tracked.isLost = true;
    return [
      'replay',
      `reservation ${tracked.grant.id} had to change unseen, and no lsn is left for it`,
      tracked.grant.line,
    ];
  }
}
