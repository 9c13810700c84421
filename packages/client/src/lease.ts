/**
 * A hold as an object with a lifetime: it knows until when its holder may trust it, and gives the things back when its
 * scope ends without a confirmation. Sugar over reserveBundle, confirm and release; it adds nothing to the protocol.
 *
 * The local deadline runs from before the reservation was sent and ends early (a slot that had begun, clocks that differ
 * by a hundredth), so it never outlasts the database's. It says nothing about a revocation: whoever guards the thing
 * itself compares fences. A confirmation of unknown outcome is never answered by a release.
 */
import {
  AllocDbError,
  type CallOptions,
  type CommandInput,
  type ConfirmAnswer,
  type Database,
  definiteFailure,
  type GrantedLease,
  type HolderId,
  isAllocDbError,
  type OperationId,
  type ReleaseAnswer,
  type ReservationId,
  type ReserveBundleInput,
  type ResourceId,
  type Welcome,
} from '@allocdb/api';

/** What to hold together, for whom, and for how many slots; below 2 the local deadline has passed at once. */
export type AcquireInput = ReserveBundleInput;

/** Options of a lease's own calls. */
export interface LeaseCallOptions extends CallOptions, CommandInput {}

/** A granted hold. See {@link Client.acquire}. */
export interface Lease extends AsyncDisposable {
  readonly id: ReservationId;
  /** The reservation id, which only grows within a shard: show it to what guards the thing, which refuses smaller ones. */
  readonly fence: ReservationId;
  readonly epoch: bigint;
  /** The database's deadline. */
  readonly deadlineSlot: bigint;
  readonly holder: HolderId;
  readonly resources: readonly ResourceId[];
  /** Where the grant stands in the log. */
  readonly lsn: bigint;
  readonly operation: OperationId;
  /**
   * Fires, with an AllocDbError `lease_lost`, at the local deadline, on a refusal that says it is over, on release, and at
   * the end of its scope unless it was, or may have been, confirmed. Asked for behind the deadline it has fired, however busy
   * the process was.
   */
  readonly signal: AbortSignal;
  /** Makes it permanent. The local deadline means nothing afterwards. */
  confirm(options?: LeaseCallOptions): Promise<ConfirmAnswer>;
  /** Gives it back. */
  release(options?: LeaseCallOptions): Promise<ReleaseAnswer>;
  /**
   * Releases what was neither confirmed nor released, and may not have been confirmed. Tries for a few seconds and
   * never throws: a hold that could not be given back ends at its deadline.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What the local deadline needs to know of the connection. */
export interface SlotSource {
  welcome(): Welcome;
  msUntilSlot(slot: bigint): number;
}

const TIMER_MAX_MS = 0x7fff_ffff;
const DISPOSE_MS = 5_000;
/** Part of the hold that its holder uses; the rest is for clocks that differ. */
const TRUSTED = 0.99;

class HeldLease implements Lease {
  readonly id: ReservationId;
  readonly fence: ReservationId;
  readonly epoch: bigint;
  readonly deadlineSlot: bigint;
  readonly holder: HolderId;
  readonly resources: readonly ResourceId[];
  readonly lsn: bigint;
  readonly operation: OperationId;
  readonly #db: Database;
  readonly #controller: AbortController = new AbortController();
  /** Of the monotonic clock. */
  readonly #deadlineMs: number;
  #timer: NodeJS.Timeout | null = null;
  /** Nothing is left to give back, or it is not known whether there is. */
  #done: boolean = false;

  constructor(db: Database, lease: GrantedLease, answer: {lsn: bigint; operation: OperationId}, deadlineMs: number) {
    this.#db = db;
    this.id = lease.id;
    this.fence = lease.id;
    this.epoch = lease.epoch;
    this.deadlineSlot = lease.deadlineSlot;
    this.holder = lease.holder;
    this.resources = lease.resources;
    this.lsn = answer.lsn;
    this.operation = answer.operation;
    this.#deadlineMs = deadlineMs;
    this.#watch();
  }

  get signal(): AbortSignal {
    // Who has kept the event loop from its timers and then asks is told what the clock says.
    if (this.#timer !== null && performance.now() >= this.#deadlineMs) this.#watch();
    return this.#controller.signal;
  }

  async confirm(options: LeaseCallOptions = {}): Promise<ConfirmAnswer> {
    const doneBefore = this.#done;
    this.#done = true;
    try {
      const answer = await this.#db.confirm({...this.#input(), operationId: options.operationId}, options);
      if (answer.result === 'confirmed') this.#unwatch();
      else if (changedNothing(answer.result)) this.#done = doneBefore;
      else this.#lose(`the lease is over: ${answer.result}`);
      return answer;
    } catch (error) {
      // Misuse and definite failures changed nothing, so there is still something to give back.
      if (!isAllocDbError(error) || error.failure.certainty === 'definite') this.#done = doneBefore;
      throw error;
    }
  }

  async release(options: LeaseCallOptions = {}): Promise<ReleaseAnswer> {
    const answer = await this.#db.release({...this.#input(), operationId: options.operationId}, options);
    if (changedNothing(answer.result)) return answer;
    this.#done = true;
    this.#lose(answer.result === 'released' ? 'the lease was released' : `the lease is over: ${answer.result}`);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    try {
      await this.release({signal: AbortSignal.timeout(DISPOSE_MS)});
    } catch (error) {
      if (!isAllocDbError(error)) throw error;
    } finally {
      this.#lose('the lease was disposed of');
    }
  }

  #input(): {reservation: ReservationId; holder: HolderId; epoch: bigint} {
    return {reservation: this.id, holder: this.holder, epoch: this.epoch};
  }

  /** Fires the signal at the deadline, which may be further away than a timer reaches. */
  #watch(): void {
    const leftMs = this.#deadlineMs - performance.now();
    if (leftMs <= 0) {
      this.#lose('the local deadline has passed');
      return;
    }
    this.#timer = setTimeout(() => this.#watch(), Math.min(leftMs, TIMER_MAX_MS));
    this.#timer.unref();
  }

  #unwatch(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lose(text: string): void {
    this.#unwatch();
    this.#controller.abort(new AllocDbError(definiteFailure('lease_lost'), text));
  }
}

/** Reserves and wraps the grant; null when the database refused. */
export async function acquireLease(
  db: Database,
  slots: SlotSource,
  input: AcquireInput,
  options: CallOptions | undefined,
): Promise<Lease | null> {
  const calledAtMs = performance.now();
  const answer = await db.reserveBundle(input, options);
  if (answer.result !== 'reserved') return null;
  const heldMs = (Number(input.ttlSlots) - 1) * slots.welcome().slotDurationMs * TRUSTED;
  // An answer from the retry cache may be of a reservation made before this call.
  const knownMs = answer.fromRetryCache ? performance.now() + slots.msUntilSlot(answer.lease.deadlineSlot) : Infinity;
  return new HeldLease(db, answer.lease, answer, Math.min(calledAtMs + heldMs, knownMs));
}

/** Refusals of the operation, not of the lease: it is as it was, and can still be confirmed or given back. */
function changedNothing(result: string): boolean {
  return result === 'operation_table_full' || result === 'operation_conflict';
}
