/**
 * The commands that ask a server, in the order in which help shows them: those that the repl has too. They need the client
 * alone, and neither engine nor server, which take longer to load than most of them to run.
 */
import {register as confirm} from './commands/confirm.ts';
import {register as create} from './commands/create.ts';
import {register as get} from './commands/get.ts';
import {register as list} from './commands/list.ts';
import {register as reclaim} from './commands/reclaim.ts';
import {register as release} from './commands/release.ts';
import {register as reserve} from './commands/reserve.ts';
import {register as revoke} from './commands/revoke.ts';
import {register as watch} from './commands/watch.ts';
import type {Register} from './program.ts';

const BY_NAME: Readonly<Record<string, Register>> = {
  create,
  reserve,
  confirm,
  release,
  revoke,
  reclaim,
  get,
  list,
  watch,
};

export const ONLINE_COMMANDS: readonly Register[] = Object.values(BY_NAME);

/** True for a command line that runs one of them: its first word that is no flag is the command. */
export function isOnline(words: readonly string[]): boolean {
  return Object.hasOwn(BY_NAME, words.find(word => !word.startsWith('-')) ?? '');
}
