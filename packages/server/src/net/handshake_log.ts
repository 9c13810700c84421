/**
 * Log of TLS handshakes that fail. Anybody who reaches the port can make them fail, as fast as they like: each reason is
 * logged when it is met, and then at most once a minute with how often it was met since.
 */
import {performance} from 'node:perf_hooks';
import type {Log} from '../log.ts';
import {RepeatLimit} from '../ops/repeat_limit.ts';

const QUIET_MS = 60_000;

export class HandshakeLog {
  readonly #log: Log;
  readonly #limit: RepeatLimit;

  readonly #onFailure: () => void;

  constructor(log: Log, now: () => number = () => performance.now(), onFailure: () => void = () => undefined) {
    this.#log = log;
    this.#onFailure = onFailure;
    this.#limit = new RepeatLimit({
      burst: 1,
      windowMs: QUIET_MS,
      now,
      onKeptBack: (reason, times) => this.#warn(reason, times),
    });
  }

  failed(reason: string): void {
    this.#onFailure();
    if (this.#limit.passes(reason)) this.#warn(reason, 1);
  }

  #warn(reason: string, times: number): void {
    this.#log.warn({event: 'tls_handshake_failed', reason, times});
  }
}
