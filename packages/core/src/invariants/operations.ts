/**
 * Operations: each remembered one is findable, applied no later than the last lsn, and stands in the order of lsns and of
 * retire-after slots; the index holds nothing but stored rows.
 */
import type {AllocDb} from '../machine/alloc_db.ts';
import {OPERATION} from '../table/operation_table.ts';
import {ltU64} from '../words.ts';
import {checkIndexCells} from './index_cells.ts';
import {readAhead} from './read_ahead.ts';

export function checkOperations(db: AllocDb): string | null {
  const {operations, lookahead} = db;
  const words = operations.words;
  const note = (position: number): boolean => {
    const at = operations.rowAt(position) * OPERATION.WORDS;
    return lookahead.noteOperation(words[at], words[at + 1], words[at + 2], words[at + 3]);
  };
  for (let i = 0, seen = 0; i < operations.used; i++) {
    if (i === seen) seen = readAhead(lookahead, i, operations.used, note);
    const row = operations.rowAt(i);
    const at = row * OPERATION.WORDS;
    const [w0, w1, w2, w3] = [words[at], words[at + 1], words[at + 2], words[at + 3]];
    const tag = lookahead.tagOf(w0, w1, w2, w3);
    if (operations.find(tag, w0, w1, w2, w3, db.lastSlotLo, db.lastSlotHi) !== row) {
      return `operation row ${row} is not findable`;
    }
    const lsn = at + OPERATION.APPLIED_LSN;
    if (ltU64(db.lastLsnLo, db.lastLsnHi, words[lsn], words[lsn + 1])) return `operation row ${row} is of the future`;
    if (i === 0) continue;
    const before = operations.rowAt(i - 1) * OPERATION.WORDS;
    const [lsnBefore, retire] = [before + OPERATION.APPLIED_LSN, OPERATION.RETIRE_AFTER];
    if (!ltU64(words[lsnBefore], words[lsnBefore + 1], words[lsn], words[lsn + 1])) {
      return `operations are out of order at row ${row}`;
    }
    if (ltU64(words[at + retire], words[at + retire + 1], words[before + retire], words[before + retire + 1])) {
      return `operations retire out of order at row ${row}`;
    }
  }
  return checkIndexCells('operations', operations.index, row => operations.holds(row));
}
