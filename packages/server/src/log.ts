/**
 * The server's log: one JSON object a line on stderr, each with an `event` that names what happened; on a terminal the
 * same in a form for people. Answers of commands go to stdout and never through here. Nothing secret is logged.
 */
import {type Logger, pino} from 'pino';

/** Writes one line of what happened. */
export type Log = Logger;

interface Line {
  readonly level: number;
  readonly time: number;
  readonly event?: string;
  readonly msg?: string;
}

const WARNING = 40;

/** A log to stderr; pretty when stderr is a terminal. */
export function createLog(): Log {
  const destination = process.stderr.isTTY ? {write: writePretty} : pino.destination({dest: 2, sync: true});
  return pino({base: null}, destination);
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
