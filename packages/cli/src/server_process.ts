/**
 * A server as a process: what signals do to it, and what becomes of it when something was thrown that nobody has caught.
 *
 *   SIGTERM, SIGINT   stop in order; the second one ends the process at once, as a crash would: nothing answered is lost
 *   SIGHUP            read again what can be read again
 *   uncaught          one line in the log, and exit 1: a process that has lost track must not go on answering
 */
import type {Log} from '@allocdb/server';
import {EXIT} from './exit.ts';

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

export class ServerProcess {
  readonly #log: Log;
  /** Resolves at the first signal to stop, also one during recovery. */
  readonly stopAsked: Promise<void>;
  #onStop: () => void = () => undefined;
  #onReload: (() => boolean) | null = null;
  #isReloadAsked: boolean = false;

  /** Takes the signals of this process over. */
  constructor(log: Log) {
    this.#log = log;
    this.stopAsked = new Promise(resolve => {
      this.#onStop = resolve;
    });
    for (const signal of STOP_SIGNALS) process.on(signal, this.#stop);
    process.on('SIGHUP', this.#reload);
    process.on('uncaughtException', this.#end);
    process.on('unhandledRejection', this.#end);
  }

  /** What SIGHUP does from now on: it answers whether all could be used. One that came before is made up for. */
  reloadBy(reload: () => boolean): void {
    this.#onReload = reload;
    if (this.#isReloadAsked) this.#reload();
  }

  /** Lets go of the signals. */
  dispose(): void {
    for (const signal of STOP_SIGNALS) {
      process.off(signal, this.#stop);
      process.off(signal, this.#exit);
    }
    process.off('SIGHUP', this.#reload);
    process.off('uncaughtException', this.#end);
    process.off('unhandledRejection', this.#end);
  }

  readonly #stop = (): void => {
    for (const signal of STOP_SIGNALS) {
      process.off(signal, this.#stop);
      process.on(signal, this.#exit);
    }
    this.#onStop();
  };

  readonly #exit = (): void => {
    process.exit(EXIT.FAILURE);
  };

  readonly #reload = (): void => {
    this.#isReloadAsked = this.#onReload === null;
    if (this.#onReload === null) return;
    if (this.#onReload()) this.#log.info({event: 'reload_finished', ok: true});
    else this.#log.error({event: 'reload_finished', ok: false, advice: 'what could not be used stays as it was'});
  };

  readonly #end = (error: unknown): void => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'internal';
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.fatal({event: 'fatal', code, reason});
    process.exit(EXIT.FAILURE);
  };
}
