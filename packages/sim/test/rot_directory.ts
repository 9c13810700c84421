/**
 * Small data directories to damage: two snapshots, a log of several segments of which a part lies before each of them, and
 * what a sound opening of it must answer. Everything follows from a seed; the commands are a generated stream.
 *
 * They end in three ways: `sealed` by a clean close, `idle` with the last frame proven by a marker, `open` with nothing
 * behind the last frame, which is then the only one that a damage may cost.
 */
import {CodecError, decodeResponse, encodeRequest} from '@allocdb/api';
import {digestOf, encodeClientRequest} from '@allocdb/core';
import {type DatabaseConfig, SingleNodeEngine} from '@allocdb/node';
import {dumpState} from '@allocdb/node/testing';
import {generateStream, type ModelConfig, Random} from '@allocdb/sim';
import {SimDisk} from '@allocdb/wal/testing';

export const DIR = '/data';
export const ENDINGS = ['sealed', 'idle', 'open'] as const;
export type Ending = (typeof ENDINGS)[number];

const SEGMENT_BYTES = 8192;
const FRAME_BYTES_MAX = 3072;
const BLOCK_BYTES = 512;
const REPEATS_MAX = 24;
const RECORDS = 40n;
/** So many operations are remembered in the end, to be asked again. */
const OPERATIONS_LEAST = 6;
const SUBMIT_TAG = 1;
const NEXT_PAYLOAD: Uint8Array = encodeClientRequest({
  operationId: 1n << 100n,
  clientId: 1n,
  command: {kind: 'create_resource', resourceId: 1n << 100n},
});

const CONFIG: ModelConfig = {
  shardId: 5n,
  maxResources: 6,
  maxReservations: 6,
  maxBundleSize: 3,
  maxOperations: 20,
  maxTtlSlots: 12n,
  maxClientRetryWindowSlots: 4n,
  reservationHistoryWindowSlots: 3n,
  maxExpirationBucketLen: 6,
  operationWindowSlots: 12n,
  maxSubmissionQueue: 16,
  maxCommandBytes: 160,
  maxExpirationsPerTick: 4,
};

/** What a directory that was opened says: its state, and answers to reads and repeats that change nothing. */
export interface Said {
  readonly lsn: bigint | null;
  readonly digest: bigint;
  readonly answers: readonly string[];
}

export interface RotDirectory {
  readonly name: string;
  readonly ending: Ending;
  readonly disk: SimDisk;
  readonly asks: readonly Uint8Array[];
  readonly said: Said;
  /** The frame that nothing proves, and what is said without it; null where every frame is proven. */
  readonly unproven: {readonly path: string; readonly start: number; readonly end: number; readonly said: Said} | null;
  /** One more command, and its answer: that what was opened can go on. */
  readonly next: Uint8Array;
  readonly nextAnswer: string;
  readonly nextDigest: bigint;
}

export function openOn(disk: SimDisk, config: DatabaseConfig | null = null): SingleNodeEngine {
  return SingleNodeEngine.open({
    dir: DIR,
    io: disk,
    config,
    segmentBytes: SEGMENT_BYTES,
    maxFrameBytes: FRAME_BYTES_MAX,
    idleMarkerMs: 0,
    commitMode: 'inline',
    checkpoint: {everyLogBytes: null, bytesPerSecond: 1e12, retainLogBytes: 0},
  });
}

export function saidBy(engine: SingleNodeEngine, asks: readonly Uint8Array[]): Said {
  return {
    lsn: engine.durableLsn,
    answers: asks.map(ask => hex(engine.handleApiBytes(ask))),
    digest: digestOf(engine.db),
  };
}

/** Every file by path, LOCK aside. */
export function filesOf(disk: SimDisk): string[] {
  return [DIR, `${DIR}/snapshots`, `${DIR}/wal`].flatMap(dir =>
    disk
      .list(dir)
      .filter(name => !['LOCK', 'snapshots', 'wal'].includes(name))
      .map(name => `${dir}/${name}`),
  );
}

/** Whether both hold the same files with the same bytes. */
export function holdSameBytes(one: SimDisk, other: SimDisk): boolean {
  const files = filesOf(one);
  if (files.join() !== filesOf(other).join()) return false;
  return files.every(path => Buffer.compare(one.contentOf(path), other.contentOf(path)) === 0);
}

/** From a seed to another one that no run counts up to. */
const OTHER_STREAM = 1_000_000;

/** Builds one: snapshots after some 26 and 33 of forty records, the last frame in the middle of a segment. */
export async function buildDirectory(seed: number, ending: Ending): Promise<RotDirectory> {
  const disk = new SimDisk({seed});
  const random = new Random(BigInt(seed)).fork('rot');
  const {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick, ...core} = CONFIG;
  const engine = openOn(disk, {core, engine: {maxSubmissionQueue, maxCommandBytes, maxExpirationsPerTick}});
  const snapshotsAt = [25 + random.below(3), 32 + random.below(3)];
  const submits: Uint8Array[] = [];
  let shorter: SimDisk | null = null;
  for (const frame of generateStream(BigInt(seed), CONFIG, 1000)) {
    const lsn = engine.durableLsn ?? 0n;
    if (lsn >= (snapshotsAt[0] ?? Number.POSITIVE_INFINITY)) {
      await engine.checkpoint();
      snapshotsAt.shift();
    }
    const {rolls, frames} = engine.directory.wal.metrics;
    const copy = disk.fork();
    try {
      engine.handleApiBytes(frame);
      if (frame[0] === SUBMIT_TAG) submits.push(frame);
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
    }
    const after = engine.directory.wal.metrics;
    const isLongEnough = lsn >= RECORDS && engine.db.operations.used >= OPERATIONS_LEAST;
    if (!isLongEnough || after.frames === frames || after.rolls !== rolls) continue;
    shorter = copy;
    break;
  }
  // Now and then a stream lets its operations retire as fast as they come; then another one is taken.
  if (shorter === null) return buildDirectory(seed + OTHER_STREAM, ending);
  if (ending === 'sealed') engine.closeNow();
  if (ending === 'idle') engine.directory.wal.markIdle();
  const unproven = ending === 'open' ? difference(shorter, disk) : null;
  disk.endProcess();
  const asks = asksOf(disk, unproven === null ? disk : shorter, submits);
  const next = encodeRequest({type: 'submit', requestSlot: 0n, payload: NEXT_PAYLOAD});
  const opened = openOn(disk.fork());
  const said = saidBy(opened, asks);
  return {
    name: `${ending} ${seed}`,
    ending,
    disk,
    asks,
    said,
    unproven: unproven === null ? null : {...unproven, said: saidBy(openOn(shorter.fork()), asks)},
    next,
    nextAnswer: hex(opened.handleApiBytes(next)),
    nextDigest: digestOf(opened.db),
  };
}

/** Where the later disk differs from the earlier one, in whole blocks: one frame of one segment. */
function difference(earlier: SimDisk, later: SimDisk): {path: string; start: number; end: number} {
  const changed = filesOf(later).filter(
    path => !filesOf(earlier).includes(path) || !Buffer.from(earlier.contentOf(path)).equals(later.contentOf(path)),
  );
  const [path] = changed;
  if (path === undefined || changed.length > 1)
    throw new Error(`one frame changed ${changed.join(' and ') || 'nothing'}`);
  const [was, is] = [earlier.contentOf(path), later.contentOf(path)];
  const differs = is.map((byte, at) => (byte === was[at] ? 0 : 1));
  const start = differs.indexOf(1);
  const end = differs.lastIndexOf(1) + 1;
  return {path, start: start - (start % BLOCK_BYTES), end: Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES};
}

/** Reads of everything there is, and repeats that both disks answer from memory, so that asking changes nothing. */
function asksOf(disk: SimDisk, shorter: SimDisk, submits: readonly Uint8Array[]): Uint8Array[] {
  const dump = dumpState(openOn(disk.fork()).db);
  const slot = BigInt(dump.last_request_slot ?? 0);
  const reads = [
    ...dump.resources.map(({resource_id: id}) =>
      encodeRequest({type: 'get_resource', requiredLsn: null, resourceId: BigInt(id)}),
    ),
    ...dump.reservations.map(({reservation_id: id}) =>
      encodeRequest({type: 'get_lease', requiredLsn: null, currentSlot: slot, reservationId: BigInt(id)}),
    ),
  ];
  const repeats = submits.slice(-REPEATS_MAX).filter(frame =>
    [disk, shorter].every(each => {
      const answer = decodeResponse(openOn(each.fork()).handleApiBytes(frame));
      return answer.type === 'submit_committed' && answer.fromRetryCache;
    }),
  );
  return [...reads, ...repeats];
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
