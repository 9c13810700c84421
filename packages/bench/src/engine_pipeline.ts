/**
 * An embedded engine driven the way a server drives it: requests of one turn share a frame of the log, and answers come
 * when that frame is durable. Answers are kept as bytes while the clock runs, read afterwards, and their buffers given back.
 *
 * Deterministic: the caller states slots, turns hold a fixed number of requests, and nothing depends on time.
 */
import {performance} from 'node:perf_hooks';
import {type ClientRequest, encodeClientRequest} from '@allocdb/core';
import {AnswerBuffer, decodeResponse, encodeRequest, type SingleNodeEngine, type SubmitResponse} from '@allocdb/node';

/** Requests that share a turn of the event loop, and so a frame of the log. */
export const TURN = 1024;

export class EnginePipeline {
  /** Answers so far, and the time from their first request to the last of them being durable. */
  answers: number = 0;
  millis: number = 0;
  readonly #engine: SingleNodeEngine;
  readonly #sink: AnswerBuffer;
  #onAnswers: () => void = () => undefined;

  constructor(engine: SingleNodeEngine) {
    this.#engine = engine;
    this.#sink = new AnswerBuffer(() => this.#onAnswers());
  }

  /** Submits the commands in order, all at one slot, and resolves with their answers in the same order. */
  async submitAll(requestSlot: bigint, requests: readonly ClientRequest[]): Promise<SubmitResponse[]> {
    const frames = requests.map(request =>
      encodeRequest({type: 'submit', requestSlot, payload: encodeClientRequest(request)}),
    );
    return (await this.submitFrames(frames)).flatMap(part => {
      const answers = answersOf(part);
      AnswerBuffer.recycle(part);
      return answers;
    });
  }

  /**
   * Submits request frames in order, a turn after the other, and resolves with their answers, behind their lengths. Who has
   * read them gives the bytes back by `AnswerBuffer.recycle`.
   */
  async submitFrames(frames: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const taken: Uint8Array[][] = [];
    const beganMs = performance.now();
    for (let first = 0; first < frames.length; first += TURN) {
      taken.push(await this.#turn(frames.slice(first, first + TURN)));
    }
    this.millis += performance.now() - beganMs;
    this.answers += frames.length;
    return taken.flat();
  }

  /** Answers of one turn may come in two parts: those that waited for nothing, then those of the frame. */
  #turn(frames: readonly Uint8Array[]): Promise<Uint8Array[]> {
    return new Promise(resolve => {
      const parts: Uint8Array[] = [];
      let missing = frames.length;
      this.#onAnswers = () => {
        const taken = this.#sink.take();
        if (taken === null) return;
        parts.push(taken);
        missing -= countAnswers(taken);
        if (missing === 0) resolve(parts);
      };
      for (const frame of frames) {
        const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
        this.#engine.submitBytes(view, frame, 0, frame.length, this.#sink);
      }
    });
  }
}

function countAnswers(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let count = 0;
  for (let at = 0; at < bytes.length; at += 4 + view.getUint32(at, true)) count++;
  return count;
}

function answersOf(bytes: Uint8Array): SubmitResponse[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const answers: SubmitResponse[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    const response = decodeResponse(bytes.subarray(at + 4, at + 4 + length));
    if (response.type !== 'submit_committed' && response.type !== 'submit_rejected') {
      throw new Error(`a command was answered by ${response.type}`);
    }
    answers.push(response);
    at += 4 + length;
  }
  return answers;
}

/** How often each outcome occurs: by result, or by failure, with `again` where it was an earlier answer. */
export function outcomeCounts(answers: readonly SubmitResponse[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    const name =
      answer.type === 'submit_rejected'
        ? `rejected ${answer.failure.code}`
        : `${answer.resultCode}${answer.fromRetryCache ? ' again' : ''}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
