/**
 * What somebody may do, as one of three roles, each of which includes those before it: `read` looks, `write` takes and
 * gives back, `operate` overrules others. Which request needs which role is in rules.ts.
 */

/** Least first. */
export const ROLES = ['read', 'write', 'operate'] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/** True when who has the role `held` may do what needs `needed`. */
export function includesRole(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}

/** The role of this name, null when there is none. */
export function roleNamed(name: string): Role | null {
  return ROLES.find(role => role === name) ?? null;
}

/**
 * What is safe to let everybody do who connects without a credential: everything on a loopback address, which only this
 * machine reaches; nothing (null) on any other, because nobody should have a database on the network by forgetting a flag.
 */
export function defaultAnonymousRole(host: string): Role | null {
  const isLoopback = host === 'localhost' || host === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/i.test(host);
  return isLoopback ? 'operate' : null;
}
