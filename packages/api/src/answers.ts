/**
 * What goes into the typed facade and what comes out of it: types alone. Inputs and views are different types; every
 * answer is discriminated by `result`; each command lists exactly the refusals that it can meet.
 *
 * Ids are strings, lsns, slots, epochs and versions bigint, closed sets string literals, absent values null.
 */
import type {MetricsResponse, ReservationStateName, ResourceStateName} from './api_response.ts';
import type {AllocDbError} from './errors.ts';
import type {HolderId, OperationId, ReservationId, ResourceId} from './ids.ts';

/** The one thing this package needs of an AbortSignal. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Options of a command. */
export interface CallOptions {
  /** Ends the waiting. Before the command is sent nothing happened (definite); afterwards the outcome is unknown. */
  signal?: AbortSignalLike | undefined;
}

/** Options of a read. */
export interface ReadOptions extends CallOptions {
  /**
   * The answer must reflect at least this lsn, or is `fence_not_applied`. Default: the highest lsn that this handle has
   * seen in an answer, so that it reads its own writes; 0n asks for no fence.
   */
  requiredLsn?: bigint | undefined;
}

/** Every command can carry the operation id that makes it happen once; without one a fresh one is made. */
export interface CommandInput {
  operationId?: OperationId | undefined;
}

/** What to create. */
export interface CreateResourceInput extends CommandInput {
  resource: ResourceId;
}
/** What to hold, for whom, and for how many slots (1 to the database's maximum). */
export interface ReserveInput extends CommandInput {
  resource: ResourceId;
  holder: HolderId;
  ttlSlots: bigint | number;
}
/** What to hold together, all or nothing. */
export interface ReserveBundleInput extends CommandInput {
  resources: readonly ResourceId[];
  holder: HolderId;
  ttlSlots: bigint | number;
}
/** Whose reservation to confirm or release; with `epoch` also only if nobody took it away in between. */
export interface HolderInput extends CommandInput {
  reservation: ReservationId;
  holder: HolderId;
  epoch?: bigint | undefined;
}
/** Which reservation to revoke or reclaim, whoever holds it. */
export interface ReservationInput extends CommandInput {
  reservation: ReservationId;
}

/** A reservation as it was when it was granted. */
export interface GrantedLease {
  id: ReservationId;
  /** Its epoch when granted; confirm or release with it to be refused once it was taken away. */
  epoch: bigint;
  /** The hold ends when the database's clock is at this slot, unless confirmed: late, never early. */
  deadlineSlot: bigint;
  holder: HolderId;
  resources: readonly ResourceId[];
}

/** What every answer to a command carries. It is durable. */
export interface AnswerBase {
  /** Where it stands in the log; of a retry, where the first one stands. */
  lsn: bigint;
  operation: OperationId;
  /** True when the operation had been executed before, and this is its answer. */
  fromRetryCache: boolean;
}

/** An answer that is its name: an agreement without more to it, or a refusal by the name of its result code. */
export interface Outcome<Name extends string> extends AnswerBase {
  result: Name;
}
/** The things are held. */
export interface Reserved extends AnswerBase {
  result: 'reserved';
  lease: GrantedLease;
}

type AnyRefusal = 'operation_conflict' | 'operation_table_full';
type ReservationRefusal = AnyRefusal | 'reservation_not_found' | 'reservation_retired' | 'invalid_state';
type HolderRefusal = ReservationRefusal | 'holder_mismatch' | 'stale_epoch';
type ReserveRefusal =
  | AnyRefusal
  | 'bundle_too_large'
  | 'ttl_out_of_range'
  | 'resource_busy'
  | 'resource_not_found'
  | 'reservation_table_full'
  | 'slot_overflow'
  | 'expiration_index_full';

/** Answer of createResource. */
export type CreateResourceAnswer = Outcome<'created' | AnyRefusal | 'already_exists' | 'resource_table_full'>;
/** Answer of reserve and reserveBundle. */
export type ReserveAnswer = Reserved | Outcome<ReserveRefusal>;
/** Answer of confirm. */
export type ConfirmAnswer = Outcome<'confirmed' | HolderRefusal>;
/** Answer of release. */
export type ReleaseAnswer = Outcome<'released' | HolderRefusal>;
/** Answer of revoke. */
export type RevokeAnswer = Outcome<'revoking' | ReservationRefusal>;
/** Answer of reclaim. */
export type ReclaimAnswer = Outcome<'reclaimed' | ReservationRefusal>;

/** A command of a batch: the input of its method, and which one. */
export type BatchCommand =
  | ({command: 'create_resource'} & CreateResourceInput)
  | ({command: 'reserve'} & ReserveInput)
  | ({command: 'reserve_bundle'} & ReserveBundleInput)
  | ({command: 'confirm'} & HolderInput)
  | ({command: 'release'} & HolderInput)
  | ({command: 'revoke'} & ReservationInput)
  | ({command: 'reclaim'} & ReservationInput);

/** Answer of each command. */
export interface AnswerByCommand {
  create_resource: CreateResourceAnswer;
  reserve: ReserveAnswer;
  reserve_bundle: ReserveAnswer;
  confirm: ConfirmAnswer;
  release: ReleaseAnswer;
  revoke: RevokeAnswer;
  reclaim: ReclaimAnswer;
}
/** A command of a batch that got no answer while others did; `error` says what is known. */
export interface NotAnswered {
  result: 'not_answered';
  operation: OperationId;
  error: AllocDbError;
}
/** Answers of a batch, in the order of its commands. */
export type BatchAnswers<Commands extends readonly BatchCommand[]> = {
  -readonly [At in keyof Commands]: AnswerByCommand[Commands[At]['command']] | NotAnswered;
};

/** The fence of a read is not reached; nothing is said about the thing asked for. */
export interface FenceNotApplied {
  result: 'fence_not_applied';
  requiredLsn: bigint;
  lastAppliedLsn: bigint | null;
}

/** A resource as it is. */
export interface ResourceView {
  id: ResourceId;
  state: ResourceStateName;
  /** The reservation that owns it, null when available. */
  reservation: ReservationId | null;
  /** Counts its changes of state. */
  version: bigint;
}

interface ReservationBase {
  id: ReservationId;
  holder: HolderId;
  state: ReservationStateName;
  createdLsn: bigint;
  deadlineSlot: bigint;
  /** Lsn at which it ended, null while it is live. */
  releasedLsn: bigint | null;
  /** Last slot at which it can still be read, null while it is live. */
  retireAfterSlot: bigint | null;
}
/** A reservation as it is; of a bundle, `resource` is the first member. */
export interface ReservationView extends ReservationBase {
  resource: ResourceId;
}
/** A reservation with its epoch and all its members. */
export interface LeaseView extends ReservationBase {
  epoch: bigint;
  resources: readonly ResourceId[];
}

/** Answer of getResource. */
export type GetResourceAnswer =
  | {result: 'found'; resource: ResourceView}
  | {result: 'resource_not_found'}
  | FenceNotApplied;
type NoReservation = {result: 'reservation_not_found' | 'reservation_retired'} | FenceNotApplied;
/** Answer of getReservation. */
export type GetReservationAnswer = {result: 'found'; reservation: ReservationView} | NoReservation;
/** Answer of getLease. */
export type GetLeaseAnswer = {result: 'found'; lease: LeaseView} | NoReservation;

/** Which resources to read, and from where. */
export interface ScanResourcesInput {
  /** Only those in this state. */
  state?: ResourceStateName | undefined;
  /** Where to begin: 0n, or the `next` of the page before. Any number is allowed; past the end there is an empty page. */
  position?: bigint | undefined;
  /** Most to return, up to 65,535; 0 or left out: as many as a page takes. */
  limit?: number | undefined;
}
/** Which reservations to read, and from where. */
export interface ScanReservationsInput {
  /** Only those of this holder. */
  holder?: HolderId | undefined;
  /** Only those in this state. */
  state?: ReservationStateName | undefined;
  /** Where to begin; as in {@link ScanResourcesInput}. */
  position?: bigint | undefined;
  /** Most to return; as in {@link ScanResourcesInput}. */
  limit?: number | undefined;
}
/** What every page carries: the state of the database at one moment, durable. */
interface Page {
  result: 'page';
  /** The last lsn that had been applied; null when nothing had happened yet. */
  lsn: bigint | null;
  /** Where the next page begins; null when this is the last one. A page may be empty and not the last one. */
  next: bigint | null;
}
/** Answer of scanResources: resources in the order of their creation. */
export type ScanResourcesAnswer = (Page & {resources: ResourceView[]}) | FenceNotApplied;
/** Answer of scanReservations: reservations in no order that means anything. */
export type ScanReservationsAnswer = (Page & {leases: LeaseView[]}) | FenceNotApplied;

/** Counters of the database at this moment. */
export type Metrics = Omit<MetricsResponse, 'type'>;
