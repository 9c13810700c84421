/**
 * Runs one command line, of a shell or of the repl, in a session: builds the commands, parses, runs the one that was
 * named, and turns whatever comes of it into an exit code. Each run builds its commands anew, so that no value of one line
 * is left for the next.
 *
 * Wrong usage names the flag and exits 64. `--json` may stand anywhere before a `--`.
 */
import {readFileSync} from 'node:fs';
import {Command} from 'commander';
import {EXIT} from './exit.ts';
import {isClosedPipe} from './output.ts';
import {report} from './report.ts';
import type {Session} from './session.ts';

/** Adds a command to the program; each file of commands/ has one. */
export type Register = (program: Command, session: Session) => void;

/** The version in this package's manifest, which lies beside both `src` and `dist`. */
function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return String((manifest as {version?: unknown}).version);
}

/** The usage of a command where no program's name stands before it. */
function bareUsage(command: Command): string {
  return command.parent === null ? command.usage() : `${command.name()} ${command.usage()}`;
}

/** The command tree. */
export function buildProgram(session: Session, commands: readonly Register[]): Command {
  const {output, invocation} = session;
  const program = new Command(invocation.trim())
    .description('A durable database that hands out scarce things exactly once.')
    .exitOverride()
    .configureOutput({
      writeOut: text => output.stdout.write(text),
      writeErr: text => (output.json ? undefined : output.stderr.write(text)),
      outputError: () => undefined,
    })
    .configureHelp({showGlobalOptions: true, helpWidth: 120, ...(invocation === '' ? {commandUsage: bareUsage} : {})})
    .option('--json', 'print answers and failures as JSON, one object a line');
  if (!session.isConnected) program.version(ownVersion(), '--version');
  for (const register of commands) register(program, session);
  return program;
}

/** Runs a command line and returns its exit code. Never throws. */
export async function run(words: readonly string[], session: Session, commands: readonly Register[]): Promise<number> {
  const {output} = session;
  session.words = words;
  const ownEnd = words.indexOf('--');
  output.json = session.json || (ownEnd < 0 ? words : words.slice(0, ownEnd)).includes('--json');
  try {
    await buildProgram(session, commands).parseAsync([...words], {from: 'user'});
    return session.exitCode;
  } catch (error) {
    return report(error, session);
  } finally {
    await session.close();
  }
}

/**
 * Keeps streams that cannot be written from ending the process with a stack trace. Who writes answers learns of it by
 * himself; what is written past him fails the process, unless nobody reads any more.
 */
export function tolerateClosedPipes(...streams: readonly NodeJS.WriteStream[]): void {
  let hasFailed = false;
  for (const stream of streams) {
    stream.on('error', error => {
      if (!isClosedPipe(error)) hasFailed = true;
    });
  }
  process.once('exit', () => {
    if (hasFailed) process.exitCode ||= EXIT.FAILURE;
  });
}

/** Adds examples to the help of a command: at least two, each the words behind the program's name. */
export function addExamples(command: Command, session: Session, examples: readonly string[]): void {
  const lines = examples.map(example => `  $ ${session.invocation}${example}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
