/**
 * The closed loop over a peer: lanes of the workload over its connections, each answer checked against what the workload
 * expects and followed by the lane's next command. What one chunk of answers brings about leaves in one flush.
 *
 * At the end it says what the peer must hold, counted here from its answers alone.
 */
import {performance} from 'node:perf_hooks';
import {
  HOT_RESOURCES,
  type Holdings,
  type LoadShape,
  PAYLOAD_BYTES_MAX,
  SERVER_RESOURCES,
  SLOT_MS,
  STEP,
  TTL_SLOTS,
  Workload,
} from '@allocdb/bench';
import {emptyCommand, type PeerCommand, readCommand} from './command.ts';
import type {AnswerTarget, PeerConnection} from './connection.ts';
import {Latencies} from './latencies.ts';
import type {ClosedLoop} from './measure.ts';

export class PeerLoop implements ClosedLoop {
  readonly latencies: Latencies;
  answers: number = 0;
  /** Reservations granted and released. */
  granted: number = 0;
  released: number = 0;
  readonly #workload: Workload;
  readonly #payload: Buffer = Buffer.alloc(PAYLOAD_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#payload.buffer, this.#payload.byteOffset, PAYLOAD_BYTES_MAX);
  readonly #command: PeerCommand = emptyCommand();
  readonly #lanes: PeerLanes[];
  readonly #failed: Promise<never>;
  #fail: (error: Error) => void = () => undefined;
  #isDraining: boolean = false;
  #drained: () => void = () => undefined;

  constructor(connections: readonly PeerConnection[], {outstanding}: LoadShape) {
    const lanes = connections.length * outstanding;
    this.#workload = new Workload({lanes, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
    this.latencies = new Latencies(lanes);
    this.#failed = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => undefined);
    this.#lanes = connections.map((each, i) => new PeerLanes(this, each, i * outstanding, outstanding));
  }

  start(): void {
    for (const lanes of this.#lanes) lanes.start();
  }

  orFailure<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#failed]);
  }

  async stop(): Promise<void> {
    await this.orFailure(
      new Promise<void>(resolve => {
        this.#drained = resolve;
        this.#isDraining = true;
        this.#drainedYet();
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map(({connection}) => connection.close()));
  }

  /** What the peer must hold when the loop has stopped, where it held this much before. */
  expectedHoldings(before: Holdings): Holdings {
    return {
      operations: before.operations + this.answers,
      reservations: before.reservations + this.granted,
      held: HOT_RESOURCES + this.granted - this.released,
    };
  }

  /** Sends the lane's next command. */
  send(connection: PeerConnection, lane: number): void {
    this.#workload.writePayload(lane, this.#view, 0);
    readCommand(this.#payload, SLOT_MS, this.#command);
    connection.send(this.#command);
  }

  /** Checks and counts; false when the lane must not go on. */
  settle(lane: number, code: number, reservation: number): boolean {
    const step = this.#workload.stepOf(lane);
    const expected = this.#workload.expectedResult(lane);
    const isGrant = step === STEP.RESERVE;
    if (code !== expected || isGrant !== reservation > 0) {
      this.fail(new Error(`a command had result ${code}, not ${expected}, and granted ${reservation}`));
      return false;
    }
    this.#workload.settle(lane, reservation | 0, (reservation / 0x1_0000_0000) | 0, 0, 0);
    this.answers++;
    if (isGrant) this.granted++;
    if (step === STEP.RELEASE) this.released++;
    return !this.#isDraining;
  }

  laneEnded(): void {
    if (this.#isDraining) this.#drainedYet();
  }

  fail(error: Error): void {
    this.#fail(error);
  }

  #drainedYet(): void {
    if (this.#lanes.every(lanes => lanes.outstanding === 0)) this.#drained();
  }
}

/** The lanes of one connection; they take turns, so whose answer it is follows from its place. */
class PeerLanes implements AnswerTarget {
  readonly connection: PeerConnection;
  outstanding: number = 0;
  readonly #loop: PeerLoop;
  readonly #firstLane: number;
  readonly #count: number;
  #turn: number = 0;
  #nowMs: number = 0;

  constructor(loop: PeerLoop, connection: PeerConnection, firstLane: number, count: number) {
    this.#loop = loop;
    this.connection = connection;
    this.#firstLane = firstLane;
    this.#count = count;
    connection.target = this;
  }

  start(): void {
    for (let i = 0; i < this.#count; i++) this.#send(this.#firstLane + i);
    this.connection.flush();
  }

  onChunk(): void {
    this.#nowMs = performance.now();
  }

  onAnswer(code: number, reservation: number): void {
    const lane = this.#firstLane + this.#turn;
    this.#turn = this.#turn + 1 === this.#count ? 0 : this.#turn + 1;
    this.outstanding--;
    this.#loop.latencies.answered(lane, this.#nowMs);
    if (this.#loop.settle(lane, code, reservation)) this.#send(lane);
    else this.#loop.laneEnded();
  }

  onError(error: Error): void {
    this.#loop.fail(error);
  }

  #send(lane: number): void {
    this.outstanding++;
    this.#loop.send(this.connection, lane);
  }
}
