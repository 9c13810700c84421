/**
 * What the frames of one connection must pass, for what its principal may do and how fast. There is none for a principal
 * who may do everything without a bound: then a frame costs one comparison with null.
 */
import {ALLOWED, commandsIn, rankOf, refusedIn, refusedName} from './frame_access.ts';
import type {Principal} from './principal.ts';

export class FrameGate {
  readonly #principal: Principal;
  readonly #rank: number;

  /** The gate for a principal's frames, null when everything passes. */
  static of(principal: Principal): FrameGate | null {
    const isOpen = principal.role === 'operate' && principal.limiter.rate === null;
    return isOpen ? null : new FrameGate(principal);
  }

  private constructor(principal: Principal) {
    this.#principal = principal;
    this.#rank = rankOf(principal.role);
  }

  /** How many milliseconds the frame has to wait for the principal's rate; 0 when it was taken from it. */
  waitMs(view: DataView, offset: number, length: number): number {
    const {limiter} = this.#principal;
    return limiter.rate === null ? 0 : limiter.take(commandsIn(view, offset, length));
  }

  /** Why the frame is forbidden, null when it is not. */
  refusal(view: DataView, offset: number, length: number): string | null {
    const refused = refusedIn(this.#rank, view, offset, length);
    if (refused === ALLOWED) return null;
    const {name, role} = this.#principal;
    return `${name} has the role ${role}, which does not allow ${refusedName(refused)}`;
  }
}
