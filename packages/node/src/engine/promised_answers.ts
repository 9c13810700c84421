/**
 * Answers as promises, for callers that are no connection: all of them share one buffer of answers, which keeps them in
 * the order of the requests, and what is released of it resolves the oldest promises.
 */
import {type ApiResponse, decodeResponse} from '@allocdb/api';
import {AnswerBuffer, LENGTH_BYTES} from './answer_buffer.ts';

interface Waiting {
  resolve(response: ApiResponse): void;
  reject(reason: unknown): void;
}

export class PromisedAnswers {
  /** Where the engine writes the answers; one for each promise, in the same order. */
  readonly buffer: AnswerBuffer = new AnswerBuffer(() => this.settle());
  private readonly waiting: Waiting[] = [];

  /** A promise of the answer that `request` has the engine write next, unless it throws: then it rejects. */
  next(request: () => void): Promise<ApiResponse> {
    return new Promise((resolve, reject) => {
      // Throws before anything was written, or not at all.
      request();
      this.waiting.push({resolve, reject});
    });
  }

  private settle(): void {
    const taken = this.buffer.take();
    if (taken === null) return;
    const view = new DataView(taken.buffer, taken.byteOffset, taken.byteLength);
    let settled = 0;
    for (let at = 0; at < taken.length; ) {
      const end = at + LENGTH_BYTES + view.getUint32(at, true);
      const waiting = this.waiting[settled++];
      if (waiting === undefined) throw new Error('assertion failed: an answer belongs to a request');
      try {
        waiting.resolve(decodeResponse(taken.subarray(at + LENGTH_BYTES, end)));
      } catch (error) {
        waiting.reject(error);
      }
      at = end;
    }
    this.waiting.splice(0, settled);
    AnswerBuffer.recycle(taken);
  }
}
