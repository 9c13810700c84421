/**
 * The server's log: one JSON object a line on stderr, each with an `event` that names what happened (ops/log_events.ts); on
 * a terminal the same in a form for people. Answers of commands go to stdout and never through here.
 *
 * Nothing secret is logged: fields that are called like a secret are blacked out whoever logs them, and so is everything
 * that looks like one of our tokens, wherever it stands. Lines are written at once: what was logged before a crash is there.
 */
import {performance} from 'node:perf_hooks';
import {type Logger, pino} from 'pino';
import {type LogEventAt, type LogLevel, REPEATED_EVENTS} from './ops/log_events.ts';
import {RepeatLimit} from './ops/repeat_limit.ts';

/** What a line says: which event, and whatever belongs to it. */
export type LogFields<Level extends LogLevel> = {readonly event: LogEventAt<Level>; readonly [field: string]: unknown};

/** Writes one line of what happened. A logger of pino is one. */
export interface Log {
  debug(fields: LogFields<'debug'>, message?: string): void;
  info(fields: LogFields<'info'>, message?: string): void;
  warn(fields: LogFields<'warn'>, message?: string): void;
  error(fields: LogFields<'error'>, message?: string): void;
  fatal(fields: LogFields<'fatal'>, message?: string): void;
  /** False when lines of this level are not written. */
  isLevelEnabled(level: LogLevel): boolean;
}

/** Forms of a line; `auto` is pretty on a terminal. */
export const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;
/** One of {@link LOG_FORMATS}. */
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LogOptions {
  /** The least that is written. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes lines instead of stderr. */
  readonly write?: (line: string) => void;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

interface Line {
  readonly level: number;
  readonly time: number;
  readonly event?: string;
  readonly msg?: string;
}

const WARNING = 40;
/** Of each reason, in a window, whoever causes it. */
const BURST = 10;
const WINDOW_MS = 60_000;

const BLACKED_OUT = '[redacted]';
const SECRET_FIELDS = ['token', 'tokens', 'authorization', 'cookie', 'password', 'passphrase', 'secret', 'privateKey'];
const SECRET_PATHS = SECRET_FIELDS.flatMap(name => [name, `*.${name}`, `*.*.${name}`]);
/** Tokens as access/token.ts makes them. */
const TOKEN = /allocdb_[\w-]{43}/g;

/** A log to stderr. */
export function createLog(options: Partial<LogOptions> = {}): Log {
  const {level = 'info', format = 'auto', write = writerOf(format), now = () => performance.now()} = options;
  const repeats = new RepeatedEvents(now);
  const logger: Logger = pino(
    {
      base: null,
      level,
      redact: {paths: SECRET_PATHS, censor: BLACKED_OUT},
      hooks: {
        logMethod(args, method) {
          if (repeats.passes(args[0])) method.apply(this, args);
        },
      },
    },
    {write: line => write(line.replace(TOKEN, BLACKED_OUT))},
  );
  repeats.begin(logger);
  return logger as Log;
}

/** Lines that are not written because there were too many like them, and one that says how many. */
class RepeatedEvents {
  readonly #limit: RepeatLimit;
  #log: Log | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(now: () => number) {
    this.#limit = new RepeatLimit({
      burst: BURST,
      windowMs: WINDOW_MS,
      now,
      onKeptBack: (kind, count) => {
        const [of = '', ...reason] = kind.split(' ');
        this.#log?.info({event: 'not_logged', of, reason: reason.join(' '), times: count});
      },
    });
  }

  begin(log: Logger): void {
    this.#log = log as Log;
  }

  passes(fields: unknown): boolean {
    if (typeof fields !== 'object' || fields === null) return true;
    const {event, reason, code} = fields as {event?: unknown; reason?: unknown; code?: unknown};
    if (event === 'stopped' || event === 'fatal') this.#limit.endWindows();
    if (!REPEATED_EVENTS.some(name => name === event)) return true;
    const passes = this.#limit.passes(`${event} ${reason ?? code ?? ''}`);
    if (!passes) this.#timer ??= setTimeout(() => this.#onTimer(), WINDOW_MS).unref();
    return passes;
  }

  #onTimer(): void {
    this.#timer = null;
    this.#limit.endWindows();
  }
}

function writerOf(format: LogFormat): (line: string) => void {
  if (format === 'pretty' || (format === 'auto' && process.stderr.isTTY)) return writePretty;
  const stderr = pino.destination({dest: 2, sync: true});
  return line => stderr.write(line);
}

function writePretty(line: string): void {
  const {level, time, event = '', msg = '', ...rest} = JSON.parse(line) as Line;
  const fields = Object.entries(rest)
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' ');
  const clock = new Date(time).toISOString().slice(11, 19);
  process.stderr.write(
    `${clock} ${level >= WARNING ? '! ' : ''}${event || msg}${event && msg ? `: ${msg}` : ''} ${fields}\n`,
  );
}
