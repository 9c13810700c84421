/**
 * The interface that the embedded database and the network client share, and the one that whatever carries requests has
 * to offer it. A resolved promise is the database's answer, refusals included, and durable; a rejection is an
 * AllocDbError (no answer) or a TypeError or RangeError (bad argument). No method throws synchronously.
 */
import type {
  AbortSignalLike,
  BatchAnswers,
  BatchCommand,
  CallOptions,
  ConfirmAnswer,
  CreateResourceAnswer,
  CreateResourceInput,
  GetLeaseAnswer,
  GetReservationAnswer,
  GetResourceAnswer,
  HolderInput,
  LeaseView,
  Metrics,
  ReadOptions,
  ReclaimAnswer,
  ReleaseAnswer,
  ReservationInput,
  ReserveAnswer,
  ReserveBundleInput,
  ReserveInput,
  ResourceView,
  RevokeAnswer,
  ScanReservationsAnswer,
  ScanReservationsInput,
  ScanResourcesAnswer,
  ScanResourcesInput,
} from './answers.ts';
import type {ApiRequest} from './api_request.ts';
import type {ApiResponse} from './api_response.ts';
import type {Change} from './change.ts';
import type {ChangesOptions} from './feed.ts';
import type {ClientId, OperationId, ReservationId, ResourceId} from './ids.ts';

/** How a request is carried. */
export interface TransportOptions {
  signal: AbortSignalLike | null;
  /** Operations that the request carries, to be named by an indefinite failure; none for a read. */
  operationIds: readonly OperationId[];
}

/** What carries requests: the engine in this process, or a connection. */
export interface Transport {
  /** Resolves with the database's response, rejected ones included; rejects with AllocDbError when there is none. */
  call(request: ApiRequest, options: TransportOptions): Promise<ApiResponse>;
  /**
   * Change frames from this lsn on, or from now on, in order, a piece at a time. Throws the signal's reason, and ends when
   * the transport is closed; `return()` ends a step that waits.
   */
  feed(from: bigint | null, signal: AbortSignalLike | null): AsyncGenerator<readonly Uint8Array[], void>;
  /** The database's present slot, or an estimate that is not ahead of it. */
  currentSlot(): bigint;
  /** Settles every pending call and ends it; idempotent. */
  close(): Promise<void>;
}

/** A database that hands out scarce things exactly once. */
export interface Database extends AsyncDisposable {
  /** Goes into every command and is logged. */
  readonly clientId: ClientId;
  /** Highest lsn in an answer that this handle has seen, null before the first. */
  readonly lastLsn: bigint | null;

  /** Makes a thing known; it is then available. */
  createResource(input: CreateResourceInput, options?: CallOptions): Promise<CreateResourceAnswer>;
  /** Holds one thing until its deadline. */
  reserve(input: ReserveInput, options?: CallOptions): Promise<ReserveAnswer>;
  /** Holds several things until one deadline, all or none. */
  reserveBundle(input: ReserveBundleInput, options?: CallOptions): Promise<ReserveAnswer>;
  /** Makes a hold permanent. It wins over a deadline that has passed but was not acted on. */
  confirm(input: HolderInput, options?: CallOptions): Promise<ConfirmAnswer>;
  /** Gives a held or confirmed reservation back. */
  release(input: HolderInput, options?: CallOptions): Promise<ReleaseAnswer>;
  /** Begins to take a confirmed reservation away: its holder's epoch is stale, its things are not free yet. */
  revoke(input: ReservationInput, options?: CallOptions): Promise<RevokeAnswer>;
  /** Ends a revocation: its things are free again. */
  reclaim(input: ReservationInput, options?: CallOptions): Promise<ReclaimAnswer>;
  /**
   * Executes commands in order, each seeing the effects of those before it; one refusal does not stop the others. Not
   * atomic: after a crash it may be partly durable, and is retried whole. At most 65,535 commands, or what the server
   * allows.
   */
  batch<const Commands extends readonly BatchCommand[]>(
    commands: Commands,
    options?: CallOptions,
  ): Promise<BatchAnswers<Commands>>;

  /** Reads a resource. What it shows is durable, here and below. */
  getResource(resource: ResourceId, options?: ReadOptions): Promise<GetResourceAnswer>;
  /** Reads a reservation; of a bundle it shows the first member. */
  getReservation(reservation: ReservationId, options?: ReadOptions): Promise<GetReservationAnswer>;
  /** Reads a reservation with its epoch and all its members. */
  getLease(reservation: ReservationId, options?: ReadOptions): Promise<GetLeaseAnswer>;
  /**
   * Reads resources, a page at a time, in the order of their creation. Resources are never removed, so pages that follow
   * one another show each exactly once, however much changes between them.
   */
  scanResources(input?: ScanResourcesInput, options?: ReadOptions): Promise<ScanResourcesAnswer>;
  /**
   * Reads reservations with their epochs and members, a page at a time: live ones, and those that are over as long as
   * `getLease` shows them. One that is there while all pages are read is shown exactly once; one that begins or ends
   * meanwhile may be shown or not. A position means nothing any more once the database was opened anew.
   */
  scanReservations(input?: ScanReservationsInput, options?: ReadOptions): Promise<ScanReservationsAnswer>;
  /**
   * Walks all resources, page by page as they are asked for, holding one page at most. Each is as it was when its page was
   * read. Throws what `scanResources` rejects with, the signal's reason as soon as it has fired, and `protocol_error` where
   * a fence is not reached: after own reads and writes that cannot be.
   */
  resources(input?: Pick<ScanResourcesInput, 'state'>, options?: ReadOptions): AsyncGenerator<ResourceView, void>;
  /** Walks all reservations, as `resources` walks resources; what `scanReservations` says of pages holds. */
  reservations(
    input?: Pick<ScanReservationsInput, 'holder' | 'state'>,
    options?: ReadOptions,
  ): AsyncGenerator<LeaseView, void>;
  /**
   * Every committed command and expiration in lsn order without a gap, refused ones included, once it is durable: those
   * from `from` on, then each further one as it comes. Ends when this handle is closed, throws the signal's reason when it
   * fires, and AllocDbError `lsn_not_retained` where the log does not reach back so far (`failure.oldestLsn` is from where
   * it does), `lsn_ahead`, `log_damaged`, `engine_halted`. A reader that is slower than the log is kept
   * (`retain-log`) meets `lsn_not_retained`; it never slows the writers. To go on later, begin with the last lsn plus one.
   * A step that waits is ended at once by the signal, by `close` and by `return()`.
   */
  changes(options?: ChangesOptions): AsyncGenerator<Change, void>;
  /** Reads the counters. A halted engine answers too. */
  metrics(options?: CallOptions): Promise<Metrics>;

  /** The database's present slot, or an estimate that is not ahead of it. */
  currentSlot(): bigint;
  /** A fresh operation id, to be stored before the call that uses it. */
  newOperationId(): OperationId;
  /** Settles every pending call, then ends the handle; idempotent. */
  close(): Promise<void>;
}
