/**
 * How a failure is told: what happened, whether anything may have happened in the database, and, where that is not known,
 * the operation and the command line by which the one answer is got. For people in words, with `--json` as an object.
 * Whatever is thrown ends here, and comes out as an exit code.
 */
import {type AllocDbError, isAllocDbError, type OperationId} from '@allocdb/client';
import {CommanderError} from 'commander';
import {CommandFailure, EXIT} from './exit.ts';
import {Interrupted, TimedOut} from './interrupt.ts';
import {OutputClosed} from './output.ts';
import type {Session} from './session.ts';
import {joinWords} from './words.ts';

/** What is told of a failure. */
interface Told {
  readonly exitCode: number;
  readonly code: string;
  /** Only what may have been executed is indefinite; what failed on this side never was. */
  readonly certainty: 'definite' | 'indefinite';
  readonly message: string;
  readonly operation: OperationId | null;
  /** The command line that gets the answer. */
  readonly repeat?: string;
  /** Of a feed, from where the log can be read. */
  readonly oldestLsn?: bigint;
}

/** Says what went wrong, as briefly as it can be said, and returns the exit code. */
export function report(error: unknown, session: Session): number {
  if (error instanceof OutputClosed) return session.exitCode;
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.OK;
  const told = toldOf(error, session);
  const {exitCode, code, certainty, message, operation, ...more} = told;
  session.output.tell({error: {code, certainty, message, operation, ...more}}, textOf(told));
  return exitCode;
}

function textOf({code, message, certainty, operation, repeat}: Told): string {
  const lines = [`allocdb: ${isToldByMessage(code, message) ? '' : `${code}: `}${message}`];
  if (certainty === 'indefinite') lines[0] = `allocdb: outcome unknown: ${code}: ${message}`;
  if (operation !== null) {
    const gets = certainty === 'indefinite' ? 'gets the one answer there is' : 'does what is left';
    lines.push(`the operation is ${operation}; repeated with it, the command ${gets}:`, `  ${repeat}`);
  }
  return lines.join('\n');
}

/** Codes of the database and of the way to it can be looked up; those of this program are for programs. */
function isToldByMessage(code: string, message: string): boolean {
  return OWN_CODES.has(code) || message.startsWith(code);
}

const OWN_CODES: ReadonlySet<string> = new Set(['usage', 'failure', 'internal']);

/** Errors whose message says it all: of a directory that cannot be opened, of a setting that cannot be used. */
const EXPECTED: ReadonlySet<string> = new Set(['OpenError', 'SettingError']);

function toldOf(error: unknown, session: Session): Told {
  const definite = (exitCode: number, code: string, message: string): Told => {
    return {exitCode, code, certainty: 'definite', message, operation: null};
  };
  if (isAllocDbError(error)) return toldOfDatabase(error, session);
  if (error instanceof CommandFailure) {
    const {exitCode, code, message} = error;
    const certainty = exitCode === EXIT.UNKNOWN ? 'indefinite' : 'definite';
    return {exitCode, code, certainty, message, operation: null};
  }
  if (error instanceof CommanderError) return definite(EXIT.USAGE, 'usage', usageText(error, session));
  if (error instanceof Interrupted) return definite(EXIT.FAILURE, 'aborted', error.message);
  if (error instanceof Error && (EXPECTED.has(error.name) || 'syscall' in error)) {
    return definite(EXIT.FAILURE, 'code' in error ? String(error.code) : 'failure', error.message);
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return definite(EXIT.FAILURE, 'internal', text);
}

function toldOfDatabase(error: AllocDbError, session: Session): Told {
  const {failure} = error;
  const cause = error.cause instanceof TimedOut || error.cause instanceof Interrupted ? error.cause : null;
  const what = cause === null ? `${error.message}${hintOf(error)}` : cause.message;
  const why = cause === null ? null : session.connectionError;
  const told = {
    code: cause instanceof TimedOut ? 'timed_out' : error.code,
    message: [what, ...(why === null ? [] : [`last: ${why}`]), ...(session.done === null ? [] : [session.done])].join(
      '; ',
    ),
  };
  if (failure.certainty === 'indefinite') {
    const again = againWith(session, session.operation ?? failure.operationId);
    return {exitCode: EXIT.UNKNOWN, certainty: 'indefinite', ...told, ...again};
  }
  // Of many, some may have been done before this one certainly was not.
  const again = session.done === null || session.operation === null ? null : againWith(session, session.operation);
  const {oldestLsn} = failure;
  return {
    exitCode: EXIT.FAILURE,
    certainty: 'definite',
    ...told,
    ...(again ?? {operation: null}),
    ...(oldestLsn === undefined ? {} : {oldestLsn}),
  };
}

/** What to do here about a connection that did not come about; the client speaks of its own options. */
function hintOf({code, message}: AllocDbError): string {
  if (code !== 'connect_failed') return '';
  if (message.includes('ECONNREFUSED')) return '; is a server running, and is this its address (--url)?';
  return message.includes('tls.ca') ? '; that is --ca here' : '';
}

function againWith(session: Session, operation: OperationId): {operation: OperationId; repeat: string} {
  return {operation, repeat: repeatLine(session, operation)};
}

/** The command line that this session ran, with the operation in it. */
function repeatLine({words, invocation}: Session, operation: OperationId): string {
  const ownEnd = words.indexOf('--');
  const flags = ownEnd < 0 ? words : words.slice(0, ownEnd);
  if (flags.some(word => word === '--operation' || word.startsWith('--operation='))) {
    return invocation + joinWords(words);
  }
  return invocation + joinWords([...flags, '--operation', operation, ...(ownEnd < 0 ? [] : words.slice(ownEnd))]);
}

/** Commander's words, in our form. */
function usageText(error: CommanderError, session: Session): string {
  if (error.code === 'commander.help') return 'a command is needed; --help shows them';
  const text = error.message.replace(/^error: /, '').trimEnd();
  return session.output.json ? text : `${text}\n(--help shows the usage)`;
}
