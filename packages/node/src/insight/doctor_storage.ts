/**
 * Judgements about the directory and the disk below it: whether a server could open it, who has it now, what kind of file
 * system it is on, how fast that syncs, and whether there is room for what the settings let grow.
 */
import type {DoctorFinding, DoctorNeeds, MachineFacts} from './doctor.ts';
import {diskNeed, snapshotBytes} from './file_sizes.ts';
import {ok, problem, warning} from './finding.ts';
import {durationText, sizeText} from './words.ts';

const IN_MEMORY: ReadonlySet<string> = new Set(['tmpfs', 'ramfs', 'devtmpfs']);
const LAYERED: ReadonlySet<string> = new Set(['overlay', 'aufs', 'overlayfs']);
const NETWORK = /^(?:nfs|nfs4|cifs|smb|smb2|smb3|smbfs|9p|ceph|glusterfs|lustre|afs|fuse|fuse\..+|fuseblk)$/;
const COPYING: ReadonlySet<string> = new Set(['btrfs', 'zfs', 'bcachefs']);

/** A sync that takes longer keeps single commands waiting; one that is faster than any disk is none. */
const SYNC_SLOW_MS = 10;
const SYNC_UNEVEN_MS = 50;
const SYNC_IMPOSSIBLE_MS = 0.01;
const FREE_FILES_FEW = 100;

/** Whether the directory can be opened, and who has it. */
export function directoryFindings({directory, mount}: MachineFacts): DoctorFinding[] {
  const {path, state, isWritable, configProblem} = directory;
  const findings: DoctorFinding[] = [];
  if (state === 'unreadable') {
    findings.push(problem('directory', `${path} cannot be read`, 'check the path and who may read it'));
  } else if (state === 'other') {
    findings.push(
      problem('directory', `${path} holds other files and no database`, 'give an empty or a new directory'),
    );
  } else if (configProblem !== null) {
    findings.push(
      problem('directory', configProblem, 'put CONFIG back from a backup; it never changes after creation'),
    );
  } else {
    const what = {absent: 'is not there and would be created', empty: 'is empty', database: 'holds a database'}[state];
    findings.push(ok('directory', `${path} ${what}`));
  }
  if (mount?.isReadOnly === true) {
    findings.push(problem('writable', `${mount.mountPoint} is mounted read-only`, 'mount it for writing'));
  } else if (!isWritable && state !== 'unreadable') {
    findings.push(
      problem('writable', `this user may not write to ${path}`, 'run as the user of the server, or change the owner'),
    );
  }
  if (state === 'database') findings.push(lockFinding(directory.lock));
  return findings;
}

function lockFinding(lock: MachineFacts['directory']['lock']): DoctorFinding {
  switch (lock.is) {
    case 'free':
      return ok('lock', 'no process has the database open');
    case 'held': {
      const holder = lock.pid === null ? 'a process that cannot be seen from here' : `process ${lock.pid}`;
      return ok('lock', `the database is in use by ${holder}; what is measured is measured beside it`);
    }
    case 'unknown':
      return warning(
        'lock',
        `whether the database is in use is not known: ${lock.why}`,
        'run as the user of the server',
      );
  }
}

/** File system, room and speed. */
export function diskFindings(facts: MachineFacts, needs: DoctorNeeds): DoctorFinding[] {
  return [...fileSystemFindings(facts), ...roomFindings(facts, needs), syncFinding(facts)];
}

function fileSystemFindings({mount}: MachineFacts): DoctorFinding[] {
  if (mount === null) return [];
  const {type, mountPoint} = mount;
  const what = `${type} on ${mountPoint}`;
  if (IN_MEMORY.has(type)) {
    return [
      warning(
        'file_system',
        `${what} is in memory: a restart of the machine loses everything`,
        'put the directory on a disk',
      ),
    ];
  }
  if (LAYERED.has(type)) {
    return [
      warning('file_system', `${what} is a layer of a container and goes with it`, 'mount a volume for the directory'),
    ];
  }
  if (NETWORK.test(type)) {
    return [
      warning(
        'file_system',
        `${what} is not a local disk: locks and syncs are as good as what is behind it`,
        'use a local disk, and backups',
      ),
    ];
  }
  if (COPYING.has(type)) {
    return [
      warning(
        'file_system',
        `${what} copies what is overwritten, so files that are zeroed ahead do not make syncs cheaper`,
        'ext4 or xfs are faster here',
      ),
    ];
  }
  return [ok('file_system', what)];
}

function roomFindings({directory, freeBytes, freeFiles}: MachineFacts, {config, disk}: DoctorNeeds): DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  if (freeBytes !== null) {
    const {maxResources, maxReservations, maxOperations} = config.core;
    const rows = {resources: maxResources, reservations: maxReservations, operations: maxOperations};
    const {totalBytes, aheadBytes} = diskNeed(snapshotBytes(rows, 1), disk);
    const missing = totalBytes - directory.usedBytes - freeBytes;
    const free = `${sizeText(freeBytes)} are free`;
    if (freeBytes < aheadBytes) {
      const needed = `the next checkpoint and the files of the log that are made ahead take up to ${sizeText(aheadBytes)}`;
      findings.push(
        problem('space', `${free}, and ${needed}`, 'free space, or commands will be refused with storage_full'),
      );
    } else if (missing > 0) {
      const most = `with these settings the database takes up to ${sizeText(totalBytes)}`;
      findings.push(
        warning(
          'space',
          `${free}, and ${most}: ${sizeText(missing)} more than there is`,
          'lower --retain-log-mib or --checkpoint-every-mib',
        ),
      );
    } else findings.push(ok('space', `${free}; with these settings the database takes up to ${sizeText(totalBytes)}`));
  }
  if (freeFiles !== null && freeFiles < FREE_FILES_FEW) {
    findings.push(
      warning('inodes', `the file system has room for ${freeFiles} more files`, 'remove files that nobody needs'),
    );
  }
  return findings;
}

function syncFinding({sync}: MachineFacts): DoctorFinding {
  if (typeof sync === 'string')
    return problem(
      'sync',
      `a block could not be written and synced: ${sync}`,
      'check the disk and who may write to it',
    );
  const {p50Ms, p99Ms, syncs} = sync;
  const what = `a block of 4 KiB is synced in ${durationText(p50Ms)}, p99 ${durationText(p99Ms)} (${syncs} syncs)`;
  if (p50Ms < SYNC_IMPOSSIBLE_MS) {
    return warning(
      'sync',
      `${what}: faster than a disk can be`,
      'make sure that a sync reaches something that survives a loss of power',
    );
  }
  if (p50Ms > SYNC_SLOW_MS) {
    const rate = `${Math.max(1, Math.round(1000 / p50Ms))} commands a second`;
    return warning(
      'sync',
      `${what}: who waits for each answer gets ${rate}`,
      'use a faster disk, or send more commands at a time',
    );
  }
  if (p99Ms > SYNC_UNEVEN_MS) {
    return warning('sync', `${what}: one in a hundred holds everybody up`, 'look for what else writes to this disk');
  }
  return ok('sync', what);
}
