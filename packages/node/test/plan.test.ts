/**
 * Plans: any one that is given is a valid configuration that a real engine carries at its rate, in logical time and for
 * several windows, without a refusal for want of room; sizes are those of the files that are really written.
 */
import type {ApiResponse, SubmitResponse} from '@allocdb/api';
import type {Command} from '@allocdb/core';
import {memoryBytesOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  configIssues,
  type DatabaseConfig,
  frameBytes,
  isOpenError,
  logBytesPerRecord,
  type PlanInput,
  parseConfig,
  plan,
  planLines,
  planToJson,
  reserveRecordBytes,
  type SingleNodeEngine,
  snapshotBytes,
} from '../src/index.ts';
import {HistoryRandom} from './history_random.ts';
import {openErrorOf, openOn, payload, SNAPSHOT_DIR, tick} from './support.ts';

const NO_ROOM: readonly string[] = [
  'resource_table_full',
  'reservation_table_full',
  'operation_table_full',
  'expiration_index_full',
];

type Mix = 'lapse' | 'hold' | 'release' | 'keep' | 'any';
interface Load {
  readonly input: PlanInput;
  readonly mix: Mix;
  /** Whether a second's commands come at its beginning, all at once. */
  readonly inBursts: boolean;
  readonly seed: number;
}

/** Clients that do what their mix says as fast as the rate allows, on an engine in memory. */
class Drive {
  readonly answers: Map<string, number> = new Map();
  readonly #engine: SingleNodeEngine;
  readonly #load: Load;
  readonly #random: HistoryRandom;
  readonly #held: {reservationId: bigint; holderId: bigint}[] = [];
  #created: number = 0;
  #turn: number = 0;
  #sent: number = 0;
  #operation: bigint = 0n;

  constructor(config: DatabaseConfig, load: Load) {
    const io = new SimDisk();
    this.#engine = openOn(io, {config, segmentBytes: 4 << 20, maxFrameBytes: 1 << 20});
    this.#load = load;
    this.#random = new HistoryRandom(load.seed);
  }

  run(slots: number): void {
    const {input, inBursts} = this.#load;
    const slotMs = input.slotMs ?? 100;
    for (let slot = 1; slot <= slots; slot++) {
      const elapsedMs = inBursts ? 1000 * Math.ceil((slot * slotMs) / 1000) : slot * slotMs;
      const due = Math.floor((input.ratePerSecond * elapsedMs) / 1000);
      this.#tick(BigInt(slot));
      for (let left = due - this.#sent; left > 0; left -= 500) this.#send(Math.min(left, 500), BigInt(slot));
      this.#sent = due;
    }
    this.#engine.closeNow();
  }

  #tick(slot: bigint): void {
    for (;;) {
      const response = this.#engine.handleApiRequest(tick(slot));
      if (response.type !== 'tick_applied') throw new Error(`a tick was answered ${response.type}`);
      if (response.processedCount < this.#engine.config.engine.maxExpirationsPerTick) return;
    }
  }

  #send(count: number, requestSlot: bigint): void {
    const commands = Array.from({length: count}, () => this.#next());
    const payloads = commands.map(command => payload(command, ++this.#operation));
    const response: ApiResponse = this.#engine.handleApiRequest({type: 'submit_batch', requestSlot, payloads});
    if (response.type !== 'batch_result') throw new Error(`a batch was answered ${response.type}`);
    for (const [i, answer] of response.results.entries()) this.#take(commands[i], answer);
  }

  #take(command: Command | undefined, answer: SubmitResponse): void {
    const said = answer.type === 'submit_committed' ? answer.resultCode : answer.failure.code;
    this.answers.set(said, (this.answers.get(said) ?? 0) + 1);
    if (answer.type !== 'submit_committed' || answer.reservationId === null || command === undefined) return;
    if ('holderId' in command) this.#held.push({reservationId: answer.reservationId, holderId: command.holderId});
  }

  #next(): Command {
    const {input, mix} = this.#load;
    const random = this.#random;
    if (this.#created < input.resources) return {kind: 'create_resource', resourceId: BigInt(++this.#created)};
    const does = mix === 'any' ? (['lapse', 'hold', 'release', 'keep'] as const)[random.below(4)] : mix;
    const held = does === 'lapse' || does === 'hold' ? undefined : this.#held.shift();
    if (held !== undefined) return {kind: does === 'keep' && random.chance(0.5) ? 'confirm' : 'release', ...held};
    const slots = Math.ceil(input.holdMs / (input.slotMs ?? 100));
    const ttlSlots = BigInt(does === 'lapse' ? 1 : does === 'hold' ? slots : 1 + random.below(slots));
    const count = input.bundleSize ?? 1;
    const resourceIds = Array.from({length: count}, () => BigInt(1 + (this.#turn++ % input.resources)));
    const holderId = 9n;
    if (count > 1) return {kind: 'reserve_bundle', resourceIds, holderId, ttlSlots};
    return {kind: 'reserve', resourceId: resourceIds[0] ?? 1n, holderId, ttlSlots};
  }
}

function refusals(answers: ReadonlyMap<string, number>): string[] {
  return [...answers.keys()].filter(said => NO_ROOM.includes(said));
}

const loads: fc.Arbitrary<Load> = fc
  .record({
    slotMs: fc.constantFrom(50, 100, 250, 1000),
    ratePerSecond: fc.integer({min: 1, max: 250}),
    holdMs: fc.integer({min: 1, max: 6000}),
    retryWindowMs: fc.integer({min: 1, max: 4000}),
    resources: fc.integer({min: 1, max: 120}),
    bundle: fc.integer({min: 1, max: 5}),
    mix: fc.constantFrom<Mix>('lapse', 'hold', 'release', 'keep', 'any'),
    inBursts: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({bundle, mix, inBursts, seed, ...input}) => {
    return {input: {...input, bundleSize: Math.min(bundle, input.resources)}, mix, inBursts, seed};
  });

/** Three times the longest window and hold. */
function slotsOf({slotMs = 100, holdMs, retryWindowMs = 60_000}: PlanInput): number {
  return Math.ceil((3 * Math.max(holdMs, retryWindowMs, 1000)) / slotMs) + 3;
}

describe('a plan', () => {
  test('is carried by a real engine: no refusal for want of room, whatever the commands are', () => {
    let granted = 0;
    fc.assert(
      fc.property(loads, load => {
        const drive = new Drive(plan(load.input).config, load);
        drive.run(slotsOf(load.input));
        expect(refusals(drive.answers)).toEqual([]);
        expect(drive.answers.get('overloaded')).toBeUndefined();
        granted += drive.answers.get('ok') ?? 0;
      }),
      {numRuns: 60},
    );
    expect(granted).toBeGreaterThan(1000);
  });

  test('is no larger than it must be: with half of a table the same load is refused', () => {
    const input = {ratePerSecond: 200, holdMs: 3000, resources: 100, retryWindowMs: 3000};
    const {config} = plan(input);
    const drive = (mix: Mix, core: Partial<DatabaseConfig['core']>): string[] => {
      const drive = new Drive({...config, core: {...config.core, ...core}}, {input, mix, inBursts: false, seed: 1});
      drive.run(slotsOf(input));
      return refusals(drive.answers);
    };
    const operations = Math.ceil(config.core.maxOperations / 2);
    expect(drive('release', {maxOperations: operations})).toEqual(['operation_table_full']);
    const reservations = Math.ceil(config.core.maxReservations / 2);
    const bounds = {maxReservations: reservations, maxExpirationBucketLen: reservations};
    expect(drive('lapse', bounds)).toEqual(['reservation_table_full']);
    expect(drive('lapse', {})).toEqual([]);
  });

  test('has room for every resource held at once, beside those that ended', () => {
    const input = {ratePerSecond: 4, holdMs: 300_000, resources: 700, retryWindowMs: 5000, slotMs: 1000};
    const {config} = plan(input);
    const drive = (maxReservations: number): string[] => {
      const core = {...config.core, maxReservations, maxExpirationBucketLen: maxReservations};
      const driven = new Drive({...config, core}, {input, mix: 'hold', inBursts: false, seed: 1});
      driven.run(600);
      return refusals(driven.answers);
    };
    expect(drive(config.core.maxReservations)).toEqual([]);
    expect(drive(config.core.maxReservations - input.resources)).toEqual(['reservation_table_full']);
  });

  test('of any load is a configuration that validates and can be read back, or no plan', () => {
    const wide = fc.record({
      ratePerSecond: fc.double({min: 0.01, max: 5e6, noNaN: true}),
      holdMs: fc.double({min: 0.5, max: 1e10, noNaN: true}),
      resources: fc.integer({min: 1, max: 2 ** 28}),
      retryWindowMs: fc.double({min: 0.5, max: 1e9, noNaN: true}),
      slotMs: fc.double({min: 0.5, max: 1e6, noNaN: true}),
      bundleSize: fc.integer({min: 1, max: 70_000}),
      readShare: fc.double({min: 0, max: 0.99, noNaN: true}),
      grantShare: fc.double({min: 0.001, max: 1, noNaN: true}),
      memoryBytes: fc.constant(8 * 2 ** 30),
    });
    let plans = 0;
    fc.assert(
      fc.property(wide, input => {
        const load = {...input, bundleSize: Math.min(input.bundleSize, input.resources)};
        try {
          const made = plan(load);
          plans++;
          expect(configIssues(made.config)).toEqual([]);
          const json = JSON.parse(JSON.stringify(planToJson(made))) as {config: unknown};
          expect(parseConfig(JSON.stringify(json.config))).toEqual(made.config);
          expect(made.memoryBytes).toBe(memoryBytesOf(made.config.core));
          expect(JSON.stringify(json)).not.toMatch(/null|NaN|Infinity/);
          expect(planLines(made).filter(line => /NaN|undefined|Infinity/.test(line))).toEqual([]);
        } catch (error) {
          if (!isOpenError(error)) throw error;
          expect(error.code).toBe('invalid_config');
          expect(error.issues.length).toBeGreaterThan(0);
        }
      }),
      {numRuns: 400},
    );
    expect(plans).toBeGreaterThan(50);
  });

  test('of the example holds what the page says', () => {
    const made = plan({ratePerSecond: 50_000, holdMs: 600_000, resources: 100_000});
    expect(made.config.core).toMatchObject({
      maxResources: 100_000,
      maxTtlSlots: 6001n,
      operationWindowSlots: 600n,
      maxOperations: 3_360_517,
      maxReservations: 3_460_517,
    });
    expect(made.log.groupSize).toBe(10);
    expect(made.log.bytesPerCommand).toBe(102.4);
    expect(made.warnings.map(({code}) => code)).toEqual(['retained_log']);
    expect(planLines(made).slice(0, 5)).toEqual([
      'load        50,000 requests/s, 0 % of them reads: 50,000 commands/s, 100 % of them reserves that win',
      '            holds of up to 10 min on 100,000 resources, one each; retries get the first answer for 60 s',
      'slots       100 ms: a hold has at most 6,001, an operation is remembered for 600',
      'tables      3,360,517 operations, 3,460,517 reservations (live, and over for up to 60 s)',
      'memory      800 MiB for the tables, all of it from the start',
    ]);
  });

  test('says where it is near a limit', () => {
    const codes = (input: Partial<PlanInput>): string[] =>
      plan({ratePerSecond: 1000, holdMs: 60_000, resources: 1000, ...input}).warnings.map(({code}) => code);
    expect(codes({})).toEqual([]);
    expect(codes({ratePerSecond: 500_000, retryWindowMs: 5000, grantShare: 0.01})).toContain('rate');
    expect(codes({ratePerSecond: 1e6, retryWindowMs: 5000, grantShare: 0.01})).toContain('submission_queue');
    expect(codes({memoryBytes: 2 ** 29})).toEqual(['memory']);
    expect(codes({ratePerSecond: 20_000, retryWindowMs: 3_600_000, grantShare: 0.01})).toContain('operation_table');
    expect(codes({resources: 200_000})).toEqual(['expirations_per_tick']);
    expect(codes({holdMs: 500})).toEqual(['slots']);
    expect(codes({holdMs: 2_000_000_000})).toContain('slots');
    expect(codes({ratePerSecond: 200_000})).toEqual(expect.arrayContaining(['checkpoints', 'retained_log']));
    expect(codes({ratePerSecond: 100_000, retryWindowMs: 600_000})).toContain('recovery');
  });

  test('of no load is refused', () => {
    const good: PlanInput = {ratePerSecond: 1, holdMs: 1000, resources: 10};
    for (const bad of [
      {ratePerSecond: 0},
      {holdMs: Number.NaN},
      {resources: 1.5},
      {bundleSize: 11},
      {readShare: 1},
      {grantShare: 0},
      {slotMs: -1},
    ]) {
      expect(() => plan({...good, ...bad})).toThrow(RangeError);
    }
    expect(openErrorOf(() => plan({...good, ratePerSecond: 1e7})).issues.join()).toMatch(
      /core.max_operations: too_large/,
    );
  });
});

describe('sizes', () => {
  test('of the log are those of the frames that an engine writes, at any group size', () => {
    for (const size of [1, 3]) {
      const engine = openOn(new SimDisk(), {segmentBytes: 1 << 20, maxFrameBytes: 1 << 18});
      const {wal} = engine.directory;
      let operation = 0n;
      for (const group of [1, 2, 5, 6, 40, 300]) {
        const before = wal.bytesWritten;
        const resourceIds = Array.from({length: size}, (_, i) => BigInt(i));
        const command: Command =
          size === 1
            ? {kind: 'reserve', resourceId: 1n, holderId: 2n, ttlSlots: 3n}
            : {kind: 'reserve_bundle', resourceIds, holderId: 2n, ttlSlots: 3n};
        const payloads = Array.from({length: group}, () => payload(command, ++operation));
        engine.handleApiRequest({type: 'submit_batch', requestSlot: 1n, payloads});
        const written = wal.bytesWritten - before;
        expect(written).toBe(frameBytes(group * reserveRecordBytes(size)));
        expect(written / group).toBe(logBytesPerRecord(reserveRecordBytes(size), group));
      }
      engine.closeNow();
    }
  });

  test('of a snapshot are those of the file', async () => {
    const input = {ratePerSecond: 400, holdMs: 20_000, resources: 3000, retryWindowMs: 20_000};
    const {config} = plan(input);
    const disk = new SimDisk();
    const engine = openOn(disk, {config, segmentBytes: 8 << 20});
    const send = (make: (i: number) => Command, count: number, first: number): void => {
      const payloads = Array.from({length: count}, (_, i) => payload(make(i), BigInt(first + i)));
      engine.handleApiRequest({type: 'submit_batch', requestSlot: 1n, payloads});
    };
    send(i => ({kind: 'create_resource', resourceId: BigInt(i)}), 3000, 1);
    send(i => ({kind: 'reserve', resourceId: BigInt(i), holderId: 1n, ttlSlots: 50n}), 2100, 4000);
    const {lsn} = await engine.checkpoint();
    const [name = ''] = disk.list(SNAPSHOT_DIR);
    expect(disk.contentOf(`${SNAPSHOT_DIR}/${name}`).length).toBe(
      snapshotBytes({resources: 3000, reservations: 2100, operations: Number(lsn)}, 1),
    );
    engine.closeNow();
  });
});
