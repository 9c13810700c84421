// Crashes and faults that the schedule has armed, the calls that they strike, and what a failed call excuses.
//
// Not here: making calls fail and ending the process (`watched_io.ts`).
import type {CrashPointName, FileCall, FileKind} from './crash_points.ts';
import type {CrashKind, FaultTarget} from './schedule.ts';

export interface ArmedCrash {
  /** Null for one between two events. */
  readonly point: CrashPointName | null;
  /** So many calls or requests that are such a point go by first. */
  skip: number;
  readonly how: CrashKind;
  readonly dice: number;
}

export interface ArmedFault {
  readonly on: FaultTarget;
  readonly kind: 'EIO' | 'ENOSPC' | 'short';
  skip: number;
  times: number;
}

/** What the schedule has in store, for this process and those after it. */
export interface Armed {
  crash: ArmedCrash | null;
  faults: ArmedFault[];
}

/** A call that has failed. */
export interface FailedCall {
  readonly call: FileCall;
  readonly code: string;
  /** The schedule had it fail; false where the disk was full. */
  readonly armed: boolean;
  /** What was thrown. */
  readonly error: unknown;
}

const LOG_KINDS: readonly FileKind[] = ['segment', 'spare', 'log_dir', 'clean'];

/** Whether the log may give up for this call: it goes on without space for a spare. */
export function mayHalt(failed: FailedCall | null): boolean {
  return failed !== null && isOfLog(failed.call) && (failed.armed || failed.code !== 'ENOSPC');
}

/** Whether the call belongs to the log rather than to snapshots and the rest. */
function isOfLog({kind}: FileCall): boolean {
  return LOG_KINDS.includes(kind);
}

export function strikes({on, kind}: ArmedFault, call: FileCall): boolean {
  const {name} = call;
  if (name === 'close' || (kind === 'short' && name !== 'write')) return false;
  // Only what needs space can find none.
  if (kind === 'ENOSPC' && (name === 'read' || name === 'size' || name === 'list')) return false;
  switch (on) {
    case 'any':
      return true;
    case 'log_write':
      return name === 'write' && (call.kind === 'segment' || call.hasClient || call.hasInternal);
    case 'log_sync':
      return name === 'datasync' && call.kind === 'segment';
    case 'spare':
      return call.kind === 'spare';
    case 'snapshot':
      return call.kind === 'unfinished' || call.kind === 'snapshot' || call.kind === 'snapshot_dir';
    case 'directory':
      return name === 'syncDir' || name === 'rename' || name === 'unlink';
    case 'read':
      return name === 'read' || name === 'list' || name === 'size';
  }
}
