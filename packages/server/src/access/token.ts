/**
 * Bearer tokens: how they are made, and the only form in which a server knows them.
 *
 * A token is 256 random bits, not something that a person has thought up. Nobody can go through 2^256 of them, however
 * fast the hash is, so one SHA-256 is as good here as a slow password hash, and a flood of hellos cannot use it to keep
 * the processor busy. That would not hold for passwords: tokens are to be made here.
 */
import {createHash, randomBytes} from 'node:crypto';
import type {Role} from './roles.ts';
import {isEntryName} from './token_file.ts';

const TOKEN_BYTES = 32;
/** Lets a scanner for leaked secrets find one. */
const PREFIX = 'allocdb_';

/** A token that exists nowhere else yet. */
export interface NewToken {
  /** For the client. It is not kept anywhere and cannot be found from the line. */
  readonly token: string;
  /** The line for the token file. Throws RangeError for a name that the file does not take. */
  hashLine(name: string, role: Role): string;
}

/** Makes a token. */
export function generateToken(): NewToken {
  const token = PREFIX + randomBytes(TOKEN_BYTES).toString('base64url');
  return {
    token,
    hashLine: (name, role) => {
      if (!isEntryName(name)) throw new RangeError('a name has 1 to 64 letters, digits, dots, dashes or underscores');
      return `${name} ${role} sha256:${hashOf(token).toString('hex')}`;
    },
  };
}

/** What is compared, and what a token file holds. Text is taken as UTF-8. */
export function hashOf(secret: string | Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}
