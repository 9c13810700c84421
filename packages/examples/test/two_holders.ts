/**
 * The story that every fence must survive: a worker holds a thing, sleeps past its deadline, and somebody else gets the
 * thing, on a real server. Both believe in their lease; only one may act.
 */
import {chmodSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Client, connect, type Lease, newHolderId, type ResourceId, resourceIdFrom} from '@allocdb/client';
import {AllocDbServer, createLog, defaultConfig} from '@allocdb/server';
import {onTestFinished} from 'vitest';

const SLOT_MS = 20;

/** A directory for one test. */
export function testDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'allocdb-examples-'));
  // A server that refuses to run as root runs as another user, who must be able to go there.
  chmodSync(dir, 0o755);
  onTestFinished(() => rmSync(dir, {recursive: true, force: true}));
  return dir;
}

/** The lease that is over, and the one that was granted after it. */
export async function staleAndPresent(): Promise<{stale: Lease; present: Lease}> {
  const client = await serveAndConnect();
  const thing = resourceIdFrom('the only one');
  await client.createResource({resource: thing});
  const stale = await acquire(client, thing, 2);
  for (;;) {
    const present = await client.acquire({resources: [thing], holder: newHolderId(), ttlSlots: 10_000});
    if (present !== null) return {stale, present};
  }
}

async function acquire(client: Client, thing: ResourceId, ttlSlots: number): Promise<Lease> {
  const lease = await client.acquire({resources: [thing], holder: newHolderId(), ttlSlots});
  if (lease === null) throw new Error('a thing that nobody holds was refused');
  return lease;
}

async function serveAndConnect(): Promise<Client> {
  const server = await AllocDbServer.start({
    dir: join(testDirectory(), 'data'),
    listen: {host: '127.0.0.1', port: 0},
    config: defaultConfig(SLOT_MS),
    slotDurationMs: SLOT_MS,
    trustClientSlots: false,
    tokenFile: null,
    anonymousRole: 'operate',
    maxConnections: 10,
    checkpoint: {},
    log: createLog({level: 'error'}),
  });
  const client = await connect(`allocdb://127.0.0.1:${server.address.port}`);
  onTestFinished(async () => {
    await client.close();
    await server.stop();
  });
  return client;
}
