/**
 * A change feed as the facade wants it: pieces of unprefixed frames, until the engine closes, the feed is given up, or a
 * signal fires, whose reason is thrown.
 */
import {type AbortSignalLike, leavable} from '@allocdb/api';
import {LENGTH_BYTES} from './answer_buffer.ts';
import type {ChangeFeed} from './change_feed.ts';

/** Reads a feed to its end and closes it, however the iteration ends; `return()` ends a step that waits. */
export function framesOf(
  feed: ChangeFeed,
  signal: AbortSignalLike | null,
): AsyncGenerator<readonly Uint8Array[], void> {
  return leavable(
    read(() => feed, signal),
    () => feed.close(),
  );
}

/** As `framesOf`, of a feed that is opened when the first step is asked for, which throws what `open` throws. */
export function framesFrom(
  open: () => ChangeFeed,
  signal: AbortSignalLike | null,
): AsyncGenerator<readonly Uint8Array[], void> {
  let feed: ChangeFeed | null = null;
  const opened = (): ChangeFeed => {
    feed = open();
    return feed;
  };
  return leavable(read(opened, signal), () => feed?.close());
}

async function* read(
  open: () => ChangeFeed,
  signal: AbortSignalLike | null,
): AsyncGenerator<readonly Uint8Array[], void> {
  const feed = open();
  const close = (): void => feed.close();
  signal?.addEventListener('abort', close);
  if (signal?.aborted) close();
  try {
    for (let chunk = await feed.next(); chunk !== null; chunk = await feed.next()) yield split(chunk);
    if (signal?.aborted) throw signal.reason;
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
}

function split(chunk: Uint8Array): Uint8Array[] {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < chunk.length; ) {
    const begin = at + LENGTH_BYTES;
    at = begin + view.getUint32(at, true);
    frames.push(chunk.subarray(begin, at));
  }
  return frames;
}
