/**
 * The rules applied to frames as they lie in a connection's chunk: no object, no allocation, one byte compared for a read
 * and two for a command. The rules become a table of 256 ranks each, once.
 *
 * A frame that is cut or lies about its lengths is let through here, because the engine refuses it whole: a batch is
 * walked to its end there before its first command is executed. Not here: the rules (rules.ts), and any effect.
 */
import {COMMAND, CONNECTION_FRAME, REQUEST} from '@allocdb/api';
import type {Role} from './roles.ts';
import {COMMAND_RULES, CONNECTION_FRAME_RULES, REQUEST_RULES, type Rule} from './rules.ts';

const {SUBMIT, SUBMIT_BATCH} = REQUEST;

const NOBODY = 255;
const RANKS: Readonly<Record<Rule, number>> = {public: 0, read: 1, write: 2, operate: 3, nobody: NOBODY};

/** Where a payload stands in a submit, behind tag, slot and length. */
const PAYLOAD_OFFSET = 13;
/** Where the command's tag stands in a payload, behind operation id and client id. */
const COMMAND_OFFSET = 32;
/** Where a batch's count stands, and its first member: a u32 length and a payload. */
const COUNT_OFFSET = 9;
const MEMBERS_OFFSET = 11;

const FRAME_RANKS: Uint8Array = ranksOf({...REQUEST_RULES, ...CONNECTION_FRAME_RULES});
const COMMAND_RANKS: Uint8Array = ranksOf(COMMAND_RULES);

/** Nothing is refused: what {@link refusedIn} answers. */
export const ALLOWED = -1;
/** Added to the tag of a command, to tell it from the tag of a frame. */
const COMMAND_BASE = 256;

const FRAME_NAMES = namesOf({...REQUEST, ...CONNECTION_FRAME});
const COMMAND_NAMES = namesOf(COMMAND);

/** By tag; whatever has no rule is for nobody. */
function ranksOf(rules: Readonly<Record<number, Rule>>): Uint8Array {
  const ranks = new Uint8Array(256).fill(NOBODY);
  for (const [tag, rule] of Object.entries(rules)) ranks[Number(tag)] = RANKS[rule];
  return ranks;
}

function namesOf(tags: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(tags).map(([name, tag]) => [tag, name.toLowerCase()]));
}

/** What {@link refusedIn} compares with. */
export function rankOf(role: Role): number {
  return RANKS[role];
}

/** The first thing in the frame `view[offset..offset + length)` that `rank` does not allow, or ALLOWED. */
export function refusedIn(rank: number, view: DataView, offset: number, length: number): number {
  const tag = view.getUint8(offset);
  if ((FRAME_RANKS[tag] ?? NOBODY) > rank) return tag;
  if (tag === SUBMIT) return refusedCommand(rank, view, offset + PAYLOAD_OFFSET, length - PAYLOAD_OFFSET);
  return tag === SUBMIT_BATCH ? refusedMember(rank, view, offset, length) : ALLOWED;
}

/** A payload too short for a tag is no command whose execution could be forbidden. */
function refusedCommand(rank: number, view: DataView, offset: number, length: number): number {
  if (length <= COMMAND_OFFSET) return ALLOWED;
  const tag = view.getUint8(offset + COMMAND_OFFSET);
  return (COMMAND_RANKS[tag] ?? NOBODY) > rank ? COMMAND_BASE + tag : ALLOWED;
}

function refusedMember(rank: number, view: DataView, offset: number, length: number): number {
  const end = offset + length;
  const count = commandsIn(view, offset, length);
  let at = offset + MEMBERS_OFFSET;
  for (let i = 0; i < count && at + 4 <= end; i++) {
    const payload = at + 4;
    const payloadLength = view.getUint32(at, true);
    if (payloadLength > end - payload) return ALLOWED;
    const refused = refusedCommand(rank, view, payload, payloadLength);
    if (refused !== ALLOWED) return refused;
    at = payload + payloadLength;
  }
  return ALLOWED;
}

/** How much of a rate a frame takes: 1, and a batch as much as it has commands. */
export function commandsIn(view: DataView, offset: number, length: number): number {
  if (view.getUint8(offset) !== SUBMIT_BATCH || length < MEMBERS_OFFSET) return 1;
  return Math.max(1, view.getUint16(offset + COUNT_OFFSET, true));
}

/** What {@link refusedIn} has answered, in words: `revoke`, `request 99`. */
export function refusedName(refused: number): string {
  if (refused < COMMAND_BASE) return FRAME_NAMES.get(refused) ?? `request ${refused}`;
  const tag = refused - COMMAND_BASE;
  return COMMAND_NAMES.get(tag) ?? `command ${tag}`;
}
