/**
 * Shared by the tests: a small configuration, requests in short, a pipelining caller, and disks in memory that hold back
 * their syncs or count on being restarted.
 */
import {setImmediate as turn} from 'node:timers/promises';
import type {ApiRequest, ApiResponse, SubmitResponse} from '@allocdb/api';
import {decodeResponse, encodeRequest} from '@allocdb/api';
import {type Command, encodeClientRequest} from '@allocdb/core';
import type {FileIo} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {expect} from 'vitest';
import {
  AnswerBuffer,
  type DatabaseConfig,
  type EngineLimits,
  type EngineOptions,
  isOpenError,
  type OpenError,
  SingleNodeEngine,
} from '../src/index.ts';

export const DIR = '/data';
export const WAL_DIR = '/data/wal';
export const SNAPSHOT_DIR = '/data/snapshots';

export const CORE: DatabaseConfig['core'] = {
  shardId: 7n,
  maxResources: 64,
  maxReservations: 64,
  maxOperations: 512,
  maxBundleSize: 4,
  maxTtlSlots: 100n,
  maxClientRetryWindowSlots: 50n,
  reservationHistoryWindowSlots: 10n,
  maxExpirationBucketLen: 64,
  operationWindowSlots: null,
};

const LIMITS: EngineLimits = {maxSubmissionQueue: 1000, maxCommandBytes: 256, maxExpirationsPerTick: 16};

export function configWith(
  limits: Partial<EngineLimits> = {},
  core: Partial<DatabaseConfig['core']> = {},
): DatabaseConfig {
  return {core: {...CORE, ...core}, engine: {...LIMITS, ...limits}};
}

export const CONFIG: DatabaseConfig = configWith();

/** Segments of 64 KiB, no automatic checkpoint, no timers. */
export function openOn(io: FileIo, options: Partial<EngineOptions> = {}): SingleNodeEngine {
  return SingleNodeEngine.open({
    dir: DIR,
    io,
    config: CONFIG,
    segmentBytes: 64 * 1024,
    idleMarkerMs: 0,
    ...options,
    checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, ...options.checkpoint},
  });
}

let operations = 1000n;

/** A payload of one command; a new operation unless one is named. */
export function payload(command: Command, operationId: bigint = ++operations): Uint8Array {
  return encodeClientRequest({operationId, clientId: 1n, command});
}

export function create(resourceId: bigint, operationId?: bigint, requestSlot: bigint = 1n): ApiRequest {
  return {type: 'submit', requestSlot, payload: payload({kind: 'create_resource', resourceId}, operationId)};
}

export function reserve(resourceId: bigint, requestSlot: bigint = 1n, operationId?: bigint): ApiRequest {
  const command: Command = {kind: 'reserve', resourceId, holderId: 9n, ttlSlots: 5n};
  return {type: 'submit', requestSlot, payload: payload(command, operationId)};
}

export function batch(count: number, firstResource: bigint, operationId?: bigint): ApiRequest {
  const payloads = Array.from({length: count}, (_, i) =>
    payload({kind: 'create_resource', resourceId: firstResource + BigInt(i)}, operationId && operationId + BigInt(i)),
  );
  return {type: 'submit_batch', requestSlot: 1n, payloads};
}

export function resource(resourceId: bigint, requiredLsn: bigint | null = null): ApiRequest {
  return {type: 'get_resource', requiredLsn, resourceId};
}

export function metricsAt(slot: bigint): ApiRequest {
  return {type: 'get_metrics', currentWallClockSlot: slot};
}

export function tick(slot: bigint): ApiRequest {
  return {type: 'tick_expirations', currentWallClockSlot: slot};
}

/** What a response says, in short: the result of a command, the code of a failure, or the type. */
export function said(response: ApiResponse | undefined): string {
  if (response === undefined) return 'nothing';
  switch (response.type) {
    case 'submit_committed':
      return `${response.resultCode}@${response.appliedLsn}${response.fromRetryCache ? ' again' : ''}`;
    case 'submit_rejected':
    case 'tick_rejected':
      return response.failure.code;
    case 'batch_result':
      return `[${response.results.map(said).join(', ')}]`;
    case 'tick_applied':
      return `ticked ${response.processedCount}`;
    default:
      return response.type;
  }
}

export function members(response: ApiResponse | undefined): readonly SubmitResponse[] {
  if (response?.type !== 'batch_result') throw new Error(`a batch is answered, not ${said(response)}`);
  return response.results;
}

/** A connection's worth of pipelined use. */
export class Caller {
  readonly responses: ApiResponse[] = [];
  readyCalls: number = 0;
  readonly answers: AnswerBuffer;
  readonly #engine: SingleNodeEngine;

  constructor(engine: SingleNodeEngine, onReady: () => void = () => undefined) {
    this.#engine = engine;
    this.answers = new AnswerBuffer(() => {
      this.readyCalls++;
      this.collect();
      onReady();
    });
  }

  /** Sends requests, each in a frame that lies somewhere in a larger buffer; returns the last codec error. */
  send(...requests: (ApiRequest | Uint8Array)[]): number {
    let error = 0;
    for (const request of requests) {
      const frame = request instanceof Uint8Array ? request : encodeRequest(request);
      const bytes = new Uint8Array(frame.length + 16).fill(0xa5);
      bytes.set(frame, 7);
      error = this.#engine.submitBytes(new DataView(bytes.buffer), bytes, 7, frame.length, this.answers);
    }
    return error;
  }

  collect(): void {
    const taken = this.answers.take();
    if (taken === null) return;
    const view = new DataView(taken.buffer, taken.byteOffset, taken.byteLength);
    for (let at = 0; at < taken.length; ) {
      const length = view.getUint32(at, true);
      this.responses.push(decodeResponse(taken.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
  }

  get said(): string[] {
    return this.responses.map(said);
  }
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

/** Waits until a condition holds; gives up after many turns. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 100_000; i++) {
    if (condition()) return;
    await turn();
  }
  throw new Error('it never came to it');
}

/** A disk whose syncs on the thread pool wait while `hold` is set, until `release` lets the oldest one go. */
export class HeldDisk extends SimDisk {
  hold: boolean = true;
  readonly #held: (() => void)[] = [];

  get heldCount(): number {
    return this.#held.length;
  }

  override async datasyncAsync(handle: number): Promise<void> {
    if (this.hold) await new Promise<void>(resolve => this.#held.push(resolve));
    await super.datasyncAsync(handle);
  }

  async release(): Promise<void> {
    await until(() => this.#held.length > 0);
    this.#held.shift()?.();
    await turns(3);
  }

  releaseAll(): void {
    this.hold = false;
    for (const release of this.#held.splice(0)) release();
  }
}

/** What the disk would hold if power went now, and on what a new process would open it. */
export function afterPowerCut(disk: SimDisk, seed: number = 1): SimDisk {
  const copy = disk.fork(seed);
  copy.restart();
  return copy;
}

/** Runs what must be refused at opening, and returns why. */
export function openErrorOf(open: () => unknown): OpenError {
  try {
    open();
  } catch (error) {
    if (isOpenError(error)) return error;
    throw error;
  }
  return expect.unreachable('it opened');
}

/** Every file below the directory, LOCK aside: names and content. */
export function contentOf(disk: SimDisk, dir: string = DIR): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of disk.list(dir)) {
    const path = `${dir}/${name}`;
    if (name === 'wal' || name === 'snapshots') {
      for (const [inner, content] of contentOf(disk, path)) files.set(inner, content);
    } else if (name !== 'LOCK') files.set(path, Buffer.from(disk.contentOf(path)).toString('base64'));
  }
  return files;
}
