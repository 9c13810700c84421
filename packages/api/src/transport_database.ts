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
  GetLeaseAnswer,
  GetReservationAnswer,
  GetResourceAnswer,
  HolderInput,
  LeaseView,
  Metrics,
  NotAnswered,
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
import type {ApiResponse, SubmitResponse} from './api_response.ts';
import {checkU64} from './bigint_lanes.ts';
import type {Change} from './change.ts';
import {answerOf, type PreparedCommand, prepareCommand, protocolError} from './command_mapping.ts';
import {COUNT_MAX} from './constants.ts';
import type {Database, Transport} from './database.ts';
import {type ChangesOptions, changesOf} from './feed.ts';
import {
  type ClientId,
  clientId,
  idToBigint,
  newClientId,
  newOperationId,
  type OperationId,
  type ReservationId,
  type ResourceId,
  reservationId,
  resourceId,
} from './ids.ts';
import {leaseViewOf, noReservation, reservationViewOf, resourceAnswerOf} from './read_mapping.ts';
import {reservationScan, reservationsPageOf, resourceScan, resourcesPageOf, walk} from './scan_mapping.ts';

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
    return resourceAnswerOf(response);
  }

  async getReservation(reservation: ReservationId, options?: ReadOptions): Promise<GetReservationAnswer> {
    const response = await this.#lookUp('get_reservation', reservation, options);
    if (response.type !== 'reservation_found') return noReservation(response, 'get_reservation');
    return {result: 'found', reservation: reservationViewOf(response)};
  }

  async getLease(reservation: ReservationId, options?: ReadOptions): Promise<GetLeaseAnswer> {
    const response = await this.#lookUp('get_lease', reservation, options);
    if (response.type !== 'lease_found') return noReservation(response, 'get_lease');
    return {result: 'found', lease: leaseViewOf(response)};
  }

  async scanResources(input: ScanResourcesInput = {}, options?: ReadOptions): Promise<ScanResourcesAnswer> {
    const request = resourceScan(input, this.#requiredLsn(options));
    return this.#noted(resourcesPageOf(await this.#call(request, [], options)));
  }

  async scanReservations(input: ScanReservationsInput = {}, options?: ReadOptions): Promise<ScanReservationsAnswer> {
    const request = reservationScan(input, this.#requiredLsn(options), this.currentSlot());
    return this.#noted(reservationsPageOf(await this.#call(request, [], options)));
  }

  resources(input?: Pick<ScanResourcesInput, 'state'>, options?: ReadOptions): AsyncGenerator<ResourceView, void> {
    const read = (position: bigint) => this.scanResources({...input, position}, options);
    return walk(read, page => page.resources, options?.signal);
  }

  reservations(
    input?: Pick<ScanReservationsInput, 'holder' | 'state'>,
    options?: ReadOptions,
  ): AsyncGenerator<LeaseView, void> {
    const read = (position: bigint) => this.scanReservations({...input, position}, options);
    return walk(read, page => page.leases, options?.signal);
  }

  async metrics(options?: CallOptions): Promise<Metrics> {
    const request: ApiRequest = {type: 'get_metrics', currentWallClockSlot: this.currentSlot()};
    const response = await this.#call(request, [], options);
    if (response.type !== 'metrics') throw protocolError(`${response.type} to get_metrics`, []);
    const {type: _, ...metrics} = response;
    return metrics;
  }

  changes(options: ChangesOptions = {}): AsyncGenerator<Change, void> {
    return changesOf(this.#transport, options);
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
    if (response.type === 'submit_committed') this.#note(response.appliedLsn);
    return answer;
  }

  #note(lsn: bigint | null): void {
    if (lsn !== null && lsn > (this.#lastLsn ?? 0n)) this.#lastLsn = lsn;
  }

  /** A page says how far the database is: what is read after it is not older. */
  #noted<Answer extends ScanResourcesAnswer | ScanReservationsAnswer>(answer: Answer): Answer {
    if (answer.result === 'page') this.#note(answer.lsn);
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
}

/** A database over `transport`; its client id is random unless given. */
export function createDatabase(transport: Transport, options: {clientId?: ClientId | undefined} = {}): Database {
  return new TransportDatabase(transport, options);
}
