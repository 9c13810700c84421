// What checkpoints must leave on the disk: at most two snapshots, a log that reaches back to the older of them and holds
// the bytes to retain, no more segments before it than that takes, and a marker in the log. And that they are made at all
// where the settings say so.
//
// Judged from names and sizes of files and from the frames whose writing was seen, not from what the engine counts.
import type {CheckpointInfo} from '@allocdb/node';
import type {SimDisk} from '@allocdb/wal/testing';
import {U64_MAX} from '../model/bytes.ts';
import {DIR, type SimProcess, snapshotsOf} from './process.ts';
import type {RunState} from './run_state.ts';
import {Violation} from './violation.ts';

const LOG_DIR: string = `${DIR}/wal`;
const KEPT_SNAPSHOTS = 2;
/** Frames may be rounded up, and a segment may change meanwhile. */
const SLACK_BYTES = 4096;

interface Segment {
  readonly firstLsn: bigint;
  readonly bytes: number;
}

/** What is wrong behind a finished checkpoint, or null. `failedBefore` calls had failed when it began. */
export function checkpointProblem(
  {schedule, oracle}: RunState,
  {io, engine}: SimProcess,
  {lsn, digest}: CheckpointInfo,
  failedBefore: number,
): Violation | null {
  const {disk, watch} = io;
  const lsns = snapshotsOf(disk);
  if (lsns.length > KEPT_SNAPSHOTS) return problem(`${lsns.length} snapshots lie there`);
  if (!lsns.includes(lsn)) return problem(`the snapshot of lsn ${lsn} is not there`);
  const fails = io.failed.length > failedBefore;
  // A log without room goes without the marker, and the last lsn cannot be followed by a segment.
  const needsMarker = lsn > 0n && !fails && oracle.lastLsn < U64_MAX;
  if (needsMarker && watch.markers.get(lsn) !== digest) return problem(`no marker of lsn ${lsn} was written`);
  const segments = segmentsOf(disk);
  const {retainLogBytes} = schedule.settings;
  const first = segments[0]?.firstLsn ?? 0n;
  const oldest = lsns.at(-1) ?? 0n;
  const beginning = (schedule.start?.lsn ?? 0n) + 1n;
  if (first > beginning) {
    if (first > oldest + 1n) return problem(`the log begins at lsn ${first}, the oldest snapshot is of ${oldest}`);
    const bytes = bytesOf(segments);
    if (bytes < retainLogBytes) return problem(`${bytes} bytes of log are left, ${retainLogBytes} must be`);
  }
  // One may have been begun since the log was cut, and the last one may hold little yet.
  const third = segments[2];
  const isNeeded = third === undefined || third.firstLsn > oldest + 1n;
  if (isNeeded || lsns.length < KEPT_SNAPSHOTS || engine.state !== 'running') return null;
  if (bytesOf(segments.slice(2, -1)) < retainLogBytes) return null;
  return problem(`two segments lie before lsn ${third.firstLsn}, the oldest snapshot is of ${oldest}`);
}

/** What was not written by itself although the log has grown, now that nothing is under way; or null. */
export function overdueProblem({schedule}: RunState, {io, engine}: SimProcess, sinceBytes: number): Violation | null {
  const {everyLogBytes, maxFrameBytes} = schedule.settings;
  if (everyLogBytes === null || engine.state !== 'running' || io.failed.length > 0) return null;
  // The frame in flight and the open one may come behind the last look.
  const most = everyLogBytes + 2 * maxFrameBytes + SLACK_BYTES;
  if (sinceBytes <= most) return null;
  return problem(`${sinceBytes} bytes of log since the last one, one is to be made every ${everyLogBytes}`);
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, {bytes}) => sum + bytes, 0);
}

/** In order. */
function segmentsOf(disk: SimDisk): Segment[] {
  const names = disk.list(LOG_DIR).filter(name => name.endsWith('.seg'));
  return names.sort().map(name => ({
    firstLsn: BigInt(/wal-(\d+)\.seg$/.exec(name)?.[1] ?? 0),
    bytes: disk.contentOf(`${LOG_DIR}/${name}`).length,
  }));
}

function problem(what: string): Violation {
  return new Violation('checkpoint', what);
}
