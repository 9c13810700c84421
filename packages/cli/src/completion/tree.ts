/**
 * What a shell, or the repl, needs to know of the commands to complete a line: names, flags, and what a value may be. Read
 * off the command tree itself, so that nothing has to be kept in step by hand.
 */
import type {Argument, Command, Option} from 'commander';

/** What stands for a value. */
export type Value =
  | {readonly kind: 'any'}
  | {readonly kind: 'file'}
  | {readonly kind: 'directory'}
  | {readonly kind: 'choice'; readonly choices: readonly string[]};

export interface CompletedFlag {
  /** With its dashes. */
  readonly flag: string;
  readonly description: string;
  /** Null where it takes none. */
  readonly value: Value | null;
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly CompletedFlag[];
  /** Of its last argument where there are several or many; null where it takes none. */
  readonly argument: Value | null;
}

/** The commands of a program, and the flags that all of them have. */
export interface CommandTree {
  readonly name: string;
  readonly flags: readonly CompletedFlag[];
  readonly commands: readonly CompletedCommand[];
}

/** Reads the tree of a program. */
export function commandTree(program: Command): CommandTree {
  const names = program.commands.map(command => command.name());
  const help: CompletedCommand = {
    name: 'help',
    description: 'show the usage of a command',
    flags: [],
    argument: {kind: 'choice', choices: names},
  };
  return {
    name: program.name(),
    flags: [...program.options.map(flagOf), HELP],
    commands: [...program.commands.map(commandOf), help],
  };
}

const HELP: CompletedFlag = {flag: '--help', description: 'show the usage', value: null};

function commandOf(command: Command): CompletedCommand {
  const last = command.registeredArguments.at(-1);
  return {
    name: command.name(),
    description: command.description(),
    flags: command.options.filter(({hidden}) => !hidden).map(flagOf),
    argument: last === undefined ? null : valueNamed(last.name(), last),
  };
}

function flagOf(option: Option): CompletedFlag {
  const name = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
  return {
    flag: option.long ?? option.flags,
    description: option.description,
    value: name === undefined ? null : valueNamed(name, option),
  };
}

function valueNamed(name: string, {argChoices: choices}: Pick<Option | Argument, 'argChoices'>): Value {
  if (choices !== undefined) return {kind: 'choice', choices};
  if (name === 'file') return {kind: 'file'};
  return name === 'dir' || name === 'target' ? {kind: 'directory'} : {kind: 'any'};
}
