/**
 * One resource, many contenders: in every round all of them reserve it, repeat that reserve, try to confirm whatever the
 * winner got, and try to release it. Exactly one wins, everybody else is refused for a stated reason, a repeat gets the
 * answer of the first time and logs nothing, and who comes after the release finds the reservation retired.
 *
 * The order of contenders rotates from round to round, and the winner confirms and releases from the middle of the
 * crowd, so that refusals before and after both occur. Beside it, the rate of the workload through the same pipeline: a
 * hot spot must not be slower than what everybody does.
 */
import type {ClientRequest, Command} from '@allocdb/core';
import type {DatabaseConfig, SubmitResponse} from '@allocdb/node';
import {playScript, type Script, type ScriptContext} from '../deterministic.ts';
import type {BenchOptions, Scenario, ScenarioReport} from '../scenario.ts';
import {workloadRate} from '../workload_rate.ts';

/** Size of the crowd and number of rounds. */
export interface HotSpotSize {
  readonly contenders: number;
  readonly rounds: number;
}

const RESOURCE = 1n;
const TTL_SLOTS = 100n;
/** The target: of the rate of the workload, whose lanes do not meet, through the same pipeline in the same run. */
const RATE_TARGET = 0.9;
/** A round is one slot; nothing retires within the scenario, so that every repeat is one. */
const WINDOW_SLOTS = 1000n;

const STEP = {RESERVE: 1n, CONFIRM: 2n, RELEASE: 3n} as const;

function configOf({contenders, rounds}: HotSpotSize): DatabaseConfig {
  return {
    core: {
      shardId: 0n,
      maxResources: 1,
      maxReservations: rounds,
      maxOperations: 1 + 3 * contenders * rounds,
      maxBundleSize: 1,
      maxTtlSlots: WINDOW_SLOTS,
      maxClientRetryWindowSlots: WINDOW_SLOTS,
      reservationHistoryWindowSlots: WINDOW_SLOTS,
      maxExpirationBucketLen: 1,
      operationWindowSlots: WINDOW_SLOTS,
    },
    engine: {maxSubmissionQueue: 65_536, maxCommandBytes: 4096, maxExpirationsPerTick: 1},
  };
}

function requestOf(round: number, step: bigint, holder: bigint, command: Command): ClientRequest {
  return {operationId: (BigInt(round + 1) << 96n) | (step << 64n) | holder, clientId: holder, command};
}

/** The contenders of a round, 1 to count, beginning with another one each time. */
function orderOf(round: number, count: number): bigint[] {
  return Array.from({length: count}, (_, i) => BigInt(1 + ((i + round * 7919) % count)));
}

async function playRound(context: ScriptContext, round: number, contenders: number): Promise<void> {
  const {pipeline, expectations, count} = context;
  const slot = BigInt(round + 1);
  const order = orderOf(round, contenders);
  const losers = contenders - 1;
  const reserves = order.map(holderId =>
    requestOf(round, STEP.RESERVE, holderId, {kind: 'reserve', resourceId: RESOURCE, holderId, ttlSlots: TTL_SLOTS}),
  );
  const answers = await pipeline.submitAll(slot, reserves);
  count('reserve', answers, {ok: 1, resource_busy: losers});
  const reservationId = grantOf(answers[0]);
  expectations.holds(`round ${round}: the first contender wins`, reservationId !== 0n);

  const repeated = await pipeline.submitAll(slot, reserves);
  count('reserve repeated', repeated, {'ok again': 1, 'resource_busy again': losers});
  expectations.equal(`round ${round}: the repeated grant is the first one`, grantOf(repeated[0]), reservationId);

  // The winner stands in the middle: half of the others come before it, the rest after it.
  const middle = contenders >> 1;
  const crowd = [...order.slice(1, 1 + middle), order[0] ?? 0n, ...order.slice(1 + middle)];
  const ask = (step: bigint, kind: 'confirm' | 'release'): Promise<SubmitResponse[]> => {
    const requests = crowd.map(holderId => requestOf(round, step, holderId, {kind, reservationId, holderId}));
    return pipeline.submitAll(slot, requests);
  };
  count('confirm', await ask(STEP.CONFIRM, 'confirm'), {ok: 1, holder_mismatch: losers});
  const released = await ask(STEP.RELEASE, 'release');
  const before = Math.min(middle, losers);
  count('release', released, {ok: 1, holder_mismatch: before, reservation_retired: losers - before});
}

function grantOf(answer: SubmitResponse | undefined): bigint {
  return answer?.type === 'submit_committed' ? (answer.reservationId ?? 0n) : 0n;
}

/** The script for a crowd of this size. */
export function hotSpotScript(size: HotSpotSize): Script {
  const {contenders, rounds} = size;
  return {
    name: 'hot-spot',
    title: `One resource, ${contenders} contenders, ${rounds} rounds`,
    config: configOf(size),
    records: 1 + 3 * contenders * rounds,
    lastSlot: BigInt(rounds),
    beside: {
      name: 'workload',
      target: RATE_TARGET,
      // As many answers as the crowd gets in all.
      measure: dir => workloadRate(dir, 4 * contenders * rounds),
    },
    play: async context => {
      const create = requestOf(-1, STEP.RESERVE, 1n, {kind: 'create_resource', resourceId: RESOURCE});
      context.count('create_resource', await context.pipeline.submitAll(1n, [create]), {ok: 1});
      for (let round = 0; round < rounds; round++) await playRound(context, round, contenders);
      const {resources, reservations} = context.engine.metrics(BigInt(rounds));
      context.expectations.equal('resources in the end', resources.used, 1);
      context.expectations.equal('reservations in the end', reservations.used, rounds);
    },
  };
}

async function run(options: BenchOptions): Promise<ScenarioReport> {
  return playScript(hotSpotScript({contenders: 10_000, rounds: 10}), options);
}

export const HOT_SPOT: Scenario = {
  name: 'hot-spot',
  about: 'deterministic: one resource with 10,000 contenders, every outcome counted',
  run,
};
