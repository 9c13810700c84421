/**
 * A workload that must not allocate: holds, sales, releases, bundles, refusals, repeats, conflicts and expirations over
 * 10,000 resources, read ahead and decoded from bytes in one buffer. Run by heap_gate.test.ts in a process of its own with
 * --expose-gc; prints the bytes that a command took from the heap in each round, and what was still there after the last.
 *
 * Rounds are measured without a collection in between: what is allocated counts, even if it would be collected.
 */
import {
  AllocDb,
  COMMAND,
  DECODE,
  EXPIRE_BYTES,
  Outcome,
  overflowOf,
  RESULT,
  SlotOverflow,
  writeExpire,
} from '../src/index.ts';
import {RESERVATION} from '../src/table/reservation_table.ts';

const RESOURCES = 10_000;
const WARM_UP_COMMANDS = 300_000;
const ROUND_COMMANDS = 250_000;
const ROUNDS = 5;
/** Commands for each slot: many, and few, so that what a new slot costs would show. */
const PACES = [1_000, 4];
const HOLDER = 77;
const STRANGER = 78;

class Workload {
  readonly codes: Int32Array = new Int32Array(20);
  /** Commands that were granted, by tag: that they were done and not refused. */
  readonly agreed: Int32Array = new Int32Array(32);
  expirations = 0;
  private readonly db: AllocDb;
  private readonly out = new Outcome();
  private readonly overflow = new SlotOverflow();
  private readonly view = new DataView(new ArrayBuffer(256));
  private readonly due = new Int32Array(512);
  private operation = 0;
  private resource = 0;
  private lsn = 0;
  private slot = 1;
  private commandsPerSlot = 1;
  commands = 0;

  constructor() {
    const config = {
      shardId: 3n,
      maxResources: RESOURCES,
      maxReservations: 40_000,
      maxOperations: 60_000,
      maxBundleSize: 4,
      maxTtlSlots: 600n,
      maxClientRetryWindowSlots: 0n,
      reservationHistoryWindowSlots: 10n,
      maxExpirationBucketLen: 40_000,
      operationWindowSlots: 40n,
    };
    this.db = new AllocDb(config, Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    for (let id = 0; id < RESOURCES; id++) {
      this.begin(COMMAND.CREATE_RESOURCE);
      this.putId(33, id);
      this.submit(49);
    }
  }

  run(commands: number, commandsPerSlot: number): void {
    this.commandsPerSlot = commandsPerSlot;
    const end = this.commands + commands;
    while (this.commands < end) {
      this.hold();
      if (this.commands % 7 === 0) this.repeat();
      if (this.commands % 9 === 0) this.conflict();
    }
  }

  /** Reserves one or two resources, and confirms and releases them, confirms them for good, or leaves them to expire. */
  private hold(): void {
    const first = this.resource;
    this.resource = (this.resource + 2) % RESOURCES;
    const isBundle = first % 3 === 0;
    const granted = isBundle ? this.reserveBundle(first, first + 1) : this.reserve(first, 30);
    if (!granted) return;
    const reservation = this.lsn;
    if (first % 13 === 0) this.reserve(first, 30);
    if (first % 5 === 0) return;
    if (first % 17 === 0) this.act(COMMAND.CONFIRM, reservation, 0, STRANGER);
    if (first % 4 === 0) this.act(COMMAND.CONFIRM_FENCED, reservation, 1);
    else this.act(COMMAND.CONFIRM, reservation, 0);
    if (first % 11 === 0) {
      this.act(COMMAND.REVOKE, reservation, 0);
      this.act(COMMAND.RECLAIM, reservation, 0);
    } else if (first % 7 < 4) this.act(COMMAND.RELEASE, reservation, 0);
    else this.act(COMMAND.RELEASE_FENCED, reservation, 1);
  }

  private reserve(resource: number, ttl: number): boolean {
    this.begin(COMMAND.RESERVE);
    this.putId(33, resource);
    this.putId(49, HOLDER);
    this.putU64(65, ttl);
    return this.submit(73);
  }

  private reserveBundle(one: number, other: number): boolean {
    this.begin(COMMAND.RESERVE_BUNDLE);
    this.putId(33, HOLDER);
    this.putU64(49, 20);
    this.view.setUint16(57, 2, true);
    this.putId(59, one);
    this.putId(75, other);
    return this.submit(91);
  }

  private act(tag: number, reservation: number, epoch: number, holder: number = HOLDER): void {
    this.begin(tag);
    this.putId(33, reservation);
    this.view.setInt32(33 + 8, 3, true);
    if (tag === COMMAND.REVOKE || tag === COMMAND.RECLAIM) {
      this.submit(49);
      return;
    }
    this.putId(49, holder);
    this.putU64(65, epoch);
    this.submit(tag === COMMAND.CONFIRM_FENCED || tag === COMMAND.RELEASE_FENCED ? 73 : 65);
  }

  /** The last command again: an answer from the operation table. */
  private repeat(): void {
    const {db} = this;
    db.findRetry(this.slot, 0, this.out);
    this.codes[0] += this.out.fromRetryCache ? 1 : 0;
  }

  /** The last operation with another command: refused from the operation table. */
  private conflict(): void {
    const {db} = this;
    this.view.setUint8(32, COMMAND.CREATE_RESOURCE);
    if (db.decodeClient(this.view, 0, 49) !== DECODE.NONE) throw new Error('another command decodes');
    if (db.findRetry(this.slot, 0, this.out)) this.codes[this.out.code]++;
  }

  private begin(tag: number): void {
    this.operation++;
    this.putId(0, this.operation);
    this.view.setUint8(32, tag);
  }

  private putId(at: number, low: number): void {
    this.view.setInt32(at, low, true);
    this.view.setInt32(at + 4, 0, true);
    this.view.setInt32(at + 8, 0, true);
    this.view.setInt32(at + 12, 0, true);
  }

  private putU64(at: number, low: number): void {
    this.view.setInt32(at, low, true);
    this.view.setInt32(at + 4, 0, true);
  }

  private submit(length: number): boolean {
    const {db, out} = this;
    if (this.commands % this.commandsPerSlot === 0) this.tick();
    db.lookahead.begin();
    db.lookahead.note(this.view, 0, length);
    db.lookahead.load();
    if (db.decodeClient(this.view, 0, length) !== DECODE.NONE) throw new Error('a command of the workload decodes');
    if (db.findRetry(this.slot, 0, out)) throw new Error('an operation of the workload is new');
    if (overflowOf(db, this.slot, 0, this.overflow)) throw new Error('no slot of the workload overflows');
    db.applyFresh(++this.lsn, 0, this.slot, 0, out);
    this.codes[out.code]++;
    if (out.code === RESULT.OK) this.agreed[this.view.getUint8(32)]++;
    this.commands++;
    return out.granted;
  }

  /** One slot passes; what is due then is expired. */
  private tick(): void {
    const {db, due, out} = this;
    this.slot++;
    const count = db.wheel.collectDue(this.slot, 0, due);
    const words = db.reservations.words;
    for (let i = 0; i < count; i++) {
      const at = due[i] * RESERVATION.WORDS;
      const id = this.expireId;
      id[0] = words[at + RESERVATION.LSN];
      id[1] = words[at + RESERVATION.LSN + 1];
      writeExpire(this.expireView, 0, id, 0, words[at + RESERVATION.DEADLINE], words[at + RESERVATION.DEADLINE + 1]);
      db.decodeInternal(this.expireView, 0, EXPIRE_BYTES);
      db.applyInternal(++this.lsn, 0, this.slot, 0, out);
      this.expirations += out.code === RESULT.OK ? 1 : 0;
    }
  }

  private readonly expireId = Int32Array.of(0, 0, 3, 0);
  private readonly expireView = new DataView(new ArrayBuffer(EXPIRE_BYTES));
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

function main(): void {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  const workload = new Workload();
  for (const pace of PACES) workload.run(WARM_UP_COMMANDS, pace);
  collect();
  const atStart = heapUsed();
  const perCommand: Record<number, number[]> = {};
  for (const pace of PACES) {
    perCommand[pace] = Array.from({length: ROUNDS}, () => {
      collect();
      const before = heapUsed();
      workload.run(ROUND_COMMANDS, pace);
      return (heapUsed() - before) / ROUND_COMMANDS;
    });
  }
  collect();
  const kept = (heapUsed() - atStart) / (PACES.length * ROUNDS * ROUND_COMMANDS);
  const {commands, codes, agreed, expirations} = workload;
  const did = {commands, codes: [...codes], agreed: [...agreed], expirations};
  process.stdout.write(`${JSON.stringify({perCommand, kept, ...did})}\n`);
}

main();
