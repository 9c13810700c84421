#!/usr/bin/env node
/**
 * The `allocdb` command: runs the command that the command line names. Answers go to stdout, everything else to stderr;
 * exit codes are those of exit.ts. Which commands there are is in all_commands.ts, what one does in its file in commands/.
 */
import {ProcessInterrupt} from './interrupt.ts';
import {isOnline, ONLINE_COMMANDS} from './online_commands.ts';
import {Output} from './output.ts';
import {run, tolerateClosedPipes} from './program.ts';
import {Session} from './session.ts';

const words = process.argv.slice(2);
const commands = isOnline(words) ? ONLINE_COMMANDS : (await import('./all_commands.ts')).ALL_COMMANDS;
const interrupt = new ProcessInterrupt();
const output = new Output(process.stdout, process.stderr);
const session = new Session({output, interrupt, client: null, invocation: 'allocdb '});
tolerateClosedPipes(process.stdout, process.stderr);
process.exitCode = await run(words, session, commands);
interrupt.dispose();
