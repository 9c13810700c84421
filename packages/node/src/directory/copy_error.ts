/**
 * What a failed copy is reported as: a full disk by its own code, refusals as they are, the rest as opening reports it.
 */
import {isOpenError, OpenError} from '../errors.ts';
import {openErrorOf} from '../storage/data_directory.ts';

const FULL: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'storage_full'];

/** Turns what writing `dir` threw into an OpenError; what is none of ours, as a signal's reason, passes. */
export function copyErrorOf(error: unknown, dir: string): unknown {
  if (isOpenError(error)) return error;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (!('code' in at) || !FULL.includes(at.code)) continue;
    return new OpenError('storage_full', `there is no room for ${dir}: what was written is removed again`, [], error);
  }
  return openErrorOf(error, dir);
}
