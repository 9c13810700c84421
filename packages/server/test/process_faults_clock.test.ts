/**
 * A clock that jumps, in a server process of its own (`process_faults_clock_server.ts`): forwards and back, by a little and
 * by years, also over a crash. Slots never go back, a jump back stands still until the clock has caught up, and no hold
 * ends before its slot has begun.
 */
import type {ChildProcessWithoutNullStreams} from 'node:child_process';
import {createInterface} from 'node:readline';
import {setTimeout as pause} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {Random} from '@allocdb/sim';
import {afterEach, expect, test, vi} from 'vitest';
import {cleanUp, startScript, tempDir, withDeadline} from './command.ts';
import {Peer} from './peer.ts';
import {faultConfigFile} from './process_faults_config.ts';
import {create, reserve} from './requests.ts';

const PROGRAM = fileURLToPath(new URL('process_faults_clock_server.ts', import.meta.url));
const SLOT_MS = 20;
const YEAR_MS = 365 * 86_400_000;
const RESOURCES = 12;

const clocks = new Set<ClockServer>();

vi.setConfig({testTimeout: 180_000});

afterEach(async () => {
  await Promise.all([...clocks].map(each => each.kill()));
  await cleanUp();
});

/** The program, and how its clock must read. */
class ClockServer {
  readonly port: number;
  /** Slot at the moment when it began. */
  readonly firstSlot: bigint;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #firstMs: number;
  nowMs: number;
  #maxMs: number;

  private constructor(child: ChildProcessWithoutNullStreams, firstMs: number, port: number, firstSlot: bigint) {
    this.#child = child;
    this.#firstMs = firstMs;
    this.nowMs = firstMs;
    this.#maxMs = firstMs;
    this.port = port;
    this.firstSlot = firstSlot;
    clocks.add(this);
  }

  static async start(dir: string, configFile: string, firstMs: number): Promise<ClockServer> {
    const child = startScript(PROGRAM, [dir, configFile, `${SLOT_MS}`, `${firstMs}`]);
    let text = '';
    const listening = new Promise<{port: number; slot: string}>((resolve, reject) => {
      createInterface({input: child.stderr}).on('line', line => {
        text += `${line}\n`;
        const event = line.startsWith('{') ? (JSON.parse(line) as {event?: string; port: number; slot: string}) : null;
        if (event?.event === 'listening') resolve(event);
      });
      child.once('close', code => reject(new Error(`the server ended with ${code}: ${text}`)));
    });
    try {
      const {port, slot} = await withDeadline(listening, 'the server to listen');
      return new ClockServer(child, firstMs, port, BigInt(slot));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** The slot that counts: by the furthest that the clock has ever stood. */
  get slot(): bigint {
    return this.firstSlot + BigInt(Math.floor((this.#maxMs - this.#firstMs) / SLOT_MS));
  }

  async jumpTo(ms: number): Promise<void> {
    const answered = new Promise<void>(resolve => {
      const lines = createInterface({input: this.#child.stdout});
      lines.once('line', () => {
        lines.close();
        resolve();
      });
    });
    this.#child.stdin.write(`${ms}\n`);
    await withDeadline(answered, 'the clock to jump');
    this.nowMs = ms;
    this.#maxMs = Math.max(this.#maxMs, ms);
    // A clock counts where somebody looks at it: a peak between two looks has not been.
    const peer = await Peer.connect(this.port);
    expect((await peer.hello()).currentSlot).toBe(this.slot);
    await peer.close();
  }

  async kill(): Promise<void> {
    if (!clocks.delete(this)) return;
    const ended = new Promise<void>(resolve => this.#child.once('close', () => resolve()));
    this.#child.kill('SIGKILL');
    await withDeadline(ended, 'the server to end');
  }
}

/** Takes holds, reads them, and knows when each may end. */
class Holds {
  readonly server: ClockServer;
  readonly peer: Peer;
  readonly #deadlines: Map<bigint, bigint>;
  #operation: bigint;

  constructor(
    server: ClockServer,
    peer: Peer,
    deadlines: Map<bigint, bigint> = new Map(),
    operation: bigint = 10_000n,
  ) {
    this.server = server;
    this.peer = peer;
    this.#deadlines = deadlines;
    this.#operation = operation;
  }

  /** The same holds, on another server of the directory. */
  on(server: ClockServer, peer: Peer): Holds {
    return new Holds(server, peer, this.#deadlines, this.#operation);
  }

  get open(): number {
    return this.#deadlines.size;
  }

  async take(resource: bigint, ttl: bigint): Promise<void> {
    if (this.#deadlines.has(resource)) return;
    const [answer] = await this.peer.ask(reserve(++this.#operation, resource, ttl));
    expect(answer).toMatchObject({resultCode: 'ok', deadlineSlot: this.server.slot + ttl});
    this.#deadlines.set(resource, this.server.slot + ttl);
  }

  /** Nothing has ended early; with `all`, waits until everything that is due has ended. Returns how many had. */
  async check(all: boolean): Promise<number> {
    let ended = 0;
    const late = performance.now() + 120_000;
    for (const [resource, deadline] of this.#deadlines) {
      let state = await this.#stateOf(resource);
      const isDue = deadline <= this.server.slot;
      if (!isDue)
        expect([resource, deadline, this.server.slot, state]).toEqual([
          resource,
          deadline,
          this.server.slot,
          'reserved',
        ]);
      while (isDue && all && state !== 'available' && performance.now() < late) {
        await pause(2);
        state = await this.#stateOf(resource);
      }
      if (isDue && all) expect([resource, state]).toEqual([resource, 'available']);
      if (state !== 'available') continue;
      this.#deadlines.delete(resource);
      ended++;
    }
    return ended;
  }

  async #stateOf(resourceId: bigint): Promise<string> {
    const [answer] = await this.peer.ask({type: 'get_resource', requiredLsn: null, resourceId});
    return answer?.type === 'resource_found' ? answer.state : String(answer?.type);
  }
}

async function welcomed(server: ClockServer): Promise<{peer: Peer; slot: bigint}> {
  const peer = await Peer.connect(server.port);
  const {currentSlot: slot} = await peer.hello();
  return {peer, slot};
}

test('slots never go back, and no hold ends early, whatever the clock does', async () => {
  const random = new Random(11n);
  const server = await ClockServer.start(tempDir(), faultConfigFile(SLOT_MS), YEAR_MS);
  const {peer} = await welcomed(server);
  await peer.ask(...Array.from({length: RESOURCES}, (_, i) => create(BigInt(i + 1))));
  const holds = new Holds(server, peer);
  let [ended, backs] = [0, 0];
  for (let step = 0; step < 60; step++) {
    for (let i = 0; i < 3; i++) await holds.take(BigInt(random.between(1, RESOURCES)), BigInt(random.between(1, 60)));
    const before = server.slot;
    const back = random.chance(40);
    const ms = random.pick([1, SLOT_MS - 1, SLOT_MS, 7 * SLOT_MS, 40 * SLOT_MS]);
    // Years back now and then; what is forward is forward of where it stands, which may be far behind.
    await server.jumpTo(back ? server.nowMs - random.pick([ms, ms, YEAR_MS / 2]) : server.nowMs + ms);
    if (back) {
      backs++;
      expect(server.slot).toBe(before);
    }
    // Longer than a slot: whoever counted by a timer would tick now.
    if (step % 5 === 0) await pause(2 * SLOT_MS);
    const greeted = await welcomed(server);
    expect(greeted.slot).toBe(server.slot);
    expect(greeted.slot).toBeGreaterThanOrEqual(before);
    await greeted.peer.close();
    ended += await holds.check(step % 3 === 0);
    // Back at the front again, so that time goes on in every run.
    if (step % 4 === 3)
      await server.jumpTo(YEAR_MS + Number(server.slot - server.firstSlot) * SLOT_MS + random.below(400));
  }
  await server.jumpTo(2 * YEAR_MS);
  ended += await holds.check(true);
  expect(holds.open).toBe(0);
  expect(backs).toBeGreaterThan(10);
  expect(ended).toBeGreaterThan(30);
});

test('over a crash time goes on from the last slot of the log, also where the clock stands elsewhere then', async () => {
  const dir = tempDir();
  const config = faultConfigFile(SLOT_MS);
  let server = await ClockServer.start(dir, config, 5000);
  let {peer} = await welcomed(server);
  await peer.ask(...Array.from({length: RESOURCES}, (_, i) => create(BigInt(i + 1))));
  let holds = new Holds(server, peer);
  for (const firstMs of [0, YEAR_MS, 17]) {
    await server.jumpTo(server.nowMs + 1000 * SLOT_MS);
    for (let i = 1; i <= RESOURCES; i++) await holds.take(BigInt(i), BigInt(20 * i));
    const logged = server.slot;
    await server.jumpTo(server.nowMs + 30 * SLOT_MS);
    await holds.check(true);
    await server.jumpTo(server.nowMs - 500 * SLOT_MS);
    await server.kill();
    server = await ClockServer.start(dir, config, firstMs);
    // Downtime does not count: not before the last command, and not behind what the clock had said.
    expect(server.firstSlot).toBeGreaterThanOrEqual(logged);
    expect(server.firstSlot).toBeLessThanOrEqual(logged + 30n);
    ({peer} = await welcomed(server));
    holds = holds.on(server, peer);
    await pause(3 * SLOT_MS);
    await holds.check(true);
    await server.jumpTo(firstMs + 25 * SLOT_MS);
    await holds.check(true);
    await server.jumpTo(firstMs - 1_000_000);
    await pause(3 * SLOT_MS);
    await holds.check(true);
    expect(holds.open).toBeGreaterThan(5);
    await server.jumpTo(firstMs + 400 * SLOT_MS);
    await holds.check(true);
    expect(holds.open).toBe(0);
  }
});
