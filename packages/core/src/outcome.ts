/**
 * What applying a command yields, as a record that is reused for every command: apply fills it, the engine reads it and
 * encodes the answer. Only a granted reservation carries an id and a deadline; the id is the shard and the applied lsn.
 */
import type {ResultCode} from './result.ts';
import {RESULT} from './result.ts';

export class Outcome {
  code: ResultCode = RESULT.OK;
  /** True for the answer of a successful reserve or reserve_bundle. */
  granted: boolean = false;
  /** True when the answer is that of an earlier request with the same operation id. */
  fromRetryCache: boolean = false;
  appliedLsnLo: number = 0;
  appliedLsnHi: number = 0;
  /** Meaningful when granted. */
  deadlineLo: number = 0;
  deadlineHi: number = 0;
}
