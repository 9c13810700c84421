/**
 * One lsn of which it is known what happened there: a command with its outcome, from an answer or from the log, or an
 * expiration from the log. Facts come to the checks in order of lsn.
 */
import type {Command, ResultName} from '@allocdb/core';
import type {Expire} from './lifecycle.ts';

export interface Fact {
  readonly lsn: bigint;
  /** The slot at which it was applied, or a slot that is surely not earlier; null where none is known. */
  readonly slotAtMost: bigint | null;
  readonly command: Command | Expire;
  readonly result: ResultName;
  readonly reservationId: bigint | null;
  readonly deadlineSlot: bigint | null;
  /** The first line of the history that tells of it; 0 where only the log does. */
  readonly line: number;
}
