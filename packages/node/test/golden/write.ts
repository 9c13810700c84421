/**
 * Writes a golden directory: a small data directory of the present format versions, with what a replay of it must give.
 * Run once when a version is raised, into a directory of its own; what is there already is replayed for ever and never
 * written again.
 *
 *   tsx --conditions=@allocdb/source packages/node/test/golden/write.ts v<number>
 */
import {existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {gzipSync} from 'node:zlib';
import {type Command, digestOf, encodeClientRequest} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {type DatabaseConfig, SingleNodeEngine} from '../../src/index.ts';
import {dumpState} from '../../src/testing/index.ts';

const SHARD = 0x0102_0304_0506_0708n;
const WIDE = 0xfedc_ba98_7654_3210_0000_0000_0000_0000n;
const CONFIG: DatabaseConfig = {
  core: {
    shardId: SHARD,
    maxResources: 16,
    maxReservations: 12,
    maxOperations: 64,
    maxBundleSize: 3,
    maxTtlSlots: 20n,
    maxClientRetryWindowSlots: 10n,
    reservationHistoryWindowSlots: 6n,
    maxExpirationBucketLen: 4,
    operationWindowSlots: 25n,
  },
  engine: {maxSubmissionQueue: 16, maxCommandBytes: 128, maxExpirationsPerTick: 4},
};

/** Every command, successes and refusals, a batch, ticks; in three parts with a checkpoint after the first two. */
async function write(engine: SingleNodeEngine): Promise<void> {
  let operation = WIDE;
  let slot = 5n;
  const payload = (command: Command): Uint8Array =>
    encodeClientRequest({operationId: ++operation, clientId: operation ^ WIDE, command});
  const run = (command: Command): bigint => {
    const response = engine.handleApiRequest({type: 'submit', requestSlot: slot, payload: payload(command)});
    if (response.type !== 'submit_committed') throw new Error(`a command is committed, not ${response.type}`);
    return response.reservationId ?? 0n;
  };
  const tick = (): unknown => engine.handleApiRequest({type: 'tick_expirations', currentWallClockSlot: slot});
  const holderId = WIDE | 77n;
  const hold = (resourceId: bigint, ttlSlots: bigint): bigint =>
    run({kind: 'reserve', resourceId, holderId, ttlSlots});
  const part = (): void => {
    const first = hold(WIDE | 1n, 9n);
    const second = run({kind: 'reserve_bundle', resourceIds: [WIDE | 2n, WIDE | 3n, 4n], holderId, ttlSlots: 4n});
    const third = hold(5n, 3n);
    run({kind: 'confirm', reservationId: first, holderId});
    run({kind: 'confirm_fenced', reservationId: second, holderId, leaseEpoch: 1n});
    run({kind: 'confirm_fenced', reservationId: third, holderId, leaseEpoch: 9n});
    run({kind: 'revoke', reservationId: second});
    slot += 3n;
    tick();
    run({kind: 'reclaim', reservationId: second});
    run({kind: 'release', reservationId: first, holderId: 1n});
    run({kind: 'release_fenced', reservationId: first, holderId, leaseEpoch: 1n});
    hold(99n, 1n);
    hold(6n, 20n);
    slot += 2n;
    tick();
  };
  const payloads = [...Array(7).keys()].map(i =>
    payload({kind: 'create_resource', resourceId: i < 3 ? WIDE | BigInt(i + 1) : BigInt(i + 1)}),
  );
  engine.handleApiRequest({type: 'submit_batch', requestSlot: slot, payloads});
  part();
  await engine.checkpoint();
  run({kind: 'revoke', reservationId: (SHARD << 64n) | 8n});
  part();
  await engine.checkpoint();
  slot += 4n;
  part();
}

const target = fileURLToPath(new URL(`${process.argv[2] ?? 'v'}/`, import.meta.url));
if (existsSync(target)) throw new Error(`${target} is there already, and golden directories are never written again`);
const disk = new SimDisk({seed: 20_260_101});
const engine = SingleNodeEngine.open({
  dir: '/data',
  io: disk,
  config: CONFIG,
  segmentBytes: 16 * 1024,
  maxFrameBytes: 2048,
  idleMarkerMs: 0,
  checkpoint: {everyLogBytes: null, retainLogBytes: Number.POSITIVE_INFINITY},
});
await write(engine);
const expected = {
  lsn: String(engine.durableLsn),
  digest: digestOf(engine.db).toString(16).padStart(32, '0'),
  state: dumpState(engine.db),
};
engine.closeNow();
for (const dir of ['', 'wal', 'snapshots']) {
  mkdirSync(`${target}${dir}`, {recursive: true});
  for (const name of disk.list(`/data${dir === '' ? '' : `/${dir}`}`)) {
    if (name === 'wal' || name === 'snapshots') continue;
    const path = `${dir === '' ? '' : `${dir}/`}${name}`;
    // Segments are mostly zeros.
    const content = disk.contentOf(`/data/${path}`);
    if (name.endsWith('.seg')) writeFileSync(`${target}${path}.gz`, gzipSync(content, {level: 9}));
    else writeFileSync(`${target}${path}`, content);
  }
}
writeFileSync(`${target}expected.json`, `${JSON.stringify(expected, null, 2)}\n`);
