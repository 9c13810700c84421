/**
 * The body of a change feed over HTTP: server-sent events, for as long as client, feed and port live. Changes are asked for
 * when what was written has left, so a slow client costs a chunk; one that reads nothing is ended by the limit on answers
 * that do not move. While nothing happens a comment is sent now and then, so that both sides notice a dead connection.
 */
import {once} from 'node:events';
import {PassThrough} from 'node:stream';
import {decodeChange, isAllocDbError} from '@allocdb/api';
import {type ChangeFeed, framesOf} from '@allocdb/node';
import {changeJson, eventText} from './change_json.ts';
import {problemOfFailure} from './failures.ts';
import type {Problem} from './problem.ts';

/** Well below the shortest time after which proxies end what does not move. */
const HEARTBEAT_MS = 15_000;

/** Reason of a signal that ends a stream for a problem, of which its reader is told. */
export class StreamEnd extends Error {
  override readonly name: string = 'StreamEnd';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** A stream of events that ends with the feed, or when the signal fires; what ends it early is its last event. */
export function changeStream(feed: ChangeFeed, signal: AbortSignal): PassThrough {
  const stream = new PassThrough();
  stream.write(': every change in order\n\n');
  const heartbeat = setInterval(
    () => stream.writable && stream.writableLength === 0 && stream.write(':\n\n'),
    HEARTBEAT_MS,
  );
  stream.once('close', () => {
    clearInterval(heartbeat);
    feed.close();
  });
  void pump(feed, signal, stream);
  return stream;
}

async function pump(feed: ChangeFeed, signal: AbortSignal, stream: PassThrough): Promise<void> {
  try {
    for await (const frames of framesOf(feed, signal)) {
      for (const frame of frames) {
        const change = decodeChange(frame);
        if (!stream.write(eventText('change', changeJson(change), change.lsn))) await once(stream, 'drain', {signal});
      }
    }
  } catch (error) {
    if (stream.destroyed) return;
    const problem = problemOfEnd(error, signal);
    if (problem !== null) stream.write(eventText('end', {...problem}));
    else if (!signal.aborted) stream.destroy(error as Error);
  }
  stream.end();
}

/** What the reader is told of the end; null where there is nothing to tell. */
function problemOfEnd(error: unknown, {reason}: AbortSignal): Problem | null {
  if (reason instanceof StreamEnd) return reason.problem;
  return isAllocDbError(error) ? problemOfFailure(error, {}) : null;
}
