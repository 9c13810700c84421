/**
 * The completion script for fish: one `complete` line for each command and each flag. Files are offered only where a flag
 * or an argument is one.
 */
import type {CommandTree, CompletedFlag, Value} from './tree.ts';

/** The script. */
export function fishCompletion({name, flags, commands}: CommandTree): string {
  const lines = [
    `# fish completion of ${name}, made by \`${name} completion fish\`.`,
    `# Use: ${name} completion fish > ~/.config/fish/completions/${name}.fish`,
    `complete -c ${name} -f`,
    ...flags.map(flag => `complete -c ${name} ${flagOptions(flag)}`),
  ];
  for (const command of commands) {
    lines.push(`complete -c ${name} -n __fish_use_subcommand -a ${command.name} -d ${quoted(command.description)}`);
    const within = `complete -c ${name} -n '__fish_seen_subcommand_from ${command.name}'`;
    for (const flag of command.flags) lines.push(`${within} ${flagOptions(flag)}`);
    const offered = command.argument === null ? '' : offer(command.argument);
    if (offered !== '') lines.push(`${within} ${offered}`);
  }
  return `${lines.join('\n')}\n`;
}

function flagOptions({flag, description, value}: CompletedFlag): string {
  const named = `-l ${flag.replace(/^--/, '')} -d ${quoted(description)}`;
  if (value === null) return named;
  return value.kind === 'any' ? `${named} -x` : `${named} -r ${offer(value)}`;
}

function offer(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '-F';
    case 'directory':
      return "-a '(__fish_complete_directories)'";
    case 'choice':
      return `-a ${quoted(value.choices.join(' '))}`;
    default:
      return '';
  }
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
