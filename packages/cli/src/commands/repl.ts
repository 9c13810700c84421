/**
 * `allocdb repl`: the online commands, line by line, on one connection. Lines are parsed by the same parsers as the command
 * line, so what works in one works in the other.
 *
 * On a terminal there are a history, completion and a prompt; ^C aborts the call and not the repl, ^D ends it. From a pipe
 * it runs one line after the other and ends with the exit code of the last one that failed.
 */
import type {Command} from 'commander';
import {commandTree} from '../completion/tree.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {ONLINE_COMMANDS} from '../online_commands.ts';
import {addExamples, buildProgram} from '../program.ts';
import {HistoryFile, historyPath} from '../repl/history_file.ts';
import {LineRunner} from '../repl/line_runner.ts';
import {runPiped} from '../repl/piped.ts';
import {runTerminal} from '../repl/terminal.ts';
import type {Session} from '../session.ts';

export function register(program: Command, session: Session): void {
  const command = program
    .command('repl')
    .description('ask a server line by line, on one connection')
    .action((flags: ConnectionFlags) => repl(session, flags));
  withConnection(command, session.isConnected);
  addExamples(command, session, [
    'repl',
    'repl --url allocdb://10.0.0.5:7433 --token-file token',
    'repl --json < commands.txt > answers.jsonl',
  ]);
}

async function repl(session: Session, flags: ConnectionFlags): Promise<void> {
  const {output, interrupt} = session;
  const client = await session.connect(flags);
  const runner = new LineRunner(client, output);
  if (!process.stdin.isTTY || !output.stderr.isTTY) {
    session.exitCode = await runPiped(runner, process.stdin, interrupt);
    return;
  }
  const {address} = client.status;
  output.note(`${address}; help shows the commands, tab completes, ^C ends a call, ^D ends all`);
  const history = new HistoryFile(historyPath());
  const tree = commandTree(buildProgram(runner.sessionOf(interrupt), ONLINE_COMMANDS));
  await runTerminal({runner, input: process.stdin, screen: output.stderr, tree, history, interrupt});
  if (history.problem !== null) output.note(`the history is not kept: ${history.problem}`);
}
