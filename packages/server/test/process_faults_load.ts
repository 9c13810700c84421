/**
 * A client under which faults are made: it keeps commands in flight, each an operation of its own, and remembers every
 * answer. Afterwards everything is asked again: what was answered must be answered the same, what was refused for certain
 * must not have happened, and what was left open is settled to one result.
 */
import {type ApiRequest, type ApiResponse, decodeResponse, encodeRequest, isIndefinite} from '@allocdb/api';
import {expect} from 'vitest';
import {pause} from './command.ts';
import {Peer} from './peer.ts';

const ASK_AGAIN = 200;
const BROUGHT_ABOUT_MS = 150_000;

export interface Sent {
  readonly request: ApiRequest;
  answer: ApiResponse | null;
}

export class FaultLoad {
  readonly sent: Sent[] = [];
  #answered: number = 0;
  #stops: boolean = false;
  readonly #peer: Peer;
  readonly #next: (index: number) => ApiRequest;

  private constructor(peer: Peer, next: (index: number) => ApiRequest) {
    this.#peer = peer;
    this.#next = next;
  }

  /** Connects; `next` makes the request of an index, from 0 on. */
  static async open(port: number, next: (index: number) => ApiRequest): Promise<FaultLoad> {
    return new FaultLoad(await Peer.open(port), next);
  }

  get answered(): number {
    return this.#answered;
  }

  /** The last answer but for those still awaited. */
  get last(): ApiResponse | null {
    return this.sent[this.#answered - 1]?.answer ?? null;
  }

  /** Keeps so many in flight until it is stopped, and then waits for their answers; or until the connection ends. */
  async run(inFlight: number): Promise<void> {
    const peer = this.#peer;
    while (!peer.isEnded && !peer.isClosed && !(this.#stops && this.#answered === this.sent.length)) {
      while (!this.#stops && this.sent.length < this.#answered + inFlight) this.#send();
      await pause(1);
      this.#collect();
    }
    this.#collect();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#stops = true;
  }

  async close(): Promise<void> {
    await this.#peer.close();
  }

  #send(): void {
    const request = this.#next(this.sent.length);
    this.sent.push({request, answer: null});
    this.#peer.send(encodeRequest(request));
  }

  #collect(): void {
    for (const frame of this.#peer.takeAll()) {
      const sent = this.sent[this.#answered++];
      if (sent !== undefined) sent.answer = decodeResponse(frame);
    }
  }
}

/** Waits for what a load brings about, which takes as long as the machine needs to move some hundred megabytes. */
export async function broughtAbout(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + BROUGHT_ABOUT_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await pause(10);
  }
}

/** What had become of the commands that are asked again. */
export interface Settled {
  committed: number;
  refused: number;
  open: number;
}

/** Asks everything again, in the order of sending; every promise of an answer is held to. */
export async function settle(port: number, sent: readonly Sent[]): Promise<Settled> {
  const peer = await Peer.open(port);
  const settled: Settled = {committed: 0, refused: 0, open: 0};
  for (let at = 0; at < sent.length; at += ASK_AGAIN) {
    const part = sent.slice(at, at + ASK_AGAIN);
    const answers = await peer.ask(...part.map(({request}) => request));
    part.forEach((each, i) => {
      const again = answers[i];
      const {answer} = each;
      if (answer?.type === 'submit_committed') {
        expect(again).toEqual({...answer, fromRetryCache: true});
        settled.committed++;
      } else if (answer?.type === 'submit_rejected' && !isIndefinite(answer.failure)) {
        // It never happened, so now is the first time.
        expect(again).toMatchObject({type: 'submit_committed', fromRetryCache: false});
        settled.refused++;
      } else {
        expect(again).toMatchObject({type: 'submit_committed'});
        settled.open++;
      }
      // From now on this is the answer.
      if (again?.type === 'submit_committed') each.answer = {...again, fromRetryCache: false};
    });
  }
  await peer.close();
  return settled;
}
