/**
 * Who a connection or a request acts for, once that was proven, and what is open in their name. Everything that is open is
 * counted here, over both ports, and is told here when the access ends.
 */
import type {RateLimiter} from './rate_limiter.ts';
import type {Role} from './roles.ts';

/** Something that stays open in a principal's name: a connection, a feed. */
export interface Session {
  /** The access has ended, for the reason in `text`: ends the session. Called once; the session is left already. */
  onAccessEnd(text: string): void;
}

export class Principal {
  /** From the token file; shown in logs. */
  readonly name: string;
  readonly role: Role;
  /** Shared by everything that acts for this principal. */
  readonly limiter: RateLimiter;
  /** Most sessions at a time. */
  readonly sessionsMax: number;
  readonly #sessions: Set<Session> = new Set();

  constructor(name: string, role: Role, limiter: RateLimiter, sessionsMax: number) {
    this.name = name;
    this.role = role;
    this.limiter = limiter;
    this.sessionsMax = sessionsMax;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Counts a session in; false, and it is not, when there are as many as allowed. */
  enter(session: Session): boolean {
    if (this.#sessions.size >= this.sessionsMax) return false;
    this.#sessions.add(session);
    return true;
  }

  /** Counts a session out; without effect when it is not in. */
  leave(session: Session): void {
    this.#sessions.delete(session);
  }

  /** Ends every session; answers how many there were. */
  endSessions(text: string): number {
    const sessions = [...this.#sessions];
    this.#sessions.clear();
    for (const session of sessions) session.onAccessEnd(text);
    return sessions.length;
  }
}
