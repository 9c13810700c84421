/**
 * Files that flags name: read whole, and refused in one message that names the flag and the file. What is in them is for
 * whoever asked to say.
 */
import {readFileSync} from 'node:fs';
import {EXIT, fail} from './exit.ts';

/** Reads a file that a flag names; ends the command when it cannot be read. */
export function readText(file: string, flag: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return fail(EXIT.FAILURE, `${flag} ${file} cannot be read: ${(error as Error).message}`);
  }
}
