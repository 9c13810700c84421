/**
 * What stands in the log of a data directory, sound or damaged: the pieces that the log can tell (segments, frames, what
 * is missing or unreadable between them) and its records as changes. Read-only and without a lock: it may be a copy of a
 * database that runs, or, with an end that may lie in the middle of a write, that database itself.
 *
 * Not here: whether the state that the log gives is the right one (storage/verify_directory.ts).
 */
import {type Change, CodecError} from '@allocdb/api';
import {
  type FileIo,
  isWalError,
  joinPath,
  type LogRecord,
  nodeFileIo,
  parentPath,
  type SurveyEntry,
  surveyWal,
} from '@allocdb/wal';
import {OpenError} from '../errors.ts';
import {openErrorOf} from '../storage/data_directory.ts';
import {readDirectoryConfig} from './created_with.ts';
import {changeOfRecord} from './record_change.ts';

/** What of a log to show. */
export interface InspectLogOptions {
  /** First and last lsn of interest; frames without one between them are left out. Default: all. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** Each record of the frames as a change. Default false. */
  readonly records?: boolean;
  /** Most records, or most frames where records are not asked for. Default: no bound. */
  readonly limit?: number;
  readonly io?: FileIo;
}

/** A record of an intact frame; with a `problem` it is one that no engine writes. */
export interface InspectedRecord {
  readonly kind: 'record';
  readonly segment: string;
  readonly lsn: bigint;
  readonly change: Change | null;
  readonly problem: string | null;
}

/** What the directory was created with, as far as the records' meaning depends on it. It comes first. */
export interface InspectedConfig {
  readonly kind: 'config';
  /** High half of reservation ids; 0 where the configuration cannot be read. */
  readonly shardId: bigint;
  /** Milliseconds of a slot, where known. */
  readonly slotMs: number | null;
  /** Why the configuration cannot be read, or null. */
  readonly problem: string | null;
}

/** A piece of a log. `limit` is the last one where the bound was reached, else it is `end`. */
export type InspectedEntry =
  | InspectedConfig
  | Exclude<SurveyEntry, {kind: 'record'}>
  | InspectedRecord
  | {readonly kind: 'limit'};

/**
 * The log of a data directory, or of a directory that holds segments, piece by piece and lazily. Throws OpenError
 * `missing_log` or `io` where there is no log to look into; for what it finds in one it throws nothing.
 */
export function* inspectLog(dir: string, options: InspectLogOptions = {}): Generator<InspectedEntry, void> {
  const {io = nodeFileIo, from, to, records = false, limit = Number.POSITIVE_INFINITY} = options;
  const place = placeOf(io, dir);
  const config = configOf(io, place.dataDir);
  yield config;
  const survey = surveyWal({
    dir: place.logDir,
    io,
    records,
    ...(from === undefined ? {} : {from}),
    ...(to === undefined ? {} : {to}),
  });
  let left = limit;
  for (;;) {
    const entry = nextOf(survey, place.logDir);
    if (entry === null) return;
    if (entry.kind === (records ? 'record' : 'frame') && left-- <= 0) return yield {kind: 'limit'};
    yield entry.kind === 'record' ? inspectedRecord(entry.segment, entry.record, config.shardId) : entry;
  }
}

function nextOf(survey: Generator<SurveyEntry, void>, dir: string): SurveyEntry | null {
  try {
    const step = survey.next();
    return step.done === true ? null : step.value;
  } catch (error) {
    throw isWalError(error) ? openErrorOf(error, dir) : error;
  }
}

function inspectedRecord(segment: string, record: LogRecord, shardId: bigint): InspectedRecord {
  const {lsn} = record;
  try {
    return {kind: 'record', segment, lsn, change: changeOfRecord(record, record.payload, shardId), problem: null};
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    const problem = `no engine writes such a record: type ${record.type}, ${error.message}`;
    return {kind: 'record', segment, lsn, change: null, problem};
  }
}

/** Where the segments lie, and the data directory that they belong to. */
function placeOf(io: FileIo, dir: string): {logDir: string; dataDir: string} {
  let names: readonly string[];
  try {
    names = io.list(dir);
  } catch (error) {
    throw openErrorOf(error, dir);
  }
  if (names.includes('wal')) return {logDir: joinPath(dir, 'wal'), dataDir: dir};
  if (names.some(name => name.endsWith('.seg'))) return {logDir: dir, dataDir: parentPath(dir)};
  throw new OpenError('missing_log', `${dir} holds neither a database nor segments of a log`);
}

function configOf(io: FileIo, dataDir: string): InspectedConfig {
  const {config, slotMs, problem} = readDirectoryConfig(dataDir, io);
  if (config !== null) return {kind: 'config', shardId: config.core.shardId, slotMs, problem};
  const why = problem ?? `${dataDir} has no CONFIG`;
  return {kind: 'config', shardId: 0n, slotMs, problem: `${why}: reservation ids are shown as of shard 0`};
}
