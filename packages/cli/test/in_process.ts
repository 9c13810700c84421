/**
 * Commands in the test's own process: the same parsers, actions and output as those of the built command, without the
 * second or two that a process takes to start on a busy machine. What only a process has (signals, pipes, a terminal, the
 * environment) is tested with the built one (command.ts).
 */

import {PassThrough} from 'node:stream';
import {text} from 'node:stream/consumers';
import {ALL_COMMANDS} from '../src/all_commands.ts';
import {Output} from '../src/output.ts';
import {run} from '../src/program.ts';
import {Session} from '../src/session.ts';
import type {Result} from './command.ts';

/** A session that nothing interrupts, on streams of the test. */
export function sessionOn(stdout: PassThrough, stderr: PassThrough): Session {
  const interrupt = {signal: new AbortController().signal};
  return new Session({output: new Output(stdout, stderr), interrupt, client: null, invocation: 'allocdb '});
}

/** Runs a command to its end. */
export async function runHere(words: readonly string[]): Promise<Result> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await run(words, sessionOn(stdout, stderr), ALL_COMMANDS);
  stdout.end();
  stderr.end();
  const [out, err] = await said;
  return {code, stdout: out, stderr: err};
}
