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
  Metrics,
  ReadOptions,
  ReclaimAnswer,
  ReleaseAnswer,
  ReservationInput,
  ReserveAnswer,
  ReserveBundleInput,
  ReserveInput,
  RevokeAnswer,
} from './answers.ts';
import type {ApiRequest} from './api_request.ts';
import type {ApiResponse} from './api_response.ts';
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
  /** Reads the counters. A halted engine answers too. */
  metrics(options?: CallOptions): Promise<Metrics>;

  /** The database's present slot, or an estimate that is not ahead of it. */
  currentSlot(): bigint;
  /** A fresh operation id, to be stored before the call that uses it. */
  newOperationId(): OperationId;
  /** Settles every pending call, then ends the handle; idempotent. */
  close(): Promise<void>;
}
