/**
 * The change feed of the facade: frames, as the transport brings them, become changes one by one. Whoever iterates sets
 * the pace; the transport fetches the next piece when this one is used up.
 */
import type {AbortSignalLike} from './answers.ts';
import {checkU64} from './bigint_lanes.ts';
import {type Change, decodeChange} from './change.ts';
import type {Transport} from './database.ts';
import {AllocDbError, definiteFailure} from './errors.ts';
import {leavable} from './leavable.ts';

/** Options of {@link Database.changes}. */
export interface ChangesOptions {
  /** The first lsn wanted, at least 1. Default: the first that becomes durable from now on. */
  from?: bigint | undefined;
  /** Ends the iteration, which throws its reason. */
  signal?: AbortSignalLike | undefined;
}

type Pieces = AsyncGenerator<readonly Uint8Array[], void>;

/** See {@link Database.changes}. */
export function changesOf(transport: Transport, options: ChangesOptions): AsyncGenerator<Change, void> {
  let pieces: Pieces | null = null;
  const open: Transport['feed'] = (from, signal) => {
    pieces = transport.feed(from, signal);
    return pieces;
  };
  return leavable(changesIn(open, options), () => pieces?.return());
}

async function* changesIn(open: Transport['feed'], options: ChangesOptions): AsyncGenerator<Change, void> {
  const {from, signal} = options;
  if (from !== undefined && checkU64(from, 'from') === 0n)
    throw new RangeError('from must be at least 1: lsns begin there');
  if (signal?.aborted) throw signal.reason;
  for await (const frames of open(from ?? null, signal ?? null)) {
    for (const frame of frames) {
      if (signal?.aborted) throw signal.reason;
      yield changeOf(frame);
    }
  }
}

function changeOf(frame: Uint8Array): Change {
  try {
    return decodeChange(frame);
  } catch (cause) {
    throw new AllocDbError(definiteFailure('protocol_error'), 'a malformed change', {cause});
  }
}
