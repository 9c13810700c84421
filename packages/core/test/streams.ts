/**
 * Random commands for property tests. A step is small numbers only; they are resolved against the machine at the moment
 * of applying it (the n-th last grant, its holder, its epoch), so that most commands hit something and a failing stream
 * still shrinks.
 */
import fc from 'fast-check';
import type {ClientRequest, Command, CoreConfig} from '../src/index.ts';
import type {Answer, Machine} from './machine.ts';

export interface Step {
  kind: Command['kind'] | 'tick' | 'repeat';
  /** Slots that pass before. */
  pause: number;
  /** Which resource, grant or earlier request. */
  pick: number;
  members: number[];
  ttl: number;
  /** True for the right holder and epoch. */
  right: boolean;
}

const KINDS: fc.Arbitrary<Step['kind']> = fc.oneof(
  {weight: 3, arbitrary: fc.constant('create_resource' as const)},
  {weight: 5, arbitrary: fc.constant('reserve' as const)},
  {weight: 4, arbitrary: fc.constant('reserve_bundle' as const)},
  {weight: 3, arbitrary: fc.constantFrom('confirm' as const, 'confirm_fenced' as const)},
  {weight: 3, arbitrary: fc.constantFrom('release' as const, 'release_fenced' as const)},
  {weight: 3, arbitrary: fc.constantFrom('revoke' as const, 'reclaim' as const)},
  {weight: 2, arbitrary: fc.constant('tick' as const)},
  {weight: 2, arbitrary: fc.constant('repeat' as const)},
);

const PAUSES = fc.oneof(
  {weight: 12, arbitrary: fc.constant(0)},
  {weight: 4, arbitrary: fc.constant(1)},
  {weight: 3, arbitrary: fc.integer({min: 2, max: 6})},
  {weight: 1, arbitrary: fc.integer({min: 7, max: 60})},
);

export const steps = (count: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      kind: KINDS,
      pause: PAUSES,
      pick: fc.nat(6),
      members: fc.array(fc.nat(7), {minLength: 0, maxLength: 4}),
      ttl: fc.oneof({weight: 8, arbitrary: fc.integer({min: 1, max: 9})}, {weight: 1, arbitrary: fc.nat(14)}),
      right: fc.integer({min: 0, max: 9}).map(value => value > 0),
    }),
    {minLength: count, maxLength: count, size: 'max'},
  );

export const configs: fc.Arbitrary<CoreConfig> = fc
  .record({
    shardId: fc.constantFrom(0n, 1n, 2n ** 64n - 1n),
    maxResources: fc.constantFrom(2, 5, 8),
    maxReservations: fc.constantFrom(2, 4, 9),
    maxOperations: fc.constantFrom(3, 9, 30, 120),
    maxBundleSize: fc.constantFrom(1, 2, 4),
    ttl: fc.constantFrom(1, 4, 9, 40),
    maxClientRetryWindowSlots: fc.constantFrom(0n, 2n, 30n),
    history: fc.constantFrom(0, 1, 4, 40),
    bucket: fc.constantFrom(1, 2, 9),
    operationWindowSlots: fc.constantFrom(null, 1n, 3n, 20n),
  })
  .map(({ttl, history, bucket, ...rest}) => ({
    ...rest,
    maxTtlSlots: BigInt(ttl),
    maxBundleSize: Math.min(rest.maxBundleSize, rest.maxResources),
    reservationHistoryWindowSlots: BigInt(Math.min(history, ttl)),
    maxExpirationBucketLen: Math.min(bucket, rest.maxReservations),
  }));

/** Applies steps to one machine; what it remembers of the past it takes along to another one with `moveTo`. */
export class Stepper {
  private machine: Machine;
  private readonly granted: {id: bigint; holder: bigint}[] = [];
  private readonly sent: ClientRequest[] = [];
  private slot: bigint;
  private operations = 0n;

  constructor(machine: Machine, firstOperation: bigint = 0n) {
    this.machine = machine;
    this.slot = machine.lastSlot;
    this.operations = firstOperation;
  }

  /** A stepper that goes on from here on another machine and cannot disturb this one. */
  forkOnto(machine: Machine): Stepper {
    const fork = new Stepper(machine, this.operations);
    fork.granted.push(...this.granted);
    fork.sent.push(...this.sent);
    fork.slot = this.slot;
    return fork;
  }

  apply(step: Step): Answer[] {
    this.slot += BigInt(step.pause);
    if (step.kind === 'tick') return this.tick();
    const request = this.request(step);
    const answer = this.machine.submit(this.slot, request);
    if (answer.reservationId !== null && !answer.retry && 'holderId' in request.command) {
      this.granted.push({id: answer.reservationId, holder: request.command.holderId});
    }
    this.sent.push(request);
    return [answer];
  }

  private tick(): Answer[] {
    const answers: Answer[] = [];
    for (const id of this.machine.due(this.slot)) {
      const lease = this.machine.lease(id, this.slot);
      if (typeof lease === 'string') throw new Error('what is due is there');
      answers.push(this.machine.expire(this.slot, id, lease.deadlineSlot));
    }
    return answers;
  }

  private request(step: Step): ClientRequest {
    const earlier = step.kind === 'repeat' ? this.sent[this.sent.length - 1 - step.pick * 3] : undefined;
    // Some repeats carry another command under the same id.
    if (earlier !== undefined && step.right) return earlier;
    const operationId = earlier === undefined ? ++this.operations : earlier.operationId;
    return {operationId, clientId: BigInt(step.pick), command: this.command(step)};
  }

  private command(step: Step): Command {
    const grant = this.granted[this.granted.length - 1 - step.pick] ?? {id: BigInt(step.pick), holder: 1n};
    const reservationId = grant.id;
    const holderId = step.right ? grant.holder : 99n;
    const held = this.machine.lease(reservationId, this.slot);
    const leaseEpoch = step.right && typeof held !== 'string' ? held.epoch : BigInt(step.ttl);
    switch (step.kind) {
      case 'tick':
      case 'repeat':
      case 'create_resource':
        return {kind: 'create_resource', resourceId: BigInt(step.members[0] ?? step.pick)};
      case 'reserve':
        return {
          kind: 'reserve',
          resourceId: BigInt(step.pick),
          holderId: BigInt(step.pick),
          ttlSlots: BigInt(step.ttl),
        };
      case 'reserve_bundle': {
        const resourceIds = (step.right ? [...new Set(step.members)] : step.members).map(BigInt);
        return {kind: 'reserve_bundle', resourceIds, holderId: BigInt(step.pick), ttlSlots: BigInt(step.ttl)};
      }
      case 'confirm':
      case 'release':
        return {kind: step.kind, reservationId, holderId};
      case 'confirm_fenced':
      case 'release_fenced':
        return {kind: step.kind, reservationId, holderId, leaseEpoch};
      case 'revoke':
      case 'reclaim':
        return {kind: step.kind, reservationId};
    }
  }
}
