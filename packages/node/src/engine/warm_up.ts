/**
 * Lets the compiler see, once in a process and before there is anything to serve, what commands do while a snapshot is
 * being read: a small database of its own goes through rounds in which rows change in every way, each under a snapshot.
 *
 * Without it the server's first checkpoint is the first time that these branches are taken. Code that was compiled for
 * their absence is then thrown away in the middle of the load, again at each new branch, and commands are interpreted
 * for some 150 ms. What the compiler has learned of a branch it keeps, however much else runs before the first checkpoint.
 */
import {
  AllocDb,
  type Command,
  type CoreConfig,
  DECODE,
  EXPIRE_BYTES,
  encodeClientRequest,
  hiOf,
  loOf,
  Outcome,
  RESULT,
  SNAPSHOT_ORDER,
  SnapshotReader,
  writeExpire,
  writeU128,
} from '@allocdb/core';

const RESOURCES = 128;
const ROUNDS = 8;
const COMMANDS_PER_SLOT = 16;
/** So short, and the tables so small, that rows are used again several times in a round. */
const CONFIG: CoreConfig = {
  shardId: 0n,
  maxResources: RESOURCES,
  maxReservations: 128,
  maxOperations: 272,
  maxBundleSize: 2,
  maxTtlSlots: 64n,
  maxClientRetryWindowSlots: 15n,
  reservationHistoryWindowSlots: 2n,
  maxExpirationBucketLen: 128,
  operationWindowSlots: 15n,
};
const HOLDER = 1n;
const UNKNOWN: bigint = BigInt(RESOURCES);

let isWarm = false;

/** Does it at the first call; some 50 ms. */
export function warmUp(): void {
  if (isWarm) return;
  isWarm = true;
  new WarmUp().run();
}

interface Hold {
  readonly reservationId: bigint;
  readonly deadline: bigint;
}

class WarmUp {
  readonly #db: AllocDb = new AllocDb(CONFIG, new Int32Array(8).fill(1));
  readonly #outcome: Outcome = new Outcome();
  readonly #scratch: Int32Array = new Int32Array(4);
  #out: Int32Array = new Int32Array(0);
  #lsn: bigint = 0n;
  #reader: SnapshotReader | null = null;
  #section: number = 0;
  /** Holds that were left to expire, and do so in the next round. */
  readonly #overdue: Hold[] = [];
  /** Commands from one read of the snapshot to the next. */
  #readEvery: number = 1;

  run(): void {
    for (let id = 0; id < RESOURCES; id++) this.#client({kind: 'create_resource', resourceId: BigInt(id)});
    for (let round = 0; round < ROUNDS; round++) {
      // From a snapshot that is read in a moment to one under which the tables are overwritten.
      this.#readEvery = 1 + (round % 4) * 8;
      this.#begin();
      for (const hold of this.#overdue.splice(0)) this.#expire(hold);
      for (let id = 0; id + 1 < RESOURCES; id += 2) this.#lives(BigInt(id), (id >> 1) % 5);
      this.#readAll();
      this.#begin();
      this.#readAll();
    }
  }

  /** A hold on a resource or two, to one of its ends. */
  #lives(resourceId: bigint, end: number): void {
    const ttlSlots = 8n;
    const resourceIds = [resourceId, resourceId + 1n];
    const held = {holderId: HOLDER, ttlSlots};
    if (end % 2 === 0) this.#client({kind: 'reserve', resourceId, ...held});
    else this.#client({kind: 'reserve_bundle', resourceIds, ...held});
    const [reservationId, deadline] = [this.#lsn, this.#slot + ttlSlots];
    this.#client({kind: 'reserve', resourceId, ...held}, RESULT.RESOURCE_BUSY);
    this.#client({kind: 'reserve', resourceId: UNKNOWN, ...held}, RESULT.RESOURCE_NOT_FOUND);
    if (end === 0) {
      this.#overdue.push({reservationId, deadline});
      return;
    }
    const own = {reservationId, holderId: HOLDER};
    if (end > 1) this.#client({kind: 'confirm', ...own});
    if (end < 4) {
      this.#client({kind: 'release', ...own});
      return;
    }
    this.#client({kind: 'revoke', reservationId});
    this.#client({kind: 'reclaim', reservationId});
  }

  get #slot(): bigint {
    return 1n + this.#lsn / BigInt(COMMANDS_PER_SLOT);
  }

  #client(command: Command, expected: number = RESULT.OK): void {
    this.#lsn++;
    const slot = this.#slot;
    const bytes = encodeClientRequest({operationId: this.#lsn, clientId: HOLDER, command});
    const db = this.#db;
    const decoded = db.decodeClient(new DataView(bytes.buffer), bytes.byteOffset, bytes.length);
    db.applyClient(loOf(this.#lsn), hiOf(this.#lsn), loOf(slot), hiOf(slot), this.#outcome);
    if (decoded !== DECODE.NONE || this.#outcome.code !== expected) {
      throw new Error(
        `assertion failed: ${command.kind} at lsn ${this.#lsn} of the warm-up gave ${this.#outcome.code}`,
      );
    }
    this.#read();
  }

  #expire({reservationId, deadline}: Hold): void {
    if (this.#slot < deadline) this.#lsn += BigInt(COMMANDS_PER_SLOT) * (deadline - this.#slot);
    this.#lsn++;
    const view = new DataView(new ArrayBuffer(EXPIRE_BYTES));
    writeU128(this.#scratch, 0, reservationId);
    writeExpire(view, 0, this.#scratch, 0, loOf(deadline), hiOf(deadline));
    const db = this.#db;
    db.decodeInternal(view, 0, EXPIRE_BYTES);
    db.applyInternal(loOf(this.#lsn), hiOf(this.#lsn), loOf(this.#slot), hiOf(this.#slot), this.#outcome);
    this.#read();
  }

  #begin(): void {
    this.#reader = new SnapshotReader(this.#db);
    this.#section = 0;
    this.#out = new Int32Array(2 * this.#reader.recordWordsMax);
  }

  /** Reads a few records if it is their turn. */
  #read(): void {
    if (Number(this.#lsn) % this.#readEvery === 0) this.#readOn();
  }

  #readAll(): void {
    while (this.#reader !== null) this.#readOn();
  }

  #readOn(): void {
    if (this.#reader === null) return;
    if (this.#reader.read(SNAPSHOT_ORDER[this.#section] ?? 0, this.#out) === 0) this.#section++;
    if (this.#section < SNAPSHOT_ORDER.length) return;
    this.#reader.end();
    this.#reader = null;
  }
}
