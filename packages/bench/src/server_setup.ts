/**
 * A database server ready for the workload: started on a fresh directory, every resource created, the hot ones held by
 * somebody who keeps them.
 *
 * The server counts slots by its own clock, as in production: it replaces the slots of requests, ticks, and retires
 * operations and reservations as time passes. Checkpoints are out of reach, so that a figure is one of commands alone;
 * what a checkpoint costs is a question of its own.
 */
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {openRawConnection, type RawConnection} from '@allocdb/client';
import {type ApiResponse, configToJson, decodeResponse, REQUEST, type SubmitResponse} from '@allocdb/node';
import {ALLOCDB_PROGRAM, type ChildServer, startServer} from './child_server.ts';
import {HOT_RESOURCES, PAYLOAD_BYTES_MAX, writeCreate, writeHotConfirm, writeHotReserve} from './workload.ts';
import {SERVER_RESOURCES, SLOT_MS, TTL_SLOTS, workloadConfig} from './workload_config.ts';

const BATCH = 4096;
const BATCH_HEADER_BYTES = 11;
const NEVER_MIB = '1000000';

/** Empties `dir`, starts a server on it and prepares the resources. */
export async function startDatabase(dir: string, profileDir: string | null): Promise<ChildServer> {
  rmSync(dir, {recursive: true, force: true});
  mkdirSync(dir);
  const config = join(dir, 'config.json');
  writeFileSync(config, JSON.stringify(configToJson(workloadConfig(SERVER_RESOURCES))));
  const args = [
    'serve',
    join(dir, 'data'),
    '--listen',
    '127.0.0.1:0',
    '--config',
    config,
    '--slot-ms',
    String(SLOT_MS),
    '--checkpoint-every-mib',
    NEVER_MIB,
  ];
  const server = await startServer(ALLOCDB_PROGRAM, args, profileDir);
  try {
    await using connection = await openRawConnection(`allocdb://127.0.0.1:${server.port}`);
    await createResources(connection);
    await holdHotResources(connection);
  } catch (error) {
    server.kill();
    throw error;
  }
  return server;
}

async function createResources(connection: RawConnection): Promise<void> {
  for (let first = 0; first < SERVER_RESOURCES; first += BATCH) {
    const count = Math.min(BATCH, SERVER_RESOURCES - first);
    await submitAll(connection, count, (view, at, i) => writeCreate(view, at, first + i, first + i));
  }
}

async function holdHotResources(connection: RawConnection): Promise<void> {
  const base = SERVER_RESOURCES;
  const reserved = await submitAll(connection, HOT_RESOURCES, (view, at, i) =>
    writeHotReserve(view, at, base + i, i, TTL_SLOTS),
  );
  await submitAll(connection, HOT_RESOURCES, (view, at, i) =>
    writeHotConfirm(view, at, base + HOT_RESOURCES + i, Number(reserved[i] ?? 0n)),
  );
}

type WritePayload = (view: DataView, at: number, index: number) => number;

/** Submits payloads as one batch; answers their lsns, or throws when one is not answered by ok. */
async function submitAll(connection: RawConnection, count: number, write: WritePayload): Promise<bigint[]> {
  const frame = new Uint8Array(BATCH_HEADER_BYTES + count * (4 + PAYLOAD_BYTES_MAX));
  const view = new DataView(frame.buffer);
  view.setUint8(0, REQUEST.SUBMIT_BATCH);
  view.setUint16(9, count, true);
  let at = BATCH_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const length = write(view, at + 4, i);
    view.setUint32(at, length, true);
    at += 4 + length;
  }
  return lsnsOf(decodeResponse(await connection.request(frame.subarray(0, at))));
}

function lsnsOf(response: ApiResponse): bigint[] {
  if (response.type !== 'batch_result') throw new Error(`setup: answered by ${response.type}`);
  return response.results.map((answer: SubmitResponse) => {
    if (answer.type === 'submit_committed' && answer.resultCode === 'ok') return answer.appliedLsn;
    throw new Error(`setup: ${answer.type === 'submit_committed' ? answer.resultCode : answer.type}`);
  });
}
