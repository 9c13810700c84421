/**
 * Opening a link as a promise: it resolves when the handshake is complete, or rejects with the AllocDbError that says
 * why not. Nothing was sent to the database before that, so such a failure is always definite.
 */
import {type AbortSignalLike, AllocDbError, definiteFailure, type Welcome} from '@allocdb/api';
import {addressText} from './address.ts';
import {Link, type LinkEnd, type LinkOptions} from './link.ts';
import type {ResponseSink} from './response_queue.ts';

/** Whoever owns an open link hears of its end. */
export interface LinkOwner {
  onEnd(end: LinkEnd, unanswered: readonly ResponseSink[]): void;
}

/** The end of a connection as an error that concerns no command. */
export function connectionFailure(end: LinkEnd): AllocDbError {
  const options = end.cause === undefined ? {} : {cause: end.cause};
  return new AllocDbError(definiteFailure(end.code), end.text, options);
}

/**
 * Opens a link; `signal` counts until it is open. `own` makes its owner in the very moment of opening, because the end
 * may stand in the same chunk as the welcome.
 */
export function openLink<Owner extends LinkOwner>(
  options: LinkOptions,
  signal: AbortSignalLike | null,
  own: (link: Link, welcome: Welcome) => Owner,
): Promise<Owner> {
  return new Promise((resolve, reject) => {
    let owner: Owner | null = null;
    const abort = (): void => link.end('aborted', 'the signal fired while connecting', signal?.reason);
    const settle = (): void => signal?.removeEventListener('abort', abort);
    const link: Link = new Link(options, {
      onOpen: welcome => {
        settle();
        owner = own(link, welcome);
        resolve(owner);
      },
      onEnd: (end, unanswered) => {
        settle();
        if (owner === null) reject(connectionFailure({...end, text: `${addressText(options.address)}: ${end.text}`}));
        else owner.onEnd(end, unanswered);
      },
    });
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort);
  });
}
