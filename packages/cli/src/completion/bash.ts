/**
 * The completion script for bash, version 4 or later. It completes commands, then the flags of the command and what a flag
 * takes. It calls no program but those that bash has built in.
 */
import type {CommandTree, CompletedCommand, Value} from './tree.ts';

/** The script. */
export function bashCompletion({name, flags, commands}: CommandTree): string {
  const all = flags.map(({flag}) => flag);
  const names = commands.map(command => command.name);
  const values = commands.flatMap(command =>
    command.flags.flatMap(({flag, value}) =>
      value === null ? [] : [`${`${command.name}:${flag}`}) ${fill(value)} ;;`],
    ),
  );
  const cases = commands.map(command => `${command.name}) flags=${quoted(ownFlags(command).concat(all))} ;;`);
  const rest = commands.flatMap(({name: command, argument}) =>
    argument === null || argument.kind === 'any' ? [] : [`${command}) ${fill(argument)} ;;`],
  );
  return `# bash completion of ${name}, made by \`${name} completion bash\`.
# Use: source <(${name} completion bash)
_${name}_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$2"))
}

_${name}_files() {
  local IFS=$'\\n'
  compopt -o filenames 2> /dev/null
  COMPREPLY=($(compgen "$1" -- "$2"))
}

_${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" command='' flags='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${names.join(' | ')}) command="\${COMP_WORDS[i]}" && break ;;
    esac
  done
  case "$command:$prev" in
    ${values.map(line => line.replace(/ ;;$/, '; return ;;')).join('\n    ')}
  esac
  case "$command" in
    '') _${name}_words ${quoted([...names, ...all])} "$cur"; return ;;
    ${cases.join('\n    ')}
  esac
  if [[ "$cur" == -* ]]; then
    _${name}_words "$flags" "$cur"
    return
  fi
  case "$command" in
    ${rest.join('\n    ')}
  esac
}

complete -F _${name} ${name}
`;

  function fill(value: Value): string {
    switch (value.kind) {
      case 'file':
        return `_${name}_files -f "$cur"`;
      case 'directory':
        return `_${name}_files -d "$cur"`;
      case 'choice':
        return `_${name}_words ${quoted(value.choices)} "$cur"`;
      default:
        return ':';
    }
  }
}

function ownFlags(command: CompletedCommand): string[] {
  return command.flags.map(({flag}) => flag);
}

function quoted(words: readonly string[]): string {
  return `'${words.join(' ')}'`;
}
