/**
 * `allocdb backup NAME`: has a running server copy its whole database into a new directory below the one that it keeps
 * for backups, while it goes on. `allocdb backup DIR TARGET` copies the directory of a stopped one, without a server.
 *
 * Either is read again and verified before it counts, and a failure leaves nothing. A server gives a backup up when nobody
 * waits for it any more; whether it had just finished is then not known.
 */
import {restoreDirectory} from '@allocdb/node';
import type {Command} from 'commander';
import {CommandFailure, EXIT, fail} from '../exit.ts';
import {failWith, postLines} from '../http_client.ts';
import {type HttpFlags, withHttp} from '../http_flags.ts';
import {addExamples} from '../program.ts';
import {type PhaseProgress, withPhases} from '../progress.ts';
import type {Session} from '../session.ts';
import {restoredFields} from './restore.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const NAME_RULE = 'that is at most 100 letters, digits, dots, dashes and underscores, beginning with a letter or digit';

export function register(program: Command, session: Session): void {
  const command = program
    .command('backup')
    .description('copy a whole database: of a running server by name, of a stopped one by directory')
    .argument('<name>', 'name of the backup on the server; with a target, the data directory to copy')
    .argument('[target]', 'where to copy the directory of a stopped server; must not be there, or be empty')
    .addHelpText(
      'after',
      '\nThe server must have been started with --backup-dir, and the token must be of role operate.',
    );
  withHttp(command).action((name: string, target: string | undefined, flags: HttpFlags) => {
    if (target === undefined) return backupByServer(session, name, flags);
    if (command.getOptionValueSource('http') === 'cli') {
      fail(EXIT.USAGE, '--http asks a server, which chooses the place itself: leave out the target, or --http');
    }
    return backupStopped(session, name, target);
  });
  addExamples(command, session, [
    'backup 2026-11-21',
    'backup 2026-11-21 --http https://db.example.com:7480 --token-file ./operator.token --json',
    'backup ./data ./backups/2026-11-21',
  ]);
}

async function backupByServer(session: Session, name: string, flags: HttpFlags): Promise<void> {
  if (!NAME.test(name)) {
    const advice = 'To copy the directory of a stopped server, say where to: backup DIR TARGET';
    fail(EXIT.USAGE, `${JSON.stringify(name)} is no name of a backup: ${NAME_RULE}. ${advice}`);
  }
  const done = await withPhases(session.output, onProgress => follow(session, name, flags, onProgress)).catch(advise);
  const {lsn, snapshot_lsn: snapshotLsn, bytes, duration_ms: durationMs} = done;
  await session.output.record({
    result: 'backed_up',
    name: String(done['name']),
    lsn: textOf(lsn),
    snapshotLsn: textOf(snapshotLsn),
    bytes: Number(bytes),
    durationMs: Number(durationMs),
  });
}

/** Reads what the server tells, until it says what became of it. */
async function follow(
  session: Session,
  name: string,
  flags: HttpFlags,
  onProgress: (progress: PhaseProgress) => void,
): Promise<Readonly<Record<string, unknown>>> {
  for await (const line of postLines(session, flags, '/v1/backups', {name})) {
    const {progress, done, problem} = line;
    if (progress !== undefined) onProgress(progress as PhaseProgress);
    if (problem !== undefined) failWith(problem);
    if (done !== undefined) return done as Readonly<Record<string, unknown>>;
  }
  return fail(
    EXIT.UNKNOWN,
    `${flags.http} ended its answer without saying whether the backup was made`,
    'disconnected',
  );
}

/** Says of a backup of which nothing is known what can be done about it. */
function advise(error: unknown): never {
  if (!(error instanceof CommandFailure) || error.exitCode !== EXIT.UNKNOWN) throw error;
  const advice = 'a backup that nobody waits for is given up, unless it was just finished: verify it, if it is there';
  return fail(EXIT.UNKNOWN, `${error.message}\n(${advice})`, error.code);
}

async function backupStopped(session: Session, dir: string, target: string): Promise<void> {
  const {output, interrupt} = session;
  const info = await withPhases(output, onProgress =>
    restoreDirectory(dir, target, {onProgress, signal: interrupt.signal}),
  );
  await output.record({result: 'backed_up', dir: target, ...restoredFields(info)});
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
