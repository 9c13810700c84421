/**
 * Whether what was written as a copy is a database that opens: every byte of it read again, snapshots loaded, the log
 * replayed, every digest on the way compared. A snapshot that was rotten in the source is left out of the copy; anything
 * else that is wrong is an error.
 */
import {joinPath} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import type {DirectoryToRead} from '../storage/directory_reading.ts';
import {snapshotName} from '../storage/snapshot_format.ts';
import type {Progress} from '../storage/steps.ts';
import type {DirectoryReport} from '../storage/verify_directory.ts';

/** How a directory is verified: at once, in turns, or on another thread. */
export type Verify = (directory: DirectoryToRead, progress: Progress) => Promise<DirectoryReport>;

/** What a copy turned out to be. */
export interface VerifiedCopy {
  readonly report: DirectoryReport;
  /** Of the newest snapshot in it, or null. */
  readonly snapshotLsn: bigint | null;
}

/** Verifies a copy. Throws OpenError `not_verified`, every problem named. */
export async function verifyCopy(copy: DirectoryToRead, verify: Verify, progress: Progress): Promise<VerifiedCopy> {
  const {io, dir} = copy;
  const report = await verify(copy, progress);
  const rotten = report.snapshots.filter(({problem}) => problem !== null).map(({lsn}) => snapshotName(lsn));
  const problems = report.problems.filter(problem => !rotten.some(name => problem.startsWith(`${name}: `)));
  if (problems.length > 0) {
    throw new OpenError('not_verified', `what was written to ${dir} is not sound:`, report.problems);
  }
  for (const name of rotten) io.unlink(joinPath(joinPath(dir, 'snapshots'), name));
  if (rotten.length > 0) io.syncDir(joinPath(dir, 'snapshots'));
  const sound = report.snapshots.filter(({problem}) => problem === null);
  return {report, snapshotLsn: sound.at(-1)?.lsn ?? null};
}
