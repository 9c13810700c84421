/**
 * `allocdb restore BACKUP DIR`: writes a new data directory from a backup, or from the directory of a stopped server: all
 * of it, or as it was at an lsn. What is written is read again and verified before it counts; a failure leaves nothing.
 */
import {type RestoreInfo, restoreDirectory} from '@allocdb/node';
import type {Command} from 'commander';
import {u64} from '../arguments.ts';
import type {Fields} from '../output.ts';
import {addExamples} from '../program.ts';
import {withPhases} from '../progress.ts';
import type {Session} from '../session.ts';
import {hex128} from '../shown.ts';

interface RestoreFlags {
  readonly atLsn?: bigint;
}

export function register(program: Command, session: Session): void {
  const command = program
    .command('restore')
    .description('write a data directory from a backup, as it is or as it was at an lsn')
    .argument('<backup>', 'a backup, or a data directory that no server is using')
    .argument('<dir>', 'data directory to write; must not be there, or be empty')
    .option('--at-lsn <n>', 'restore the state at this lsn, and nothing behind it', u64)
    .action((backup: string, dir: string, flags: RestoreFlags) => restore(session, backup, dir, flags));
  addExamples(command, session, [
    'restore ./backups/2026-11-21 ./data',
    'restore ./backups/2026-11-21 ./before --at-lsn 20001 --json',
  ]);
}

async function restore(session: Session, backup: string, dir: string, {atLsn}: RestoreFlags): Promise<void> {
  const {output, interrupt} = session;
  const info = await withPhases(output, onProgress =>
    restoreDirectory(backup, dir, {
      onProgress,
      signal: interrupt.signal,
      ...(atLsn === undefined ? {} : {atLsn}),
    }),
  );
  await output.record({result: 'restored', dir, ...restoredFields(info)});
}

/** What is said of a directory that was written from another one. */
export function restoredFields({lsn, slot, digest, snapshotLsn, records, bytes, durationMs}: RestoreInfo): Fields {
  const shown = {lsn, slot, digest: hex128(digest), snapshotLsn, records: Number(records), bytes};
  return {...shown, durationMs: Math.round(durationMs)};
}
