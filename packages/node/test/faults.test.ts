/**
 * Every call of a scripted run fails, one run each: what was acknowledged is there after a loss of power, what was
 * refused for certain never happened, and whatever was left open is settled by asking again, to exactly one result.
 */
import {
  type ApiRequest,
  type ApiResponse,
  isIndefinite,
  type SubmissionFailure,
  type SubmitResponse,
} from '@allocdb/api';
import {checkInvariants} from '@allocdb/core';
import {type DiskFault, SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import type {EngineOptions, SingleNodeEngine} from '../src/index.ts';
import {
  afterPowerCut,
  batch,
  Caller,
  create,
  members,
  metricsAt,
  openOn,
  reserve,
  resource,
  said,
  tick,
  until,
} from './support.ts';

const SMALL = {segmentBytes: 16 * 1024, maxFrameBytes: 2048} as const;

interface Step {
  request: ApiRequest;
  response: ApiResponse | null;
}

/** Synchronous, pipelined in turns, a checkpoint in between, synchronous again. Ends when the engine has halted. */
async function script(engine: SingleNodeEngine): Promise<Step[]> {
  const steps: Step[] = [];
  let operation = 1n;
  const synchronous = (request: ApiRequest): void => {
    steps.push({request, response: engine.handleApiRequest(request)});
  };
  const pipelined = async (turns: number): Promise<void> => {
    const caller = new Caller(engine);
    const first = steps.length;
    for (let turn = 0; turn < turns; turn++) {
      const id = BigInt(turn % 20) + 10n;
      const requests = [
        create(id, operation++),
        reserve(id, BigInt(turn), operation++),
        resource(id),
        batch(3, id, operation),
        metricsAt(BigInt(turn)),
      ];
      operation += 3n;
      if (turn % 4 === 3) requests.push(tick(BigInt(turn)));
      for (const request of requests) steps.push({request, response: null});
      caller.send(...requests);
      if (turn % 3 !== 2) await until(() => caller.responses.length > 0);
    }
    await until(() => caller.responses.length === steps.length - first);
    caller.responses.forEach((response, i) => {
      const step = steps[first + i];
      if (step !== undefined) step.response = response;
    });
  };
  for (let i = 1n; i < 6n; i++) synchronous(create(i, operation++));
  await pipelined(10);
  await engine.checkpoint().catch(() => undefined);
  await pipelined(14);
  await engine.checkpoint().catch(() => undefined);
  synchronous(batch(30, 30n, operation));
  operation += 30n;
  for (let i = 1n; i < 6n; i++) synchronous(reserve(i, 20n, operation++));
  synchronous(metricsAt(9n));
  return steps;
}

function answersOf(steps: readonly Step[]): {payload: Uint8Array; slot: bigint; answer: SubmitResponse}[] {
  return steps.flatMap(({request, response}) => {
    if (request.type === 'submit') {
      if (response?.type !== 'submit_committed' && response?.type !== 'submit_rejected')
        throw new Error(said(response ?? undefined));
      return [{payload: request.payload, slot: request.requestSlot, answer: response}];
    }
    if (request.type !== 'submit_batch') return [];
    return members(response ?? undefined).map((answer, i) => {
      const payload = request.payloads[i] ?? new Uint8Array(0);
      return {payload, slot: request.requestSlot, answer};
    });
  });
}

function failureOf(response: ApiResponse | null): SubmissionFailure | null {
  return response !== null && 'failure' in response ? response.failure : null;
}

/** Once the engine has failed nothing is acknowledged any more, and everything says so. */
function checkHalted(engine: SingleNodeEngine, steps: readonly Step[]): void {
  if (engine.state !== 'halted') return;
  const firstBad = steps.findIndex(({response}) => failureOf(response)?.code === 'engine_halted');
  expect(engine.haltCause).not.toBeNull();
  for (const {response} of firstBad < 0 ? [] : steps.slice(firstBad)) {
    expect(['submit_committed', 'tick_applied', 'resource_found', 'resource_not_found']).not.toContain(response?.type);
    if (response?.type !== 'metrics') continue;
    expect(response).toMatchObject({acceptingWrites: false, queueDepth: 0, lastAppliedLsn: engine.durableLsn});
  }
  expect(said(engine.handleApiRequest(create(1n)))).toBe('engine_halted');
}

function checkSettled(disk: SimDisk, steps: readonly Step[]): void {
  const engine = openOn(disk, SMALL);
  expect(checkInvariants(engine.db)).toEqual([]);
  for (const {payload, slot, answer} of answersOf(steps)) {
    const again = (): ApiResponse => engine.handleApiRequest({type: 'submit', requestSlot: slot, payload});
    if (answer.type === 'submit_committed') {
      expect(again()).toEqual({...answer, fromRetryCache: true});
    } else if (isIndefinite(answer.failure)) {
      const settled = again();
      expect(settled.type).toBe('submit_committed');
      expect(again()).toEqual({...settled, fromRetryCache: true});
    } else {
      expect(['storage_full', 'overloaded']).toContain(answer.failure.code);
      expect(again()).toMatchObject({type: 'submit_committed', fromRetryCache: false});
    }
  }
  engine.closeNow();
}

const KINDS: readonly Omit<DiskFault, 'call'>[] = [
  {kind: 'EIO'},
  {kind: 'EIO', forever: true},
  {kind: 'ENOSPC'},
  {kind: 'ENOSPC', forever: true},
  {kind: 'short'},
  {kind: 'power_cut'},
];

async function callsOf(options: Partial<EngineOptions>): Promise<number> {
  const disk = new SimDisk();
  const engine = openOn(disk, options);
  const before = disk.calls;
  const steps = await script(engine);
  expect(new Set(answersOf(steps).map(({answer}) => answer.type))).toEqual(new Set(['submit_committed']));
  expect(engine.checkpoints.count).toBe(2);
  expect(engine.directory.wal.metrics.rolls).toBeGreaterThan(1);
  return disk.calls - before;
}

describe.each(['inline', 'async'] as const)('the n-th call fails, frames written %s', commitMode => {
  const options = {...SMALL, commitMode};

  test.each(KINDS)('$kind, for good: $forever', async fault => {
    const calls = await callsOf(options);
    let halted = 0;
    // Over the table each call fails once; all of them in every way would take six times as long.
    for (let call = 1 + KINDS.indexOf(fault); call <= calls; call += KINDS.length) {
      const disk = new SimDisk({seed: call});
      const engine = openOn(disk, options);
      disk.arm({...fault, call});
      let steps: Step[];
      try {
        steps = await script(engine);
        disk.arm(null);
        if (!disk.isDown) checkHalted(engine, steps);
        if (engine.state === 'halted') halted++;
        checkSettled(afterPowerCut(disk, call), steps);
        const restarted = disk.fork(call);
        if (!disk.isDown) checkSettled(restarted, steps);
      } catch (error) {
        throw new Error(`call ${call} of ${calls}, ${JSON.stringify(fault)}, ${commitMode}`, {cause: error});
      }
    }
    if (fault.kind === 'EIO') expect(halted).toBeGreaterThan(calls / 20);
    if (fault.kind === 'short') expect(halted).toBe(0);
  });
});

describe('a full disk', () => {
  test.each(['inline', 'async'] as const)('is definite, halts nothing and passes, %s', async commitMode => {
    const disk = new SimDisk();
    const engine = openOn(disk, {...SMALL, commitMode});
    const caller = new Caller(engine);
    engine.handleApiRequest(create(1n));
    engine.handleApiRequest(reserve(1n));
    disk.spaceBytes = 40 * 1024;
    const answers: string[] = [];
    for (let i = 0; i < 400 && answers.at(-1) !== 'storage_full'; i++) {
      caller.send(batch(3, BigInt(i)), create(BigInt(i)));
      await until(() => caller.responses.length === 2 * (i + 1));
      answers.push(caller.said.at(-1) ?? '');
    }
    expect(answers.at(-1)).toBe('storage_full');
    expect(engine.state).toBe('running');
    expect(said(engine.handleApiRequest(create(2n)))).toBe('storage_full');
    expect(said(engine.handleApiRequest(tick(50n)))).toBe('storage_full');
    expect(said(engine.handleApiRequest(resource(1n)))).toBe('resource_found');
    expect(engine.handleApiRequest(metricsAt(9n))).toMatchObject({acceptingWrites: true, queueDepth: 0});
    const lsn = engine.durableLsn ?? 0n;
    disk.spaceBytes = Number.POSITIVE_INFINITY;
    expect(said(engine.handleApiRequest(tick(50n)))).toBe('ticked 1');
    expect(engine.handleApiRequest(create(2n))).toMatchObject({type: 'submit_committed', appliedLsn: lsn + 2n});
    await engine.close();
    expect(openOn(disk, SMALL).durableLsn).toBe(lsn + 2n);
  });
});
