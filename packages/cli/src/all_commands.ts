/**
 * All commands, in the order in which help shows them. A new one is a file in commands/ and a line here, or, when it asks a
 * server and needs nothing but the client, in online_commands.ts.
 */
import {register as api} from './commands/api.ts';
import {register as backup} from './commands/backup.ts';
import {register as completion} from './commands/completion.ts';
import {register as doctor} from './commands/doctor.ts';
import {register as init} from './commands/init.ts';
import {register as inspect} from './commands/inspect.ts';
import {register as plan} from './commands/plan.ts';
import {register as reconfigure} from './commands/reconfigure.ts';
import {register as repl} from './commands/repl.ts';
import {register as replay} from './commands/replay.ts';
import {register as restore} from './commands/restore.ts';
import {register as serve} from './commands/serve.ts';
import {register as token} from './commands/token.ts';
import {register as verify} from './commands/verify.ts';
import {register as why} from './commands/why.ts';
import {ONLINE_COMMANDS} from './online_commands.ts';
import type {Register} from './program.ts';

export const ALL_COMMANDS: readonly Register[] = [
  plan,
  doctor,
  init,
  serve,
  token,
  ...ONLINE_COMMANDS,
  repl,
  why,
  backup,
  restore,
  reconfigure,
  verify,
  replay,
  inspect,
  api,
  completion,
];
