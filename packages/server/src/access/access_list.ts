/**
 * Who is let in, and as whom: the entries of a token file, or one anonymous principal where there is no file. Read again
 * on request; who has lost or changed their entry then loses what they have open, and nobody else notices.
 *
 * A principal stays the same object for as long as its entry stays the same, over any number of reloads: rate and open
 * sessions go on. Not here: what a role may do (rules.ts), and when files are read again.
 */
import {timingSafeEqual} from 'node:crypto';
import {readFileSync} from 'node:fs';
import type {Log} from '../log.ts';
import {Principal} from './principal.ts';
import {RateLimiter} from './rate_limiter.ts';
import type {Role} from './roles.ts';
import {SettingError} from './setting_error.ts';
import {hashOf} from './token.ts';
import {type Entry, parseTokenFile} from './token_file.ts';

export interface AccessOptions {
  /** Null for anonymous access. */
  readonly tokenFile: string | null;
  /** What everybody may do without a token file; null for nothing. */
  readonly anonymousRole: Role | null;
  /** Most sessions of one principal at a time. */
  readonly sessionsMax: number;
  readonly log: Log;
  /** Milliseconds of UTC, by which entries expire. */
  readonly now?: () => number;
}

/** What somebody has shown. */
export interface Credentials {
  /** Empty when none was presented. Text is taken as UTF-8. */
  readonly token: string | Uint8Array;
  /** Of a certificate that was verified; null without one. */
  readonly commonName: string | null;
}

/** An entry with the principal that it stands for. */
interface Admission {
  readonly entry: Entry;
  readonly principal: Principal;
  /** SHA-256 of the token or of the common name: of one length, whatever is presented. */
  readonly digest: Buffer;
}

export class AccessList {
  readonly #options: AccessOptions;
  readonly #now: () => number;
  readonly #anonymous: Principal | null;
  #admissions: readonly Admission[];

  /** Reads the token file; throws SettingError with every line that is wrong. */
  static open(options: AccessOptions): AccessList {
    const {tokenFile} = options;
    const entries = tokenFile === null ? [] : readEntries(tokenFile);
    if (tokenFile !== null && entries.length === 0) throw new SettingError(`the token file ${tokenFile} has no entry`);
    return new AccessList(options, entries);
  }

  private constructor(options: AccessOptions, entries: readonly Entry[]) {
    this.#options = options;
    this.#now = options.now ?? (() => Date.now());
    this.#admissions = entries.map(entry => this.#admissionOf(entry));
    const {tokenFile, anonymousRole, sessionsMax, log} = options;
    const isOpen = tokenFile === null && anonymousRole !== null;
    this.#anonymous = isOpen ? new Principal('anonymous', anonymousRole, new RateLimiter(null), sessionsMax) : null;
    if (tokenFile !== null) log.info({event: 'access', entries: entries.length, tokenFile});
    else if (anonymousRole !== null) log.info({event: 'access', anonymousRole});
    else log.warn({event: 'access', anonymousRole, advice: 'nobody is let in without a token file'});
  }

  /** Whether everybody is let in who can reach the server. */
  get isOpen(): boolean {
    return this.#anonymous !== null;
  }

  /**
   * Who this is; null when it is nobody that is let in. A token that is presented decides alone; the certificate counts
   * when there is none.
   */
  authenticate({token, commonName}: Credentials): Principal | null {
    if (this.#options.tokenFile === null) return this.#anonymous;
    if (token.length > 0) return this.#find('token', token);
    return commonName === null ? null : this.#find('certificate', commonName);
  }

  /**
   * Reads the token file again; false, and the log says why, when it cannot be used and the entries stay as they were.
   * Sessions of entries that are gone or changed are ended. A file without entries is one from which all were revoked.
   */
  reload(): boolean {
    const {tokenFile, log} = this.#options;
    if (tokenFile === null) return true;
    let entries: readonly Entry[];
    try {
      entries = readEntries(tokenFile);
    } catch (error) {
      log.error({event: 'access_reload_failed', reason: (error as Error).message});
      return false;
    }
    const before = new Map(this.#admissions.map(admission => [keyOf(admission.entry), admission]));
    this.#admissions = entries.map(entry => {
      const key = keyOf(entry);
      const kept = before.get(key);
      before.delete(key);
      return kept ?? this.#admissionOf(entry);
    });
    let ended = 0;
    for (const {principal} of before.values()) ended += principal.endSessions('the access was changed or revoked');
    log.info({event: 'access_reloaded', entries: entries.length, ended});
    return true;
  }

  /** Ends the sessions of entries that have expired meanwhile; to be called every now and then. */
  endExpired(): void {
    for (const {entry, principal} of this.#admissions) {
      if (principal.sessionCount > 0 && this.#isExpired(entry)) principal.endSessions('the access has expired');
    }
  }

  /** Looks at every entry whatever it has found, so that the time tells nothing about which one it was, or nearly was. */
  #find(kind: Entry['proof']['kind'], secret: string | Uint8Array): Principal | null {
    const presented = hashOf(secret);
    let found: Admission | null = null;
    for (const admission of this.#admissions) {
      const isEqual = timingSafeEqual(presented, admission.digest);
      if (isEqual && admission.entry.proof.kind === kind) found = admission;
    }
    return found === null || this.#isExpired(found.entry) ? null : found.principal;
  }

  #isExpired({expiresAtMs}: Entry): boolean {
    return expiresAtMs !== null && this.#now() >= expiresAtMs;
  }

  #admissionOf(entry: Entry): Admission {
    const {name, role, rate, proof} = entry;
    const principal = new Principal(name, role, new RateLimiter(rate), this.#options.sessionsMax);
    return {entry, principal, digest: proof.kind === 'token' ? proof.sha256 : hashOf(proof.commonName)};
  }
}

/** Equal for equal entries. */
function keyOf({name, role, proof, rate, expiresAtMs}: Entry): string {
  const secret = proof.kind === 'token' ? proof.sha256.toString('hex') : proof.commonName;
  return JSON.stringify([name, role, proof.kind, secret, rate, expiresAtMs]);
}

function readEntries(file: string): readonly Entry[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingError(`the token file ${file} cannot be read: ${(error as Error).message}`, {cause: error});
  }
  const {entries, problems} = parseTokenFile(text);
  if (problems.length > 0) throw new SettingError(`the token file ${file} is wrong: ${problems.join('; ')}`);
  return entries;
}
