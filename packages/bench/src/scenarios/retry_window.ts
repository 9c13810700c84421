/**
 * Pressure on the window in which operations are remembered: a round fills the operation table to the last row, repeats
 * every operation, repeats it with another command, and then offers more than there is room for. At the last slot of the
 * window repeats are still repeats; one slot later the same ids are new commands.
 *
 * What must never happen: a repeat that runs twice within the window, a stored answer that changes, a refusal for a full
 * table that is remembered, or a record in the log for an answer from memory.
 */
import type {ClientRequest} from '@allocdb/core';
import type {DatabaseConfig, SubmitResponse} from '@allocdb/node';
import {playScript, type Script, type ScriptContext} from '../deterministic.ts';
import type {BenchOptions, Scenario, ScenarioReport} from '../scenario.ts';

/** Rows of the operation table and number of rounds. */
export interface RetryWindowSize {
  readonly operations: number;
  readonly rounds: number;
}

const WINDOW_SLOTS = 50n;
/** A round ends its window twice: that of the first operations, and that of those who ran again. */
const ROUND_SLOTS: bigint = 2n * (WINDOW_SLOTS + 1n);

function configOf({operations, rounds}: RetryWindowSize): DatabaseConfig {
  return {
    core: {
      shardId: 0n,
      maxResources: operations * rounds,
      maxReservations: 1,
      maxOperations: operations,
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

/** Creations of consecutive resources, each by an operation with the resource's number, shifted by `idOffset`. */
function creations(first: number, count: number, idOffset: bigint): ClientRequest[] {
  return Array.from({length: count}, (_, i) => {
    const number = BigInt(first + i) + 1n;
    return {
      operationId: number + idOffset,
      clientId: 1n,
      command: {kind: 'create_resource', resourceId: number},
    };
  });
}

function lsnsOf(answers: readonly SubmitResponse[]): string {
  return answers.map(answer => (answer.type === 'submit_committed' ? String(answer.appliedLsn) : '-')).join(' ');
}

function overflowing(operations: number): number {
  return Math.ceil(operations / 4);
}

async function playRound(context: ScriptContext, round: number, operations: number): Promise<void> {
  const {pipeline, engine, expectations, count} = context;
  const slot = BigInt(round) * ROUND_SLOTS + 1n;
  const more = overflowing(operations);
  const commands = creations(round * operations, operations, 0n);
  const others = commands.map(request => ({...request, command: {kind: 'revoke', reservationId: 1n} as const}));
  const late = creations(0, more, BigInt(round + 1) << 64n);
  const utilization = (at: bigint): number => engine.metrics(at).operations.used;

  const first = await pipeline.submitAll(slot, commands);
  count('new', first, {ok: operations});
  expectations.equal(`round ${round}: operations remembered`, utilization(slot), operations);

  const repeated = await pipeline.submitAll(slot, commands);
  count('repeated', repeated, {'ok again': operations});
  expectations.equal(`round ${round}: lsns of repeats`, lsnsOf(repeated), lsnsOf(first));

  count('same id, other command', await pipeline.submitAll(slot, others), {'operation_conflict again': operations});
  count('table full', await pipeline.submitAll(slot, late), {operation_table_full: more});
  count('table full, repeated', await pipeline.submitAll(slot, late), {operation_table_full: more});

  const last = await pipeline.submitAll(slot + WINDOW_SLOTS, commands);
  count('repeated in the last slot', last, {'ok again': operations});
  expectations.equal(`round ${round}: lsns in the last slot`, lsnsOf(last), lsnsOf(first));

  const after = await pipeline.submitAll(slot + WINDOW_SLOTS + 1n, commands);
  count('repeated after the window', after, {already_exists: operations});
  expectations.equal(`round ${round}: operations remembered after`, utilization(slot), operations);
}

/** The script for a table of this size. */
export function retryWindowScript(size: RetryWindowSize): Script {
  const {operations, rounds} = size;
  return {
    name: 'retry-window',
    title: `Operation table of ${operations}, window of ${WINDOW_SLOTS} slots, ${rounds} rounds`,
    config: configOf(size),
    records: rounds * (2 * operations + 2 * overflowing(operations)),
    lastSlot: BigInt(rounds) * ROUND_SLOTS,
    play: async context => {
      for (let round = 0; round < rounds; round++) await playRound(context, round, operations);
    },
  };
}

async function run(options: BenchOptions): Promise<ScenarioReport> {
  return playScript(retryWindowScript({operations: 16_384, rounds: 8}), options);
}

export const RETRY_WINDOW: Scenario = {
  name: 'retry-window',
  about: 'deterministic: the operation table filled, repeated and overrun, every outcome counted',
  run,
};
