// What a mutation is: one change to one source file that breaks one promise, and the test that must notice. Lists of
// them lie beside this file; `mutate.ts` applies them one at a time. A mutation that no test can notice is kept in the
// list with the reason why it changes nothing that anybody could see.

export interface Mutation {
  readonly name: string;
  /** From the repository's root. */
  readonly file: string;
  /** Exact text that stands in the file once, or often enough for `occurrence`. */
  readonly find: string;
  readonly replace: string;
  /** Which of several places, counted from 1. Left out, there must be one only. */
  readonly occurrence?: number;
  readonly killedBy: Killer | null;
  /** Why nothing can notice it; given exactly where there is no killer. */
  readonly equivalent?: string;
}

export interface Killer {
  /** Name of the vitest project. */
  readonly project: string;
  readonly testFile: string;
  /** Part of the full name of the test that must fail. */
  readonly testName: string;
}

/** The file's text with the mutation in it. Throws where the list no longer fits the file. */
export function applyMutation(text: string, mutation: Mutation): string {
  const {name, file, find, replace, occurrence} = mutation;
  const places = placesOf(text, find);
  if (places.length === 0) throw new Error(`${name}: its text is not in ${file} any more`);
  if (occurrence === undefined && places.length > 1) throw new Error(`${name}: its text is in ${file} several times`);
  const at = places[(occurrence ?? 1) - 1];
  if (at === undefined) throw new Error(`${name}: its text is in ${file} ${places.length} times only`);
  return text.slice(0, at) + replace + text.slice(at + find.length);
}

function placesOf(text: string, find: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + 1)) places.push(at);
  return places;
}
