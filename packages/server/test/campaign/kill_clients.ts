/**
 * The clients of one life of the server: raw connections that keep a window of requests in flight, so that whenever the
 * server dies much is under way. What they send and are told goes to the recorder; what is still awaited when a connection
 * ends is told to it as lost.
 */
import {type ApiRequest, type ApiResponse, decodeResponse, encodeClientRequest, encodeRequest} from '@allocdb/api';
import {openRawConnection, type RawConnection} from '@allocdb/client';
import type {Random} from '@allocdb/sim';
import type {KillRecorder, Sent, Told} from './kill_recorder.ts';
import {type KillWorkload, type Operation, readRequest} from './kill_workload.ts';

const WINDOW = 6;
const BATCH_MAX = 5;

/** What is done with an answer beside its being recorded. */
export type OnTold = (told: Told | null, sent: Sent) => void;

interface Awaited {
  readonly sent: readonly Sent[];
  readonly onTold: OnTold;
}

/** One connection. */
export class KillClient {
  readonly number: bigint;
  isEnded: boolean = false;
  readonly #name: string;
  readonly #recorder: KillRecorder;
  readonly #awaited: Awaited[] = [];
  #taken: number = 0;
  #place: number = 0;
  #connection: RawConnection | null = null;
  #waiting: (() => void)[] = [];

  private constructor(number: bigint, name: string, recorder: KillRecorder) {
    this.number = number;
    this.#name = name;
    this.#recorder = recorder;
  }

  /** Connects; rejects when the server is not there any more. */
  static async open(port: number, number: bigint, name: string, recorder: KillRecorder): Promise<KillClient> {
    const client = new KillClient(number, name, recorder);
    const connection = await openRawConnection(`allocdb://127.0.0.1:${port}`, {
      onResponse: (_view, bytes, offset, length) =>
        client.#answered(decodeResponse(bytes.subarray(offset, offset + length))),
    });
    client.#connection = connection;
    connection.ended.then(
      () => client.#ended(),
      () => undefined,
    );
    return client;
  }

  /** Requests without an answer. */
  get inFlight(): number {
    return this.#awaited.length - this.#taken;
  }

  /** Sends one operation. */
  submit(operation: Operation, onTold: OnTold): void {
    const payload = this.#payload(operation);
    this.#send({type: 'submit', requestSlot: 0n, payload}, [this.#attempt(operation)], onTold);
  }

  submitBatch(operations: readonly Operation[], onTold: OnTold): void {
    const payloads = operations.map(operation => this.#payload(operation));
    const sent = operations.map(operation => this.#attempt(operation));
    this.#send({type: 'submit_batch', requestSlot: 0n, payloads}, sent, onTold);
  }

  read(wish: Parameters<typeof readRequest>[0], onTold: OnTold): void {
    const sent: Sent = {type: 'read', ...wish, slot: null, ...this.#span(), answer: {type: 'nothing'}};
    this.#send(readRequest(wish), [sent], onTold);
  }

  /** Resolves when fewer than so many requests are in flight, or the connection has ended. */
  async below(count: number): Promise<void> {
    while (!this.isEnded && this.inFlight >= count) {
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve);
      });
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #payload({id, command}: Operation): Uint8Array {
    return encodeClientRequest({operationId: id, clientId: this.number, command});
  }

  #attempt({id, command}: Operation): Sent {
    return {type: 'attempt', operation: id, command, ...this.#span(), answer: {type: 'nothing'}};
  }

  #span(): Pick<Sent, 'client' | 'sent' | 'came' | 'connection' | 'place'> {
    return {client: this.number, sent: this.#recorder.now(), came: null, connection: this.#name, place: this.#place++};
  }

  #send(request: ApiRequest, sent: readonly Sent[], onTold: OnTold): void {
    if (this.isEnded) return;
    this.#awaited.push({sent, onTold});
    this.#connection?.send(encodeRequest(request));
  }

  #answered(response: ApiResponse): void {
    const awaited = this.#awaited[this.#taken++];
    if (awaited === undefined) throw new Error('every response was asked for');
    const responses = response.type === 'batch_result' ? response.results : [response];
    for (const [i, sent] of awaited.sent.entries()) {
      const each = responses[i];
      if (each === undefined) throw new Error('every command of a batch is answered');
      awaited.onTold(this.#recorder.answered(sent, each), sent);
    }
    this.#wake();
  }

  #ended(): void {
    this.isEnded = true;
    for (const {sent} of this.#awaited.slice(this.#taken)) for (const each of sent) this.#recorder.lost(each);
    this.#wake();
  }
}

/** Keeps a client's window full until it is told to stop or its connection ends. */
export async function keepBusy(
  client: KillClient,
  clients: readonly KillClient[],
  workload: KillWorkload,
  random: Random,
  recorder: KillRecorder,
  isOver: () => boolean,
): Promise<void> {
  const onTold: OnTold = (told, sent) => {
    if (told === null) return;
    recorder.keep(told);
    const {reservationId, fromRetryCache} = told.answer;
    if (reservationId === null || fromRetryCache) return;
    if (sent.type === 'attempt' && 'ttlSlots' in sent.command) {
      workload.granted({id: reservationId, holder: sent.command.holderId});
    }
  };
  while (!client.isEnded && !isOver()) {
    const dice = random.below(100);
    if (dice < 12) client.read(workload.read(recorder.lastLsn), onTold);
    else if (dice < 20) {
      const count = random.between(1, BATCH_MAX);
      client.submitBatch(
        Array.from({length: count}, () => workload.operation(client.number)),
        onTold,
      );
    } else {
      const operation = workload.operation(client.number);
      client.submit(operation, onTold);
      // The same operation on two connections at once has one outcome.
      if (dice < 24) clients[random.below(clients.length)]?.submit(operation, onTold);
    }
    await client.below(WINDOW);
  }
}
