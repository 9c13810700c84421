/**
 * Looks through request frames that have arrived together and has the state machine read ahead for their commands, so
 * that it waits for the memory of many at once instead of one by one (see core's lookahead.ts for how, and why it pays).
 * Decides nothing: what is no submit is passed over, and what is cut or malformed ends the look.
 */
import {REQUEST, SIZE} from '@allocdb/api';
import type {Lookahead} from '@allocdb/core';

const {SUBMIT, SUBMIT_BATCH} = REQUEST;
const {FRAME_PREFIX} = SIZE;

/** Tag, slot and length of a submit, before its payload. */
const SUBMIT_HEADER = 1 + 8 + 4;
/** With fewer there is little to be had side by side. */
const FRAMES_MIN = 4;

/** Looks at the frames in `view[offset..end)`, each behind its length, and returns how many it has seen. */
export function framesAhead(lookahead: Lookahead, view: DataView, offset: number, end: number): number {
  let frames = 0;
  lookahead.begin();
  for (let at = offset; end - at >= FRAME_PREFIX; frames++) {
    const body = at + FRAME_PREFIX;
    const length = view.getUint32(at, true);
    // A batch looks ahead for itself, and what was noted before it would be forgotten.
    if (length === 0 || length > end - body || view.getUint8(body) === SUBMIT_BATCH) break;
    const isSubmit = length > SUBMIT_HEADER && view.getUint8(body) === SUBMIT;
    if (isSubmit && !lookahead.note(view, body + SUBMIT_HEADER, length - SUBMIT_HEADER)) break;
    at = body + length;
  }
  if (frames >= FRAMES_MIN) lookahead.load();
  return frames;
}

/** Looks at `count` members of a batch, each behind its length, of which the first begins at `offset`. */
export function membersAhead(lookahead: Lookahead, view: DataView, offset: number, count: number): number {
  let members = 0;
  lookahead.begin();
  for (let at = offset; members < count; members++) {
    const length = view.getUint32(at, true);
    if (!lookahead.note(view, at + 4, length)) break;
    at += 4 + length;
  }
  if (members >= FRAMES_MIN) lookahead.load();
  return members;
}
