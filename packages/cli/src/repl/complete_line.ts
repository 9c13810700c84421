/**
 * Tab completion of a line of the repl: the command, its flags, what a flag may be, and the ids that this session has
 * seen, in what was typed and in what was printed. Pure but for what it has seen.
 */
import type {CommandTree, CompletedFlag} from '../completion/tree.ts';

const ID = /\b[0-9a-f]{32}\b/g;
const NAME = /(?<!\S)name:[\w.:/-]+/g;
const SEEN_MAX = 1000;

/** Ids and names, the last one last. */
export class SeenIds {
  readonly #ids: Set<string> = new Set();

  /** Takes what stands in a line. */
  note(line: string): void {
    for (const [id] of [...line.matchAll(ID), ...line.matchAll(NAME)]) {
      this.#ids.delete(id);
      this.#ids.add(id);
    }
    for (const id of this.#ids) {
      if (this.#ids.size <= SEEN_MAX) break;
      this.#ids.delete(id);
    }
  }

  /** The newest first. */
  get all(): string[] {
    return [...this.#ids].reverse();
  }
}

/** What the word at the end of the line may become, and that word. */
export function completeLine(line: string, tree: CommandTree, seen: SeenIds): [string[], string] {
  const words = line.split(/\s+/).filter((word, i, all) => word !== '' || i === all.length - 1);
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  return [candidates(before, current, tree, seen).filter(each => each.startsWith(current)), current];
}

function candidates(before: readonly string[], current: string, tree: CommandTree, seen: SeenIds): readonly string[] {
  const command = tree.commands.find(({name}) => before.includes(name));
  if (command === undefined) return [...tree.commands.map(({name}) => name), ...tree.flags.map(({flag}) => flag)];
  const previous = command.flags.find(({flag}) => flag === before.at(-1));
  const value = previous?.value ?? null;
  if (value?.kind === 'choice') return value.choices;
  if (value === null && current.startsWith('-')) return namesOf([...command.flags, ...tree.flags]);
  if (value === null && command.argument?.kind === 'choice') return command.argument.choices;
  return seen.all;
}

function namesOf(flags: readonly CompletedFlag[]): string[] {
  return flags.map(({flag}) => flag);
}
