/**
 * Slot arithmetic that reports overflow instead of wrapping. It is checked before a command is logged, so that nothing
 * in the log can overflow when it is applied; apply asserts that.
 */
import {COMMAND, REG} from '../command.ts';
import {OVERFLOW} from '../result.ts';
import {addU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';

const {RESERVE, RESERVE_BUNDLE, RELEASE, RELEASE_FENCED, RECLAIM} = COMMAND;
const {AMOUNT} = REG;
const {NONE, DEADLINE, OPERATION_WINDOW, RESERVATION_HISTORY} = OVERFLOW;

/** What a refused sum would have added to the slot; reused. */
export class SlotOverflow {
  /** One of OVERFLOW. */
  kind: number = NONE;
  deltaLo: number = 0;
  deltaHi: number = 0;
}

function overflows(db: AllocDb, slotLo: number, slotHi: number, deltaLo: number, deltaHi: number): boolean {
  return addU64(db.sum, 0, slotLo, slotHi, deltaLo, deltaHi);
}

/** Fills `out` and returns true when the decoded client command at this slot would overflow. */
export function overflowOf(db: AllocDb, slotLo: number, slotHi: number, out: SlotOverflow): boolean {
  const {tag, words: w} = db.command;
  if (tag === RESERVE || tag === RESERVE_BUNDLE) {
    if (overflows(db, slotLo, slotHi, w[AMOUNT], w[AMOUNT + 1])) {
      return report(out, DEADLINE, w[AMOUNT], w[AMOUNT + 1]);
    }
  } else if (tag === RELEASE || tag === RELEASE_FENCED || tag === RECLAIM) {
    if (historyOverflows(db, slotLo, slotHi, out)) return true;
  }
  const {lo, hi} = db.operationWindow;
  return overflows(db, slotLo, slotHi, lo, hi) && report(out, OPERATION_WINDOW, lo, hi);
}

/** The same for the expirations of a tick at this slot. */
export function historyOverflows(db: AllocDb, slotLo: number, slotHi: number, out: SlotOverflow): boolean {
  const {lo, hi} = db.historyWindow;
  return overflows(db, slotLo, slotHi, lo, hi) && report(out, RESERVATION_HISTORY, lo, hi);
}

function report(out: SlotOverflow, kind: number, deltaLo: number, deltaHi: number): true {
  out.kind = kind;
  out.deltaLo = deltaLo;
  out.deltaHi = deltaHi;
  return true;
}
