/**
 * Faults that a real server process is put through from outside: it is stopped and continued under load, and a second one
 * is started on its directory. Holds may end late and never early, nothing that was answered is lost, and the first
 * server does not notice the second.
 */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {afterEach, describe, expect, test, vi} from 'vitest';
import {cleanUp, fingerprintOf, runCommand, ServeProcess, tempDir} from './command.ts';
import {Peer} from './peer.ts';
import {faultConfigFile} from './process_faults_config.ts';
import {broughtAbout, FaultLoad, type Sent, settle} from './process_faults_load.ts';
import {create, reserve} from './requests.ts';

vi.setConfig({testTimeout: 180_000});

afterEach(cleanUp);

const SLOT_MS = 50;
const LOAD_TTL = 6n;
/** Due while the server stands still, and soon after it goes on. */
const SHORT_TTL = 8n;
const MIDDLE_TTL = 26n;
const LONG_TTL = 10_000n;
const ROUNDS = 3;
const STOP_MS = 900;

async function stateOf(peer: Peer, resourceId: bigint): Promise<string> {
  const [answer] = await peer.ask({type: 'get_resource', requiredLsn: null, resourceId});
  return answer?.type === 'resource_found' ? answer.state : String(answer?.type);
}

/** Asks until the resource is free; returns when the first such answer had come. */
async function availableAt(peer: Peer, resourceId: bigint): Promise<number> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const state = await stateOf(peer, resourceId);
    if (state === 'available') return performance.now();
    if (performance.now() > deadline) throw new Error(`resource ${resourceId} stays ${state}`);
    await pause(2);
  }
}

/** By the answers alone: each hold of a resource was granted at or behind the deadline of the one before. */
function expectNoneEarly(sent: readonly Sent[], ttl: bigint): number {
  const grants = sent.flatMap(({request, answer}) => {
    if (request.type !== 'submit' || answer?.type !== 'submit_committed' || answer.deadlineSlot === null) return [];
    const resource = new DataView(request.payload.buffer, request.payload.byteOffset).getBigUint64(33, true);
    return [{resource, lsn: answer.appliedLsn, deadline: answer.deadlineSlot}];
  });
  const last = new Map<bigint, bigint>();
  for (const {resource, deadline} of grants.sort((a, b) => (a.lsn < b.lsn ? -1 : 1))) {
    const before = last.get(resource);
    if (before !== undefined) expect(deadline - ttl).toBeGreaterThanOrEqual(before);
    last.set(resource, deadline);
  }
  return grants.length;
}

describe('SIGSTOP under load', () => {
  test('ends holds late and never early, and loses nothing', async () => {
    const dir = tempDir();
    const server = await ServeProcess.start(dir, '--config', faultConfigFile(SLOT_MS), '--slot-ms', String(SLOT_MS));
    const peer = await Peer.open(server.port);
    await peer.ask(...Array.from({length: 100}, (_, i) => create(BigInt(i + 1))));
    const loads = await Promise.all(
      [0, 1, 2].map(client =>
        FaultLoad.open(server.port, index => {
          // Forty resources for all of them, so that holds follow upon holds.
          return reserve(BigInt(1_000_000 * (client + 1) + index), BigInt(61 + (index % 40)), LOAD_TTL);
        }),
      ),
    );
    const running = Promise.all(loads.map(load => load.run(32)));
    let [longest, operation] = [0, 1000n];
    await peer.ask(reserve(++operation, 50n, LONG_TTL));
    for (let round = 1; round <= ROUNDS; round++) {
      const answered = loads.map(load => load.answered);
      await broughtAbout(() => loads.every((load, i) => load.answered > (answered[i] ?? 0) + 300), 'the load to flow');
      const beganAt = performance.now();
      const before = await slotOf(server.port);
      const holds = Array.from({length: 10}, (_, i) => ({
        resource: BigInt(10 * (round - 1) + i + 1),
        ttl: i % 2 === 0 ? SHORT_TTL : MIDDLE_TTL,
      }));
      const heldAt = performance.now();
      await peer.ask(...holds.map(({resource, ttl}) => reserve(++operation, resource, ttl)));
      process.kill(server.pid, 'SIGSTOP');
      const stoppedAt = performance.now();
      await pause(STOP_MS);
      // It holds the lock also while it stands still.
      if (round === 1) {
        const second = await runCommand(['serve', dir, '--listen', '127.0.0.1:0']);
        expect(second).toMatchObject({code: 1, stderr: expect.stringContaining(String(server.pid))});
      }
      const stoppedMs = performance.now() - stoppedAt;
      process.kill(server.pid, 'SIGCONT');
      for (const {resource, ttl} of holds) {
        const heldMs = (await availableAt(peer, resource)) - heldAt;
        if (ttl === SHORT_TTL) longest = Math.max(longest, heldMs);
        // A hold that is taken late in a slot lasts up to one slot less than its ttl.
        expect(heldMs).toBeGreaterThan(Number(ttl - 1n) * SLOT_MS);
      }
      // Time went on meanwhile, by elapsed time and no faster.
      const slots = Number((await slotOf(server.port)) - before);
      expect(slots).toBeGreaterThanOrEqual(Math.floor(stoppedMs / SLOT_MS));
      expect(slots).toBeLessThanOrEqual(Math.floor((performance.now() - beganAt) / SLOT_MS) + 1);
      expect(await stateOf(peer, 50n)).toBe('reserved');
    }
    for (const load of loads) load.stop();
    await running;
    const sent = loads.flatMap(load => load.sent);
    expect(sent.filter(({answer}) => answer?.type !== 'submit_committed')).toEqual([]);
    const grants = expectNoneEarly(sent, LOAD_TTL);
    expect(grants).toBeGreaterThan(100);
    expect(await settle(server.port, sent)).toMatchObject({committed: sent.length});
    await server.kill();
    const again = await ServeProcess.start(dir, '--slot-ms', String(SLOT_MS));
    expect(await settle(again.port, sent)).toMatchObject({committed: sent.length});
    process.stdout.write(
      `stopped ${ROUNDS} times for ${STOP_MS} ms: ${sent.length} commands answered, ${grants} holds granted, none early; ` +
        `holds of ${SHORT_TTL} slots of ${SLOT_MS} ms ended after at most ${longest.toFixed(0)} ms\n`,
    );
  });
});

/** The slot that a server says is the present one. */
async function slotOf(port: number): Promise<bigint> {
  const peer = await Peer.connect(port);
  const {currentSlot} = await peer.hello();
  await peer.close();
  return currentSlot;
}

/** What is on disk once nothing is written any more: markers and files prepared ahead come after the last answer. */
async function quietFingerprint(dir: string): Promise<Record<string, string>> {
  let last = fingerprintOf(dir);
  for (;;) {
    await pause(150);
    const next = fingerprintOf(dir);
    if (JSON.stringify(next) === JSON.stringify(last)) return next;
    last = next;
  }
}

describe('a second process on the directory', () => {
  test('is refused with the pid of the first one, which does not notice', async () => {
    const dir = tempDir();
    const config = faultConfigFile(100);
    const server = await ServeProcess.start(dir, '--config', config);
    const peer = await Peer.open(server.port);
    const told = await peer.ask(...Array.from({length: 50}, (_, i) => create(BigInt(i))));
    const before = await quietFingerprint(dir);
    const refused = await Promise.all([
      runCommand(['serve', dir, '--listen', '127.0.0.1:0']),
      runCommand(['serve', dir, '--listen', '127.0.0.1:0', '--config', config]),
      runCommand(['api', dir, '--config', config]),
      runCommand(['verify', dir]),
    ]);
    for (const {code, stdout, stderr} of refused) {
      expect(stderr).toMatch(new RegExp(`in use by process ${server.pid}\\b`));
      expect(stderr).not.toMatch(/\n {4}at /);
      expect(code).toBe(1);
      expect(stdout.toString()).toBe('');
    }
    expect(readFileSync(join(dir, 'LOCK'), 'utf8').trim()).toBe(String(server.pid));
    expect(fingerprintOf(dir)).toEqual(before);
    // The first one goes on: repeats are answered, new commands are taken.
    const again = await peer.ask(...Array.from({length: 50}, (_, i) => create(BigInt(i))));
    expect(again).toEqual(told.map(answer => ({...answer, fromRetryCache: true})));
    expect(await peer.ask(create(77n))).toMatchObject([{type: 'submit_committed', resultCode: 'ok'}]);
    await server.kill();
    // The lock has ended with its holder: there is nothing to clear away.
    const next = await ServeProcess.start(dir);
    const other = await Peer.open(next.port);
    expect(await other.ask(create(77n))).toMatchObject([{type: 'submit_committed', fromRetryCache: true}]);
    await other.close();
  });
});
