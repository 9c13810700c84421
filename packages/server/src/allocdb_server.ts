/**
 * The server: an engine on a data directory, a clock of slots, a ticker, and the ports, started and stopped as one.
 *
 * The clock continues from the last slot in the log by monotonic elapsed time: downtime does not count and a jump of the
 * wall clock has no effect. Slots that clients state are ignored, unless they are trusted; then time is theirs alone and
 * the server neither replaces slots nor ticks.
 */
import {
  type CheckpointInfo,
  type CheckpointOptions,
  type DatabaseConfig,
  DEFAULT_CHECKPOINT,
  ExpirationTicker,
  lastSlotOf,
  MonotonicSlotClock,
  SingleNodeEngine,
  STARTUP_KIND_NAMES,
  TRUST_REQUEST_SLOTS,
} from '@allocdb/node';
import {AccessList} from './access/access_list.ts';
import type {Role} from './access/roles.ts';
import {SettingError} from './access/setting_error.ts';
import type {Log} from './log.ts';
import type {ConnectionLimits} from './net/connection_host.ts';
import type {ListenAddress} from './net/tcp_server.ts';
import {type TlsFiles, TlsSource} from './net/tls_files.ts';
import {type HttpPortOptions, type PortOptions, type PortParts, Ports} from './ports.ts';

/** Everything that can be set about a server. */
export interface ServerOptions {
  readonly dir: string;
  readonly listen: ListenAddress;
  /** For a new directory; null to open an existing one as it was created. */
  readonly config: DatabaseConfig | null;
  readonly slotDurationMs: number;
  readonly trustClientSlots: boolean;
  /** Who is let in, and as what; null for anonymous access. Read again by `reload`. */
  readonly tokenFile: string | null;
  /** What everybody may do where there is no token file; null for nothing. `defaultAnonymousRole` is the safe choice. */
  readonly anonymousRole: Role | null;
  /** Null or left out for a port that does not speak TLS. A client CA needs a token file with `cert:` entries. */
  readonly tls?: TlsFiles | null;
  /** Null or left out for a server without HTTP. */
  readonly http?: HttpPortOptions | null;
  /** Where backups go that are asked for over HTTP; null or left out where none may be. */
  readonly backupDir?: string | null;
  /** Of each port. */
  readonly maxConnections: number;
  /** Most connections in one name at a time; unless set, as many as there can be. */
  readonly maxConnectionsPerPrincipal?: number;
  readonly checkpoint: Partial<CheckpointOptions>;
  readonly log: Log;
  /** Bytes of a file of the log; the engine's default unless set. Frames are bounded by it: never lower it for a directory. */
  readonly segmentBytes?: number;
  /** Bounds of each connection, where they are to differ from the defaults. */
  readonly limits?: Partial<ConnectionLimits>;
  /** How long connections may take to end when the server stops; 5 s. */
  readonly drainMs?: number;
  /** Milliseconds of a monotonic clock, for tests of clock jumps. */
  readonly clockSource?: () => number;
  /** Milliseconds of UTC by which entries of the token file expire, for tests. */
  readonly wallClock?: () => number;
}

const DRAIN_MS = 5000;
/** How often the server looks whether the engine has halted. */
const WATCH_MS = 100;
/** How often it looks whether the access of who is connected has expired. */
const EXPIRY_CHECK_MS = 1000;

export class AllocDbServer {
  readonly engine: SingleNodeEngine;
  readonly address: ListenAddress;
  /** Where HTTP is answered; null where it is not. */
  readonly httpAddress: ListenAddress | null;
  /** Shared by everything that lets clients in. */
  readonly access: AccessList;
  readonly #log: Log;
  readonly #tls: TlsSource | null;
  readonly #ports: Ports;
  readonly #drainMs: number;
  readonly #ticker: ExpirationTicker | null;
  readonly #watch: NodeJS.Timeout;
  readonly #expiryCheck: NodeJS.Timeout;
  #stopped: Promise<void> | null = null;

  /**
   * Reads token file and TLS files (SettingError when they cannot be used), recovers the directory, then listens; resolves
   * when connections are accepted.
   */
  static async start(options: ServerOptions): Promise<AllocDbServer> {
    const started = performance.now();
    const access = accessOf(options);
    const tls = options.tls ? TlsSource.open(options.tls, options.log) : null;
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
      const parts = {engine, clock, access, tls, recoveryMs};
      return new AllocDbServer(parts, await Ports.open(parts, portOptionsOf(options)), options);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  private constructor({engine, clock, access, tls, recoveryMs}: PortParts, ports: Ports, options: ServerOptions) {
    const {address, httpAddress} = ports;
    this.engine = engine;
    this.address = address;
    this.httpAddress = httpAddress;
    this.access = access;
    this.#tls = tls;
    this.#log = options.log;
    this.#ports = ports;
    this.#drainMs = options.drainMs ?? DRAIN_MS;
    this.#ticker = options.trustClientSlots ? null : new ExpirationTicker(engine, clock);
    this.#watch = setInterval(() => this.#onWatch(), WATCH_MS);
    this.#expiryCheck = setInterval(() => access.endExpired(), EXPIRY_CHECK_MS);
    const {recovery, cutBytes} = engine.directory;
    options.log.info({
      event: 'listening',
      host: address.host,
      port: address.port,
      ...(httpAddress === null ? {} : {http: httpAddress}),
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

  /**
   * Reads token file and TLS files again. What cannot be used is logged and stays as it was; then this is false. Connections
   * whose access is gone or changed are ended, all others go on.
   */
  reload(): boolean {
    const hasAccess = this.access.reload();
    const hasTls = this.#tls === null || this.#tls.reload();
    this.#ports.renewTls();
    return hasAccess && hasTls;
  }

  /** Stops accepting, answers what was taken, makes everything durable and closes the directory. Idempotent. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#log.info({event: 'stopping', connections: this.#ports.connectionCount});
    clearInterval(this.#watch);
    clearInterval(this.#expiryCheck);
    this.#ticker?.stop();
    await this.#ports.stop(this.#drainMs);
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

function accessOf(options: ServerOptions): AccessList {
  const {tokenFile, anonymousRole, tls, log} = options;
  if (tls?.clientCa !== undefined && tokenFile === null) {
    throw new SettingError('a client CA needs a token file that says what each certificate may do');
  }
  const sessionsMax = options.maxConnectionsPerPrincipal ?? Number.POSITIVE_INFINITY;
  const now = options.wallClock;
  return AccessList.open({tokenFile, anonymousRole, sessionsMax, log, ...(now === undefined ? {} : {now})});
}

function portOptionsOf(options: ServerOptions): PortOptions {
  const {dir, listen, slotDurationMs, trustClientSlots, maxConnections, checkpoint, log} = options;
  const {everyLogBytes = DEFAULT_CHECKPOINT.everyLogBytes} = checkpoint;
  return {
    dir,
    listen,
    http: options.http ?? null,
    slotDurationMs,
    trustClientSlots,
    maxConnections,
    limits: options.limits ?? {},
    checkpointEveryBytes: everyLogBytes,
    backupDir: options.backupDir ?? null,
    log,
  };
}

function textOf(value: bigint | null): string | null {
  return value === null ? null : String(value);
}
