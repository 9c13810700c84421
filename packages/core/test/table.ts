/**
 * Text tables of the state machine: one row per command, columns by position, the expected answer last.
 *
 *     slot op  command                      answer
 *        5  1  create r1                    ok
 *        5  2  reserve A r1 h1 10           ok@15        A names the reservation; 15 is its deadline
 *        5  2  reserve A r1 h1 10           again:ok@15  an answer from the record of the operation
 *        6  3  bundle B h1 10 r2 r3         resource_not_found
 *        6  4  confirm A h1 e1              ok           with an epoch it is the fenced command
 *       15  -  expire A 15                  noop
 *       15  -  due                          none         or the names of what is due, in order
 *       15  -  lease A                      confirmed/h1/e1/r1
 *       15  -  resource r1                  confirmed/A/v2
 *       15  -  used                         1/4          reservations and operations that count
 *
 * A reservation is a name, `#7` for lsn 7 of this shard, or `~7` for lsn 7 of another one. Numbers may be written as
 * `max` or `max-3`, counted from 2^64 - 1. What follows `--` in a row is a remark.
 */
import {type Command, U64_MAX} from '../src/index.ts';

export interface Row {
  text: string;
  slot: bigint;
  operationId: bigint | null;
  /** The command's name and its arguments. */
  words: string[];
  expected: string;
}

/** Rows of a table; the heading and empty lines are left out. */
export function parseTable(table: string): Row[] {
  const rows: Row[] = [];
  for (const line of table.split('\n')) {
    const text = line.replace(/--.*$/, '').trim();
    if (text === '' || text.startsWith('slot')) continue;
    const [slot, operation, ...words] = text.split(/\s+/);
    const expected = words.pop();
    if (expected === undefined || words.length === 0) throw new Error(`a row has too few columns: ${text}`);
    const operationId = operation === '-' ? null : number(operation);
    rows.push({text, slot: number(slot), operationId, words, expected});
  }
  return rows;
}

/** A decimal number, or one counted down from the largest u64. */
export function number(word: string): bigint {
  const fromMax = /^max(?:-(\d+))?$/.exec(word);
  if (fromMax !== null) return U64_MAX - BigInt(fromMax[1] ?? 0);
  if (!/^\d+$/.test(word)) throw new Error(`not a number: ${word}`);
  return BigInt(word);
}

/** A number behind the letter that says what it counts: r1, h1, e1. */
export function lettered(letter: string, word: string | undefined): bigint {
  if (word?.startsWith(letter) !== true) throw new Error(`expected ${letter}<number>, found ${word}`);
  return number(word.slice(1));
}

/** The client command of a row; `idOf` resolves what stands for a reservation. */
export function commandOf(words: readonly string[], idOf: (reference: string) => bigint): Command {
  const [name, first, second, third, ...rest] = words;
  switch (name) {
    case 'create':
      return {kind: 'create_resource', resourceId: lettered('r', first)};
    case 'reserve': {
      const ttlSlots = number(rest.join(' '));
      return {kind: 'reserve', resourceId: lettered('r', second), holderId: lettered('h', third), ttlSlots};
    }
    case 'bundle': {
      const resourceIds = rest.map(word => lettered('r', word));
      return {kind: 'reserve_bundle', holderId: lettered('h', second), ttlSlots: number(third), resourceIds};
    }
    case 'confirm':
    case 'release': {
      const subject = {reservationId: idOf(first), holderId: lettered('h', second)};
      if (third === undefined) return {kind: name, ...subject};
      return {
        kind: name === 'confirm' ? 'confirm_fenced' : 'release_fenced',
        ...subject,
        leaseEpoch: lettered('e', third),
      };
    }
    case 'revoke':
    case 'reclaim':
      return {kind: name, reservationId: idOf(first)};
    default:
      throw new Error(`unknown command: ${words.join(' ')}`);
  }
}
