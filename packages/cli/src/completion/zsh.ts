/**
 * The completion script for zsh, for a file `_allocdb` in `fpath` or to be sourced. It uses `_arguments` and `_describe`
 * of zsh's own completion system and calls nothing else.
 */
import type {CommandTree, CompletedFlag, Value} from './tree.ts';

/** The script. */
export function zshCompletion({name, flags, commands}: CommandTree): string {
  const described = commands.map(command => `    ${quoted(`${command.name}:${command.description}`)}`);
  const cases = commands.map(command => {
    const specs = [...command.flags, ...flags].map(flagSpec);
    if (command.argument !== null) specs.push(quoted(`*:${command.name}:${action(command.argument)}`));
    return `        ${command.name})\n          _arguments ${specs.join(' \\\n            ')}\n          ;;`;
  });
  return `#compdef ${name}
# zsh completion of ${name}, made by \`${name} completion zsh\`.
# Use: ${name} completion zsh > "\${fpath[1]}/_${name}", or: source <(${name} completion zsh)
_${name}() {
  local curcontext="$curcontext" state line
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -C ${flags.map(flagSpec).join(' ')} '1:command:->command' '*::argument:->argument'
  case "$state" in
    command)
      _describe command commands
      ;;
    argument)
      case "\${line[1]}" in
${cases.join('\n')}
      esac
      ;;
  esac
}

if [ "\${funcstack[1]}" = _${name} ]; then
  _${name} "$@"
else
  compdef _${name} ${name}
fi
`;
}

function flagSpec({flag, description, value}: CompletedFlag): string {
  const explained = `${flag}[${description.replace(/[[\]\\]/g, '\\$&')}]`;
  return quoted(value === null ? explained : `${explained}:value:${action(value)}`);
}

function action(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    case 'choice':
      return `(${value.choices.join(' ')})`;
    default:
      return ' ';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
