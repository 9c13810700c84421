/**
 * `allocdb completion`: prints a script that teaches a shell to complete this command line, made from the commands as they
 * are in this version.
 */
import {Argument, type Command} from 'commander';
import {bashCompletion} from '../completion/bash.ts';
import {fishCompletion} from '../completion/fish.ts';
import {type CommandTree, commandTree} from '../completion/tree.ts';
import {zshCompletion} from '../completion/zsh.ts';
import {addExamples} from '../program.ts';
import type {Session} from '../session.ts';

const SCRIPTS: Readonly<Record<string, (tree: CommandTree) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function register(program: Command, session: Session): void {
  const command = program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .action(async (shell: string) => {
      const script = SCRIPTS[shell]?.(commandTree(program)).trimEnd() ?? '';
      await session.output.line({shell, script}, script);
    });
  addExamples(command, session, [
    'completion bash > ~/.local/share/bash-completion/completions/allocdb',
    'completion zsh > ~/.zsh/completions/_allocdb',
    'completion fish > ~/.config/fish/completions/allocdb.fish',
  ]);
}
