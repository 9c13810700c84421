/**
 * Shared by the tests of operations on directories: random streams of requests of which each is at most one record, so
 * that a fresh engine can be brought to any lsn; what a log holds; and what is on a disk, whatever the directory is.
 */
import type {ApiRequest} from '@allocdb/api';
import {type Command, digestOf} from '@allocdb/core';
import {type FileIo, joinPath, READ, readWal} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {
  type DatabaseConfig,
  type EngineOptions,
  isOpenError,
  type OpenError,
  type SingleNodeEngine,
} from '../src/index.ts';
import {HistoryRandom} from './history_random.ts';
import {configWith, create, openOn, payload, reserve} from './support.ts';

/** One expiry a tick, and windows so short that everything retires within a stream. */
export const RANDOM_CONFIG: DatabaseConfig = configWith(
  {maxExpirationsPerTick: 1},
  {
    maxTtlSlots: 12n,
    maxClientRetryWindowSlots: 6n,
    reservationHistoryWindowSlots: 4n,
    maxReservations: 24,
    maxExpirationBucketLen: 8,
  },
);

/** Segments of 16 KiB: a stream is several of them. */
export const SMALL: Partial<EngineOptions> = {segmentBytes: 16 * 1024, maxFrameBytes: 4096, config: RANDOM_CONFIG};

const SHARD = 7n << 64n;
const RESOURCES = 20;

/** Every look at its clock takes a while, so that work is cut into as many slices as there can be. */
export class TickingDisk extends SimDisk {
  #ms: number = 0;

  override now(): number {
    this.#ms += 60;
    return this.#ms;
  }
}

/** Requests without an end, the same for the same seed. */
export class RandomRequests {
  readonly #random: HistoryRandom;
  #slot: bigint = 1n;
  #operation: bigint = 0n;
  #sent: number = 0;

  constructor(seed: number) {
    this.#random = new HistoryRandom(seed);
  }

  next(): ApiRequest {
    const random = this.#random;
    if (random.chance(0.2)) this.#slot += BigInt(random.below(4));
    this.#sent++;
    if (this.#sent > RESOURCES && random.chance(0.25)) {
      return {type: 'tick_expirations', currentWallClockSlot: this.#slot};
    }
    // Now and then an operation is repeated, with the same command or another.
    const operationId = random.chance(0.05) ? BigInt(random.below(Number(this.#operation) + 1)) : ++this.#operation;
    return {type: 'submit', requestSlot: this.#slot, payload: payload(this.#command(), operationId)};
  }

  *[Symbol.iterator](): Generator<ApiRequest> {
    for (;;) yield this.next();
  }

  take(count: number): ApiRequest[] {
    return Array.from({length: count}, () => this.next());
  }

  #command(): Command {
    const random = this.#random;
    const resourceId = BigInt(random.below(RESOURCES));
    if (this.#sent <= RESOURCES) return {kind: 'create_resource', resourceId: BigInt(this.#sent - 1)};
    const holderId = BigInt(random.below(3));
    const reservationId = SHARD | BigInt(Math.max(1, this.#sent - random.below(40)));
    const ttlSlots = 1n + BigInt(random.below(12));
    const kinds: Command[] = [
      {kind: 'reserve', resourceId, holderId, ttlSlots},
      {kind: 'reserve', resourceId, holderId, ttlSlots},
      {kind: 'reserve_bundle', resourceIds: [resourceId, BigInt(random.below(RESOURCES))], holderId, ttlSlots},
      {kind: 'confirm', reservationId, holderId},
      {kind: 'release', reservationId, holderId},
      {kind: 'release_fenced', reservationId, holderId, leaseEpoch: BigInt(random.below(3))},
      {kind: 'revoke', reservationId},
      {kind: 'reclaim', reservationId},
      {kind: 'create_resource', resourceId},
    ];
    return kinds[random.below(kinds.length)] as Command;
  }
}

/** Feeds requests one by one, each durable. */
export function feed(engine: SingleNodeEngine, requests: readonly ApiRequest[]): void {
  for (const request of requests) engine.handleApiRequest(request);
}

/** The digests that a fresh engine has at some lsns, in rising order, while it is fed these requests. */
export function digestsAt(requests: Iterable<ApiRequest>, lsns: readonly bigint[]): bigint[] {
  const engine = openOn(new SimDisk(), {config: RANDOM_CONFIG, segmentBytes: 1 << 20});
  const digests: bigint[] = [];
  const note = (): void => {
    while (digests.length < lsns.length && (engine.durableLsn ?? 0n) === lsns[digests.length]) {
      digests.push(digestOf(engine.db));
    }
  };
  note();
  for (const request of requests) {
    if (digests.length === lsns.length) return digests;
    engine.handleApiRequest(request);
    note();
  }
  if (digests.length < lsns.length) throw new Error(`the requests give no lsn ${lsns[digests.length]}`);
  return digests;
}

/** The digest of a fresh engine that was fed these requests up to an lsn. */
export function digestAt(requests: Iterable<ApiRequest>, lsn: bigint): bigint {
  return digestsAt(requests, [lsn])[0] as bigint;
}

/** Three checkpoints, so that the log was cut, and records behind the last; the requests so far. */
export async function populate(engine: SingleNodeEngine, seed: number = 1, each: number = 120): Promise<ApiRequest[]> {
  const requests = new RandomRequests(seed).take(4 * each);
  for (let part = 0; part < 4; part++) {
    feed(engine, requests.slice(part * each, (part + 1) * each));
    if (part < 3) await engine.checkpoint();
  }
  return requests;
}

/** Everything that a log says of its records, one line each. */
export function recordsOf(io: FileIo, walDir: string): Map<bigint, string> {
  const records = new Map<bigint, string>();
  const cursor = readWal({dir: walDir, io});
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event !== READ.RECORD) continue;
      const {lsn, type, flags, stamp} = cursor;
      records.set(lsn, [type, flags, stamp, Buffer.from(cursor.payload()).toString('hex')].join(' '));
    }
  } finally {
    cursor.close();
  }
  return records;
}

/** Id of the log, from the header of its first segment. */
export function logIdOf(io: FileIo, walDir: string): string {
  const name = io.list(walDir).find(segment => segment.endsWith('.seg'));
  const handle = io.open(`${walDir}/${name}`, 'read');
  const header = new Uint8Array(32);
  io.read(handle, header, 0, 32, 0);
  io.close(handle);
  return Buffer.from(header.subarray(16)).toString('hex');
}

/** Every file below a directory, LOCK aside: paths and content; directories with an empty content. */
export function treeOf(disk: SimDisk, dir: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of disk.list(dir).filter(one => one !== 'LOCK')) {
    const path = joinPath(dir, name);
    if (!isDirectory(disk, path)) files.set(path, Buffer.from(disk.contentOf(path)).toString('base64'));
    else for (const [inner, content] of [[path, ''] as const, ...treeOf(disk, path)]) files.set(inner, content);
  }
  return files;
}

export function isDirectory(disk: SimDisk, path: string): boolean {
  try {
    disk.list(path);
    return true;
  } catch {
    return false;
  }
}

/** The disk, on which a call that fails is followed by a loss of power some calls later: while it is cleaned up. */
export function failingTwice(disk: SimDisk, call: number, thenCalls: number): FileIo {
  let hasFailed = false;
  disk.arm({call, kind: 'EIO'});
  return new Proxy<FileIo>(disk, {
    get: (_, name) => {
      const value: unknown = Reflect.get(disk, name, disk);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        try {
          return value.apply(disk, args);
        } catch (error) {
          const isTheFault = !hasFailed && error instanceof Error && 'code' in error && error.code === 'EIO';
          if (isTheFault) disk.arm({call: thenCalls, kind: 'power_cut'});
          hasFailed ||= isTheFault;
          throw error;
        }
      };
    },
  });
}

/** Why something was refused; fails where it was not, or by an error of another kind. */
export async function refusalOf(action: Promise<unknown>): Promise<OpenError> {
  const error: unknown = await action.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (isOpenError(error)) return error;
  throw error;
}

/** Resources, holds and a tick, as records of one frame each: for directories whose content does not matter. */
export function fill(engine: SingleNodeEngine): void {
  for (let i = 1n; i < 8n; i++) engine.handleApiRequest(create(i));
  for (let i = 1n; i < 6n; i++) engine.handleApiRequest(reserve(i, 2n));
  engine.handleApiRequest({type: 'tick_expirations', currentWallClockSlot: 30n});
}
