/**
 * The typed facade over whatever carries requests: one implementation for the embedded database and for the network, so
 * that the two cannot drift apart. It checks arguments, makes operation ids, keeps the highest lsn seen, and turns
 * responses into answers. Retrying, timing and connections are the transport's.
 */
import type {
  AnswerByCommand,
  BatchAnswers,
  BatchCommand,
  CallOptions,
  ConfirmAnswer,
  CreateResourceAnswer,
  CreateResourceInput,
  FenceNotApplied,
  GetLeaseAnswer,
  GetReservationAnswer,
  GetResourceAnswer,
  HolderInput,
  Metrics,
  NotAnswered,
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
import type {ApiResponse, LeaseFound, ReservationFound, SubmitResponse} from './api_response.ts';
import {checkU64} from './bigint_lanes.ts';
import {answerOf, type PreparedCommand, prepareCommand, protocolError} from './command_mapping.ts';
import {COUNT_MAX} from './constants.ts';
import type {Database, Transport} from './database.ts';
import {databaseError} from './errors.ts';
import {
  type ClientId,
  clientId,
  holderIdFromBigint,
  idToBigint,
  newClientId,
  newOperationId,
  type OperationId,
  type ReservationId,
  type ResourceId,
  reservationId,
  reservationIdFromBigint,
  resourceId,
  resourceIdFromBigint,
} from './ids.ts';

type Fence = ApiResponse & {type: 'resource_fence_not_applied' | 'reservation_fence_not_applied'};

function fenceOf(response: Fence): FenceNotApplied {
  return {
    result: 'fence_not_applied',
    requiredLsn: response.requiredLsn,
    lastAppliedLsn: response.lastAppliedLsn,
  };
}

function viewOf(found: ReservationFound | LeaseFound) {
  return {
    id: reservationIdFromBigint(found.reservationId),
    holder: holderIdFromBigint(found.holderId),
    state: found.state,
    createdLsn: found.createdLsn,
    deadlineSlot: found.deadlineSlot,
    releasedLsn: found.releasedLsn,
    retireAfterSlot: found.retireAfterSlot,
  };
}

/** See the interface for what each method promises. */
export class TransportDatabase implements Database {
  readonly clientId: ClientId;
  readonly #clientNumber: bigint;
  readonly #transport: Transport;
  #lastLsn: bigint | null = null;

  constructor(transport: Transport, options: {clientId?: ClientId | undefined} = {}) {
    this.clientId = options.clientId === undefined ? newClientId() : clientId(options.clientId);
    this.#clientNumber = idToBigint(this.clientId);
    this.#transport = transport;
  }

  get lastLsn(): bigint | null {
    return this.#lastLsn;
  }

  async createResource(input: CreateResourceInput, options?: CallOptions): Promise<CreateResourceAnswer> {
    return this.#submit({...input, command: 'create_resource'}, options);
  }

  async reserve(input: ReserveInput, options?: CallOptions): Promise<ReserveAnswer> {
    return this.#submit({...input, command: 'reserve'}, options);
  }

  async reserveBundle(input: ReserveBundleInput, options?: CallOptions): Promise<ReserveAnswer> {
    return this.#submit({...input, command: 'reserve_bundle'}, options);
  }

  async confirm(input: HolderInput, options?: CallOptions): Promise<ConfirmAnswer> {
    return this.#submit({...input, command: 'confirm'}, options);
  }

  async release(input: HolderInput, options?: CallOptions): Promise<ReleaseAnswer> {
    return this.#submit({...input, command: 'release'}, options);
  }

  async revoke(input: ReservationInput, options?: CallOptions): Promise<RevokeAnswer> {
    return this.#submit({...input, command: 'revoke'}, options);
  }

  async reclaim(input: ReservationInput, options?: CallOptions): Promise<ReclaimAnswer> {
    return this.#submit({...input, command: 'reclaim'}, options);
  }

  async batch<const Commands extends readonly BatchCommand[]>(
    commands: Commands,
    options?: CallOptions,
  ): Promise<BatchAnswers<Commands>> {
    if (commands.length > COUNT_MAX) throw new RangeError(`a batch has at most ${COUNT_MAX} commands`);
    const prepared = commands.map(command => prepareCommand(command, this.#clientNumber));
    const operationIds = prepared.map(command => command.operation);
    const payloads = prepared.map(command => command.payload);
    const request: ApiRequest = {type: 'submit_batch', requestSlot: this.currentSlot(), payloads};
    const response = await this.#call(request, operationIds, options);
    if (response.type !== 'batch_result' || response.results.length !== prepared.length) {
      throw protocolError(`${response.type} to a batch of ${prepared.length}`, operationIds);
    }
    return response.results.map((result, i) => {
      const answer = this.#answer(prepared[i] as PreparedCommand, result);
      if (!(answer instanceof Error)) return answer;
      const notAnswered: NotAnswered = {
        result: 'not_answered',
        operation: operationIds[i] as OperationId,
        error: answer,
      };
      return notAnswered;
    }) as BatchAnswers<Commands>;
  }

  async getResource(resource: ResourceId, options?: ReadOptions): Promise<GetResourceAnswer> {
    const id = idToBigint(resourceId(resource));
    const requiredLsn = this.#requiredLsn(options);
    const response = await this.#call({type: 'get_resource', requiredLsn, resourceId: id}, [], options);
    switch (response.type) {
      case 'resource_found': {
        const owner = response.currentReservationId;
        const reservation = owner === null ? null : reservationIdFromBigint(owner);
        const {state, version} = response;
        const view = {id: resourceIdFromBigint(response.resourceId), state, reservation, version};
        return {result: 'found', resource: view};
      }
      case 'resource_not_found':
        return {result: 'resource_not_found'};
      case 'resource_fence_not_applied':
        return fenceOf(response);
      case 'resource_engine_halted':
        throw databaseError({code: 'engine_halted'}, []);
      default:
        throw protocolError(`${response.type} to get_resource`, []);
    }
  }

  async getReservation(reservation: ReservationId, options?: ReadOptions): Promise<GetReservationAnswer> {
    const response = await this.#lookUp('get_reservation', reservation, options);
    if (response.type !== 'reservation_found') return this.#noReservation(response, 'get_reservation');
    const view = {...viewOf(response), resource: resourceIdFromBigint(response.resourceId)};
    return {result: 'found', reservation: view};
  }

  async getLease(reservation: ReservationId, options?: ReadOptions): Promise<GetLeaseAnswer> {
    const response = await this.#lookUp('get_lease', reservation, options);
    if (response.type !== 'lease_found') return this.#noReservation(response, 'get_lease');
    const resources = response.resourceIds.map(resourceIdFromBigint);
    return {result: 'found', lease: {...viewOf(response), epoch: response.leaseEpoch, resources}};
  }

  async metrics(options?: CallOptions): Promise<Metrics> {
    const request: ApiRequest = {type: 'get_metrics', currentWallClockSlot: this.currentSlot()};
    const response = await this.#call(request, [], options);
    if (response.type !== 'metrics') throw protocolError(`${response.type} to get_metrics`, []);
    const {type: _, ...metrics} = response;
    return metrics;
  }

  currentSlot(): bigint {
    return this.#transport.currentSlot();
  }

  newOperationId(): OperationId {
    return newOperationId();
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #call(
    request: ApiRequest,
    operationIds: readonly OperationId[],
    options: CallOptions | undefined,
  ): Promise<ApiResponse> {
    return this.#transport.call(request, {signal: options?.signal ?? null, operationIds});
  }

  async #submit<Name extends BatchCommand['command']>(
    input: BatchCommand & {command: Name},
    options: CallOptions | undefined,
  ): Promise<AnswerByCommand[Name]> {
    const prepared = prepareCommand(input, this.#clientNumber);
    const request: ApiRequest = {type: 'submit', requestSlot: this.currentSlot(), payload: prepared.payload};
    const response = await this.#call(request, [prepared.operation], options);
    if (response.type !== 'submit_committed' && response.type !== 'submit_rejected') {
      throw protocolError(`${response.type} to ${input.command}`, [prepared.operation]);
    }
    const answer = this.#answer(prepared, response);
    if (answer instanceof Error) throw answer;
    return answer as AnswerByCommand[Name];
  }

  #answer(prepared: PreparedCommand, response: SubmitResponse): ReturnType<typeof answerOf> {
    const answer = answerOf(prepared, response);
    if (response.type === 'submit_committed' && response.appliedLsn > (this.#lastLsn ?? 0n)) {
      this.#lastLsn = response.appliedLsn;
    }
    return answer;
  }

  #requiredLsn(options: ReadOptions | undefined): bigint | null {
    const given = options?.requiredLsn;
    return given === undefined ? this.#lastLsn : checkU64(given, 'requiredLsn');
  }

  async #lookUp(
    type: 'get_reservation' | 'get_lease',
    reservation: ReservationId,
    options: ReadOptions | undefined,
  ): Promise<ApiResponse> {
    const id = idToBigint(reservationId(reservation));
    const requiredLsn = this.#requiredLsn(options);
    return this.#call({type, requiredLsn, currentSlot: this.currentSlot(), reservationId: id}, [], options);
  }

  #noReservation(
    response: ApiResponse,
    request: string,
  ): {result: 'reservation_not_found' | 'reservation_retired'} | FenceNotApplied {
    switch (response.type) {
      case 'reservation_not_found':
      case 'reservation_retired':
        return {result: response.type};
      case 'reservation_fence_not_applied':
        return fenceOf(response);
      case 'reservation_engine_halted':
        throw databaseError({code: 'engine_halted'}, []);
      default:
        throw protocolError(`${response.type} to ${request}`, []);
    }
  }
}

/** A database over `transport`; its client id is random unless given. */
export function createDatabase(transport: Transport, options: {clientId?: ClientId | undefined} = {}): Database {
  return new TransportDatabase(transport, options);
}
