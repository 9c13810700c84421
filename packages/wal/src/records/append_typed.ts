/**
 * Typed records on their way into a log.
 *
 * Invariant: a value that cannot be stored is refused before the log is asked, so a refusal takes no lsn. Nothing here
 * is durable before the next commit of the log.
 */

import {isWalError} from '../errors.ts';
import type {Wal} from '../wal.ts';
import type {RecordInput} from '../write/record_input.ts';
import {encodePayload, type RecordType} from './record_type.ts';

/** Encodes and appends one value; returns its lsn. Throws `too_large`, `RangeError`, and what `appendRecord` throws. */
export function appendTyped<T>(
  wal: Wal,
  type: RecordType<T>,
  value: T,
  options: Pick<RecordInput, 'stamp' | 'scope'> = {},
): bigint {
  return wal.appendRecord({...options, type: type.id, required: type.required, payload: encodePayload(type, value)});
}

/**
 * Runs one append, and as long as it is refused with `frame_full` or `pending_full` commits what is there and runs it
 * again. What was appended before may be durable when this resolves; what it appends itself is after the next commit.
 */
export async function whenRoom<T>(wal: Wal, append: () => T): Promise<T> {
  for (;;) {
    try {
      return append();
    } catch (error) {
      if (!isWalError(error) || (error.code !== 'frame_full' && error.code !== 'pending_full')) throw error;
    }
    await wal.commit();
  }
}
