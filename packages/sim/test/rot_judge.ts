/**
 * The verdict on a damaged directory, through the whole database: it is opened and asked, and verified, each on a fork.
 *
 *   refused    opening fails with a typed error, changes no file, and verifying tells of it too
 *   set_aside  a rotten snapshot was replaced by a longer replay: the same state and answers, the file is kept as `.rotten`
 *   unneeded   opening has no use for what was damaged: the same state and answers; verifying tells of it
 *   harmless   the same state and answers, and verifying finds nothing
 *   cut        the last frame is gone, which nothing proved: the state and the answers before it
 *
 * Anything else is thrown: another state, other answers, an untyped error, a refusal that touched a file.
 */
import {digestOf} from '@allocdb/core';
import {isOpenError, type OpenErrorCode, type SingleNodeEngine, verifyDirectory} from '@allocdb/node';
import type {SimDisk} from '@allocdb/wal/testing';
import {DIR, filesOf, holdSameBytes, openOn, type RotDirectory, type Said, saidBy} from './rot_directory.ts';

export type Verdict = 'refused' | 'set_aside' | 'unneeded' | 'harmless' | 'cut';

/** A damaged disk must not be taken for a system that refuses calls, nor for a bad configuration or a busy directory. */
const REFUSALS: ReadonlySet<OpenErrorCode> = new Set<OpenErrorCode>([
  'missing_config',
  'corrupt_config',
  'unsupported_version',
  'corrupt_snapshot',
  'missing_log',
  'corrupt_log',
  'rewound_slot',
  'undecodable_command',
  'digest_mismatch',
  'invariant_violation',
]);

/** Which bytes of which file were damaged. */
export interface Place {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** Judges a disk, which is not changed; `goesOn` also writes one more command, and opens again. */
export function judge(directory: RotDirectory, disk: SimDisk, place: Place, goesOn: boolean): Verdict {
  const isTold = tells(disk);
  const opened = disk.fork();
  let engine: SingleNodeEngine;
  try {
    engine = openOn(opened);
  } catch (error) {
    if (!isOpenError(error) || !REFUSALS.has(error.code)) throw error;
    if (!holdSameBytes(opened, disk)) throw new Error(`${error.code}, and a file was changed`);
    if (!isTold) throw new Error(`${error.code}, and verifying found nothing`);
    return 'refused';
  }
  const {unproven} = directory;
  const mayCut = unproven !== null && place.path === unproven.path && overlap(place, unproven);
  const said = saidBy(engine, directory.asks);
  if (mayCut && same(said, unproven.said)) return 'cut';
  if (!same(said, directory.said))
    throw new Error(`it opened and says something else: ${differenceOf(directory.said, said)}`);
  if (goesOn) checkGoesOn(directory, engine, opened);
  const isSetAside = filesOf(opened).some(path => path.endsWith('.rotten'));
  if (isSetAside && !isTold) throw new Error('a snapshot was set aside, and verifying found nothing');
  if (isSetAside) return 'set_aside';
  return isTold ? 'unneeded' : 'harmless';
}

/** Whether verifying finds a problem; it changes nothing. */
function tells(disk: SimDisk): boolean {
  const fork = disk.fork();
  let isTold: boolean;
  try {
    isTold = verifyDirectory(DIR, fork).problems.length > 0;
  } catch (error) {
    if (!isOpenError(error) || !REFUSALS.has(error.code)) throw error;
    isTold = true;
  }
  if (!holdSameBytes(fork, disk)) throw new Error('verifying changed a file');
  return isTold;
}

function checkGoesOn(directory: RotDirectory, engine: SingleNodeEngine, disk: SimDisk): void {
  const answer = Buffer.from(engine.handleApiBytes(directory.next)).toString('hex');
  if (answer !== directory.nextAnswer) throw new Error(`the next command was answered ${answer}`);
  engine.closeNow();
  const again = openOn(disk);
  if (digestOf(again.db) !== directory.nextDigest) throw new Error('opened once more it has another state');
  again.closeNow();
}

function overlap(one: Place, other: {readonly start: number; readonly end: number}): boolean {
  return one.start < other.end && other.start < one.end;
}

function same(one: Said, other: Said): boolean {
  return one.digest === other.digest && one.lsn === other.lsn && one.answers.join() === other.answers.join();
}

function differenceOf(expected: Said, actual: Said): string {
  if (expected.lsn !== actual.lsn) return `lsn ${actual.lsn} instead of ${expected.lsn}`;
  const index = expected.answers.findIndex((answer, at) => answer !== actual.answers[at]);
  if (index >= 0) return `answer ${index} is ${actual.answers[index]} instead of ${expected.answers[index]}`;
  return `digest ${actual.digest} instead of ${expected.digest}`;
}
