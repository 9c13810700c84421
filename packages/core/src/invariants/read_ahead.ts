/**
 * What the walks over whole tables share: each row's key is looked up in its index, whose cells lie anywhere, so memory is
 * read ahead for as many lookups as fit. Not here: which rows there are, and what must hold of them.
 */
import type {Lookahead} from '../machine/lookahead.ts';

/** Notes the rows from `from` on until `end` or `note` says no, and returns the first one that was not noted. */
export function readAhead(lookahead: Lookahead, from: number, end: number, note: (row: number) => boolean): number {
  lookahead.begin();
  let row = from;
  while (row < end && note(row)) row++;
  lookahead.load();
  return row;
}
