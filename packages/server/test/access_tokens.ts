/**
 * Token files of tests: who is in them is said by name, role and what follows, and each has a token of its own.
 */
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {generateToken, type Role} from '../src/index.ts';
import {tempDir} from './command.ts';

/** Somebody in a token file. */
export interface Holder {
  readonly name: string;
  readonly role: Role;
  /** What stands behind the hash. */
  readonly options?: string;
}

/** A token file, and the token of everybody in it. */
export class TokenFile {
  readonly path: string = join(tempDir(), 'tokens');
  readonly #tokens: Map<string, {readonly token: string; readonly line: string}> = new Map();

  constructor(...holders: readonly Holder[]) {
    this.write(...holders);
  }

  /** Replaces what is in the file; who was in it before keeps their token. */
  write(...holders: readonly Holder[]): void {
    const lines = holders.map(({name, role, options = ''}) => {
      const made = this.#tokens.get(name) ?? this.#make(name);
      return `${made.line.replace('ROLE', role)} ${options}\n`;
    });
    writeFileSync(this.path, lines.join(''));
  }

  /** The token of somebody who is, or was, in the file. */
  tokenOf(name: string): string {
    return this.#tokens.get(name)?.token ?? '';
  }

  /** Every token and every hash there has ever been: what nothing may show. */
  secrets(): string[] {
    return [...this.#tokens.values()].flatMap(({token, line}) => [token, line.replace(/^.*sha256:/, '')]);
  }

  #make(name: string): {token: string; line: string} {
    const {token, hashLine} = generateToken();
    const made = {token, line: hashLine(name, 'read').replace(' read ', ' ROLE ')};
    this.#tokens.set(name, made);
    return made;
  }
}
