/**
 * How the texts of settings are read, beside the parsers that all arguments share (arguments.ts). Each takes the text and
 * throws commander's InvalidArgumentError with what it must be, from wherever the text comes.
 */
import {type ListenAddress, ROLES, type Role, roleNamed} from '@allocdb/server';
import {InvalidArgumentError} from 'commander';
import {listenAddress, size} from './arguments.ts';

/** A file or directory. That it is there is seen when it is used. */
export function path(text: string): string {
  if (text.trim() === '' || text.includes('\0')) throw new InvalidArgumentError('must be a path.');
  return text;
}

/** A file of tokens. Whoever writes a token itself where everybody can see it should learn of it here. */
export function tokenPath(text: string): string {
  if (/^allocdb_[\w-]{43}$/.test(text)) throw new InvalidArgumentError('must be a file with tokens, and is a token.');
  return path(text);
}

/** One of several words. */
export function choice<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return text => {
    const found = words.find(word => word === text);
    if (found === undefined) throw new InvalidArgumentError(`must be one of ${words.join(', ')}.`);
    return found;
  };
}

/** One word for yes and one for no. */
export function yesOrNo(yes: string, no: string): (text: string) => boolean {
  const read = choice([yes, no]);
  return text => read(text) === yes;
}

/** An address to listen on, or null for `off`. */
export function listenOrOff(text: string): ListenAddress | null {
  return text === 'off' ? null : listenAddress(text);
}

/** A role, or `none`. */
export function roleOrNone(text: string): Role | 'none' {
  if (text === 'none') return text;
  const role = roleNamed(text);
  if (role === null) throw new InvalidArgumentError(`must be one of ${[...ROLES, 'none'].join(', ')}.`);
  return role;
}

/** A size between two others, which are texts too. */
export function sizeBetween(least: string, most: string): (text: string) => number {
  const [from, to] = [size(least), size(most)];
  return text => {
    const bytes = size(text);
    if (bytes < from || bytes > to) throw new InvalidArgumentError(`must be from ${least} to ${most}.`);
    return bytes;
  };
}
