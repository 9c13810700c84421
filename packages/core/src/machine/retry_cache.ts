/**
 * Which operations were answered, and what: a command is looked up before it is applied, and remembered with its answer
 * after. A repeat is answered from here; the same operation with another command, judged by the fingerprint, is a conflict.
 *
 * What the lookup of a command has found (tag, place in the index, fingerprint) is kept for remembering that very command,
 * so that neither is done twice. Not here: for how long answers are kept (operation_table.ts).
 */
import {assert} from '../assert.ts';
import {type CommandRegisters, REG} from '../command.ts';
import {fingerprint} from '../fingerprint.ts';
import {Hash128} from '../hash.ts';
import type {Outcome} from '../outcome.ts';
import {RESULT, type ResultCode} from '../result.ts';
import {GRANT_FLAG, OPERATION} from '../table/operation_table.ts';
import {addU64} from '../words.ts';
import type {AllocDb} from './alloc_db.ts';

const {OPERATION: ID} = REG;
const {OPERATION_CONFLICT} = RESULT;
const {WORDS, FINGERPRINT, RESULT: RESULT_WORD, APPLIED_LSN, DEADLINE, RETIRE_AFTER} = OPERATION;

export class RetryCache {
  private readonly db: AllocDb;
  private readonly hash: Hash128 = new Hash128();
  private tag: number = 0;

  constructor(db: AllocDb) {
    this.db = db;
  }

  /** See `AllocDb.findRetry`. */
  find(command: CommandRegisters, slotLo: number, slotHi: number, out: Outcome): boolean {
    const {operations, lookahead} = this.db;
    const w = command.words;
    const w0 = w[ID];
    const w1 = w[ID + 1];
    const w2 = w[ID + 2];
    const w3 = w[ID + 3];
    const tag = lookahead.tagOf(w0, w1, w2, w3);
    this.tag = tag;
    const row = operations.find(tag, w0, w1, w2, w3, slotLo, slotHi);
    fingerprint(command, this.hash);
    if (row < 0) return false;
    const words = operations.words;
    const at = row * WORDS;
    const same = this.isSameCommand(words, at + FINGERPRINT);
    const result = words[at + RESULT_WORD];
    out.fromRetryCache = true;
    out.appliedLsnLo = words[at + APPLIED_LSN];
    out.appliedLsnHi = words[at + APPLIED_LSN + 1];
    out.code = same ? ((result & 0xff) as ResultCode) : OPERATION_CONFLICT;
    out.granted = same && (result & GRANT_FLAG) !== 0;
    out.deadlineLo = words[at + DEADLINE];
    out.deadlineHi = words[at + DEADLINE + 1];
    return true;
  }

  /** Remembers the answer to the command that `find` has just not found, applied at a slot. */
  remember(out: Outcome, slotLo: number, slotHi: number): void {
    const {operations, operationWindow, snapshot, command} = this.db;
    const w = command.words;
    if (snapshot !== null) snapshot.saveOperation(operations.nextRow);
    const at = operations.insert(this.tag, w[ID], w[ID + 1], w[ID + 2], w[ID + 3]) * WORDS;
    const words = operations.words;
    const print = this.hash.lanes;
    words[at + FINGERPRINT] = print[0];
    words[at + FINGERPRINT + 1] = print[1];
    words[at + FINGERPRINT + 2] = print[2];
    words[at + FINGERPRINT + 3] = print[3];
    words[at + APPLIED_LSN] = out.appliedLsnLo;
    words[at + APPLIED_LSN + 1] = out.appliedLsnHi;
    words[at + DEADLINE] = out.granted ? out.deadlineLo : 0;
    words[at + DEADLINE + 1] = out.granted ? out.deadlineHi : 0;
    words[at + RESULT_WORD] = out.granted ? out.code | GRANT_FLAG : out.code;
    const overflowed = addU64(words, at + RETIRE_AFTER, slotLo, slotHi, operationWindow.lo, operationWindow.hi);
    assert(!overflowed, 'operation window was checked before the command was logged');
  }

  private isSameCommand(words: Int32Array, at: number): boolean {
    const print = this.hash.lanes;
    return (
      words[at] === print[0] && words[at + 1] === print[1] && words[at + 2] === print[2] && words[at + 3] === print[3]
    );
  }
}
