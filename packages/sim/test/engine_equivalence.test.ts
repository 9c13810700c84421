/**
 * The engine against the naive model, byte for byte, on seeded streams over small random configurations, on a disk in
 * memory: with restarts, losses of power and checkpoints at random points in between, small frames and small segments.
 * In some streams a checkpoint runs while requests are answered; of those only the metrics are left out, because the
 * model has no snapshot that lies in the past.
 *
 * A failure names its seed; `ENGINE_SEED=<seed>` runs that one alone, `ENGINE_SEEDS=<count>` more than the normal run.
 */
import {CodecError, codecErrorFrame, decodeResponse} from '@allocdb/api';
import {checkInvariants, digestOf} from '@allocdb/core';
import {type CheckpointInfo, type DatabaseConfig, SingleNodeEngine, verifyDirectory} from '@allocdb/node';
import {createDirectoryAt, dumpState} from '@allocdb/node/testing';
import {
  generateStream,
  Model,
  type ModelConfig,
  type ModelStart,
  pageInIdOrder,
  Random,
  randomConfig,
  randomStart,
  readVectorStream,
  vectorNames,
} from '@allocdb/sim';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';

const DIR = '/data';
const REQUESTS = 300;
const SEGMENT_BYTES = 32 * 1024;
const GET_METRICS = 4;
const SEEDS = Number(process.env['ENGINE_SEEDS'] ?? 150);
const ONLY_SEED = process.env['ENGINE_SEED'];

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function described(bytes: Uint8Array): string {
  if (bytes[0] === 0xe0) return 'codec error';
  return JSON.stringify(decodeResponse(bytes), (_, part) => (typeof part === 'bigint' ? `${part}` : part));
}

function databaseConfig(config: ModelConfig): DatabaseConfig {
  const {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick, ...core} = config;
  return {core, engine: {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick}};
}

interface Tally {
  requests: number;
  restarts: number;
  crashes: number;
  checkpoints: number;
}

class Pair {
  readonly #model: Model;
  readonly #config: DatabaseConfig;
  readonly #random: Random;
  readonly #maxFrameBytes: number;
  readonly #concurrent: boolean;
  #disk: SimDisk;
  #engine: SingleNodeEngine;
  #checkpoint: Promise<CheckpointInfo> | null = null;

  static async create(seed: bigint, config: ModelConfig, start: ModelStart | null): Promise<Pair> {
    const random = new Random(seed).fork('engine');
    const disk = new SimDisk({seed: random.u32()});
    const databaseOf = databaseConfig(config);
    if (start !== null) await createDirectoryAt(DIR, databaseOf, start, disk, SEGMENT_BYTES);
    return new Pair(random, config, databaseOf, start, disk);
  }

  private constructor(
    random: Random,
    config: ModelConfig,
    databaseOf: DatabaseConfig,
    start: ModelStart | null,
    disk: SimDisk,
  ) {
    this.#random = random;
    this.#config = databaseOf;
    this.#model = new Model(config, start);
    this.#disk = disk;
    // The smallest holds a tick of sixteen and little more, so that batches take several frames.
    this.#maxFrameBytes = random.pick([1024, 2048, 16_384]);
    this.#concurrent = random.chance(40);
    this.#engine = this.#open();
  }

  #open(): SingleNodeEngine {
    return SingleNodeEngine.open({
      dir: DIR,
      io: this.#disk,
      config: this.#random.chance(50) ? this.#config : this.#knownConfig(),
      segmentBytes: SEGMENT_BYTES,
      maxFrameBytes: this.#maxFrameBytes,
      idleMarkerMs: 0,
      checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, retainLogBytes: this.#random.pick([0, 0, SEGMENT_BYTES])},
    });
  }

  /** Null once the directory knows: opening must not need to be told. */
  #knownConfig(): DatabaseConfig | null {
    try {
      return this.#disk.list(DIR).includes('CONFIG') ? null : this.#config;
    } catch {
      return this.#config;
    }
  }

  /** What the two answered differently, or null. */
  answer(frame: Uint8Array): string | null {
    if (this.#concurrent && frame[0] === GET_METRICS) return null;
    const expected = this.#model.handle(frame);
    let actual: Uint8Array;
    try {
      actual = this.#engine.handleApiBytes(frame);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      actual = codecErrorFrame(error);
    }
    // Where a reservation is kept is the engine's business.
    if (hex(expected) === hex(pageInIdOrder(actual))) return null;
    return `${hex(frame)}\nmodel  ${described(expected)}\nengine ${described(actual)}`;
  }

  /** Something that may come between two requests. */
  async disturb(tally: Tally): Promise<string | null> {
    await Promise.resolve();
    const choice = this.#random.below(100);
    if (choice < 3) {
      tally.restarts++;
      await this.#finishCheckpoint();
      this.#engine.closeNow();
    } else if (choice < 6) {
      tally.crashes++;
      // The process is gone at once: whatever the old engine still does, it does to a disk that nobody sees.
      this.#checkpoint?.catch(() => undefined);
      this.#checkpoint = null;
      const disk = this.#disk.fork(this.#random.u32());
      disk.restart();
      this.#disk = disk;
    } else {
      if (choice < 9) await this.#beginCheckpoint(tally);
      return null;
    }
    this.#engine = this.#open();
    this.#model.restart();
    return this.compareStates();
  }

  async #beginCheckpoint(tally: Tally): Promise<void> {
    await this.#finishCheckpoint();
    tally.checkpoints++;
    this.#checkpoint = this.#engine.checkpoint();
    if (this.#concurrent) return;
    this.#model.checkpoint();
    await this.#finishCheckpoint();
  }

  async #finishCheckpoint(): Promise<void> {
    await this.#checkpoint;
    this.#checkpoint = null;
  }

  compareStates(): string | null {
    if (this.#checkpoint !== null) return null;
    const expected = JSON.stringify(this.#model.dumpState());
    const actual = JSON.stringify(dumpState(this.#engine.db));
    if (expected !== actual) return `state\nmodel  ${expected}\nengine ${actual}`;
    const violations = checkInvariants(this.#engine.db);
    return violations.length === 0 ? null : violations.join('; ');
  }

  /** Closes, and has the directory verified by replay from its oldest snapshot. */
  async finish(): Promise<string | null> {
    await this.#finishCheckpoint();
    const difference = this.compareStates();
    const digest = digestOf(this.#engine.db);
    this.#engine.closeNow();
    const report = verifyDirectory(DIR, this.#disk);
    if (report.problems.length > 0) return `verify: ${report.problems.join('; ')}`;
    if (report.digest !== digest) return `verify: digest ${report.digest}, engine ${digest}`;
    return difference;
  }
}

async function runSeed(seed: bigint, tally: Tally): Promise<void> {
  const config = randomConfig(seed);
  const start = randomStart(seed);
  const fail = (index: number, difference: string): never => {
    throw new Error(`ENGINE_SEED=${seed} request ${index}: ${difference}`);
  };
  let at = 0;
  try {
    const pair = await Pair.create(seed, config, start);
    for (const frame of generateStream(seed, config, REQUESTS, start)) {
      const difference = (await pair.disturb(tally)) ?? pair.answer(frame);
      if (difference !== null) fail(at, difference);
      at++;
      tally.requests++;
    }
    const difference = await pair.finish();
    if (difference !== null) fail(at, difference);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('ENGINE_SEED=')) throw error;
    throw new Error(`ENGINE_SEED=${seed} request ${at} threw ${String(error)}`, {cause: error});
  }
}

test('engine and model answer with the same bytes, through restarts, crashes and checkpoints', async () => {
  const seeds = ONLY_SEED === undefined ? Array.from({length: SEEDS}, (_, i) => BigInt(i + 1)) : [BigInt(ONLY_SEED)];
  const tally: Tally = {requests: 0, restarts: 0, crashes: 0, checkpoints: 0};
  for (const seed of seeds) await runSeed(seed, tally);
  process.stdout.write(`engine equals model: ${JSON.stringify(tally)} over ${seeds.length} seeds\n`);
  if (ONLY_SEED !== undefined) return;
  expect(Math.min(tally.restarts, tally.crashes, tally.checkpoints)).toBeGreaterThan(seeds.length);
});

describe('the state after a conformance stream, as the engine dumps it', () => {
  test.each(vectorNames())('%s', async name => {
    const stream = readVectorStream(name);
    const config = databaseConfig(stream.config);
    let disk = new SimDisk();
    if (stream.start !== null) await createDirectoryAt(DIR, config, stream.start, disk, 1 << 20);
    for (const run of stream.runs) {
      const engine = SingleNodeEngine.open({
        dir: DIR,
        io: disk,
        config,
        segmentBytes: 1 << 20,
        maxFrameBytes: 1 << 18,
        idleMarkerMs: 0,
      });
      for (const [index, request] of run.requests.entries()) {
        let answer: Uint8Array;
        try {
          answer = engine.handleApiBytes(request);
        } catch (error) {
          if (!(error instanceof CodecError)) throw error;
          answer = codecErrorFrame(error);
        }
        if (hex(answer) !== hex(run.responses[index] ?? new Uint8Array(0))) throw new Error(`request ${index} differs`);
      }
      expect(dumpState(engine.db)).toEqual(run.finalState);
      disk = disk.fork(7);
      disk.restart();
    }
  });
});
