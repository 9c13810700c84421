/**
 * The server: an engine on a data directory, a clock of slots, a ticker, and a TCP listener, started and stopped as one.
 *
 * The clock continues from the last slot in the log by monotonic elapsed time: downtime does not count and a jump of the
 * wall clock has no effect. Slots that clients state are ignored, unless they are trusted; then time is theirs alone and
 * the server neither replaces slots nor ticks.
 */
import {createHash, timingSafeEqual} from 'node:crypto';
import {
  type CheckpointInfo,
  type CheckpointOptions,
  type DatabaseConfig,
  ExpirationTicker,
  lastSlotOf,
  MonotonicSlotClock,
  SingleNodeEngine,
  STARTUP_KIND_NAMES,
  TRUST_REQUEST_SLOTS,
} from '@allocdb/node';
import type {Log} from './log.ts';
import type {ConnectionLimits} from './net/connection.ts';
import {type ListenAddress, TcpServer} from './net/tcp_server.ts';

/** Everything that can be set about a server. */
export interface ServerOptions {
  readonly dir: string;
  readonly listen: ListenAddress;
  /** For a new directory; null to open an existing one as it was created. */
  readonly config: DatabaseConfig | null;
  readonly slotDurationMs: number;
  readonly trustClientSlots: boolean;
  /** Clients must present it; null to let everybody in. */
  readonly token: string | null;
  readonly maxConnections: number;
  readonly checkpoint: Partial<CheckpointOptions>;
  readonly log: Log;
  /** Bytes of a file of the log; the engine's default unless set. Frames are bounded by it: never lower it for a directory. */
  readonly segmentBytes?: number;
  /** Bounds of each connection, where they are to differ from the defaults. */
  readonly limits?: Partial<ConnectionLimits>;
  /** Milliseconds of a monotonic clock, for tests of clock jumps. */
  readonly clockSource?: () => number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  maxFrameBytes: 1 << 20,
  maxBatch: 8192,
  maxAnswerBytes: 4 << 20,
  slowConsumerMs: 30_000,
  helloTimeoutMs: 5000,
  drainMs: 1000,
};

/** How long connections may take to end when the server stops. */
const STOP_GRACE_MS = 5000;
/** How often the server looks whether the engine has halted. */
const WATCH_MS = 100;

export class AllocDbServer {
  readonly engine: SingleNodeEngine;
  readonly address: ListenAddress;
  readonly #log: Log;
  readonly #tcp: TcpServer;
  readonly #ticker: ExpirationTicker | null;
  readonly #watch: NodeJS.Timeout;
  #stopped: Promise<void> | null = null;

  /** Recovers the directory, then listens; resolves when connections are accepted. */
  static async start(options: ServerOptions): Promise<AllocDbServer> {
    const started = performance.now();
    let clock: MonotonicSlotClock | null = null;
    const engine = SingleNodeEngine.open({
      dir: options.dir,
      ...(options.trustClientSlots ? {} : {slotMs: options.slotDurationMs}),
      config: options.config,
      checkpoint: options.checkpoint,
      ...(options.segmentBytes === undefined ? {} : {segmentBytes: options.segmentBytes}),
      slots: db => {
        clock = new MonotonicSlotClock(lastSlotOf(db), options.slotDurationMs, options.clockSource);
        return options.trustClientSlots ? TRUST_REQUEST_SLOTS : {clock, maxSlotAdvance: null, ignoreRequestSlots: true};
      },
    });
    const recoveryMs = Math.round(performance.now() - started);
    try {
      if (clock === null) throw new Error('assertion failed: the engine asked for its slot policy');
      const tcp = listenerOf(engine, clock, options);
      const address = await tcp.listen(options.listen);
      return new AllocDbServer(engine, clock, tcp, address, options, recoveryMs);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  private constructor(
    engine: SingleNodeEngine,
    clock: MonotonicSlotClock,
    tcp: TcpServer,
    address: ListenAddress,
    options: ServerOptions,
    recoveryMs: number,
  ) {
    this.engine = engine;
    this.address = address;
    this.#log = options.log;
    this.#tcp = tcp;
    this.#ticker = options.trustClientSlots ? null : new ExpirationTicker(engine, clock);
    this.#watch = setInterval(() => this.#onWatch(), WATCH_MS);
    const {recovery, cutBytes} = engine.directory;
    options.log.info({
      event: 'listening',
      host: address.host,
      port: address.port,
      pid: process.pid,
      dir: options.dir,
      recovery: {
        ...recovery,
        startupKind: STARTUP_KIND_NAMES[recovery.startupKind],
        loadedSnapshotLsn: textOf(recovery.loadedSnapshotLsn),
        replayedLastLsn: textOf(recovery.replayedLastLsn),
        cutBytes,
      },
      recoveryMs,
      durableLsn: textOf(engine.durableLsn),
      slot: String(clock.now()),
    });
    engine.checkpoints.onStart = lsn => options.log.info({event: 'checkpoint_started', lsn: String(lsn)});
    engine.checkpoints.onFinish = info => this.#onCheckpoint(info);
  }

  /** Stops accepting, answers what was taken, makes everything durable and closes the directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#log.info({event: 'stopping', connections: this.#tcp.connectionCount});
    clearInterval(this.#watch);
    this.#ticker?.stop();
    await this.#tcp.stop(STOP_GRACE_MS);
    const durableLsn = this.engine.durableLsn;
    await this.engine.close();
    this.#log.info({event: 'stopped', durableLsn: textOf(durableLsn)});
  }

  #onCheckpoint(info: CheckpointInfo | Error): void {
    if (info instanceof Error) {
      if (this.#stopped === null) this.#log.error({event: 'checkpoint_failed', reason: info.message});
      else this.#log.info({event: 'checkpoint_given_up', reason: info.message});
      return;
    }
    const {lsn, digest, bytes, durationMs} = info;
    this.#log.info({
      event: 'checkpoint_finished',
      lsn: String(lsn),
      digest: digest.toString(16).padStart(32, '0'),
      bytes,
      durationMs: Math.round(durationMs),
    });
  }

  #onWatch(): void {
    if (this.engine.state !== 'halted') return;
    clearInterval(this.#watch);
    this.#log.error({
      event: 'halted',
      reason: this.engine.haltCause?.message ?? 'unknown',
      advice: 'writes and reads are refused; restart the server to recover what is durable',
    });
  }
}

function listenerOf(engine: SingleNodeEngine, clock: MonotonicSlotClock, options: ServerOptions): TcpServer {
  const expected = options.token === null ? null : sha256(new TextEncoder().encode(options.token));
  return new TcpServer({
    engine,
    limits: {...DEFAULT_CONNECTION_LIMITS, ...options.limits},
    maxConnections: options.maxConnections,
    trustClientSlots: options.trustClientSlots,
    slotDurationMs: options.slotDurationMs,
    currentSlot: () => clock.now(),
    // Hashes have one length, so that the comparison takes the same time for every token.
    authorize: token => expected === null || timingSafeEqual(sha256(token), expected),
    onConnectionEnd: reason => {
      if (reason !== null) options.log.info({event: 'connection_ended', reason});
    },
  });
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function textOf(value: bigint | null): string | null {
  return value === null ? null : String(value);
}
