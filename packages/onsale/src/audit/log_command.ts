/**
 * The auditor's own decoder of what the log carries: client commands and expirations, from their documented layout. It
 * shares no code with the machine that executed them. Records that are neither are described, not skipped.
 */
import {idAt} from '../id_bytes.ts';
import type {CommandFacts} from '../ledger.ts';

/** A record of the log. */
export interface LogRecord {
  readonly lsn: number;
  /** The slot at which it was executed. */
  readonly slot: number;
  readonly content: LogContent;
}

export type LogContent =
  | {readonly type: 'command'; readonly operation: string; readonly command: CommandFacts}
  | {readonly type: 'expire'; readonly lease: string; readonly deadline: number}
  | {readonly type: 'unknown'; readonly why: string};

const CLIENT_COMMAND = 1;
const INTERNAL_COMMAND = 2;
const EXPIRE_TAG = 5;
const EXPIRE_BYTES = 25;
const TAG_AT = 32;
const BODY_AT = 33;

const NOTHING = {seats: [], holder: null, lease: null, ttl: null, epoch: null} as const;

/** Decodes the payload of a record of this type. */
export function decodeRecord(recordType: number, payload: Uint8Array): LogContent {
  if (recordType === CLIENT_COMMAND) return decodeClient(payload);
  if (recordType === INTERNAL_COMMAND) return decodeInternal(payload);
  return unknown(`a record of type ${recordType}`);
}

function unknown(why: string): LogContent {
  return {type: 'unknown', why};
}

function decodeInternal(payload: Uint8Array): LogContent {
  if (payload[0] !== EXPIRE_TAG) return unknown(`an internal command with tag ${payload[0] ?? 'none'}`);
  if (payload.length !== EXPIRE_BYTES) return unknown(`an expiration of ${payload.length} bytes`);
  return {type: 'expire', lease: idAt(payload, 1), deadline: u64At(payload, 17)};
}

function decodeClient(payload: Uint8Array): LogContent {
  if (payload.length < BODY_AT) return unknown(`a client command of ${payload.length} bytes`);
  const tag = payload[TAG_AT] ?? 0;
  const command = decodeBody(tag, payload);
  if (command === null) return unknown(`a client command with tag ${tag} and ${payload.length} bytes`);
  return {type: 'command', operation: idAt(payload, 0), command};
}

function decodeBody(tag: number, payload: Uint8Array): CommandFacts | null {
  const bodyBytes = payload.length - BODY_AT;
  const first = (): string => idAt(payload, BODY_AT);
  const second = (): string => idAt(payload, BODY_AT + 16);
  const third = (): number => u64At(payload, BODY_AT + 32);
  const ofLease = (kind: string, fenced: boolean): CommandFacts | null => {
    if (bodyBytes !== (fenced ? 40 : 32)) return null;
    return {...NOTHING, kind, lease: first(), holder: second(), epoch: fenced ? third() : null};
  };
  switch (tag) {
    case 1:
      return bodyBytes === 16 ? {...NOTHING, kind: 'create_resource', seats: [first()]} : null;
    case 2:
      if (bodyBytes !== 40) return null;
      return {...NOTHING, kind: 'reserve', seats: [first()], holder: second(), ttl: third()};
    case 3:
      return ofLease('confirm', false);
    case 4:
      return ofLease('release', false);
    case 16:
      return decodeBundle(payload);
    case 17:
      return ofLease('confirm_fenced', true);
    case 18:
      return ofLease('release_fenced', true);
    default:
      return null;
  }
}

function decodeBundle(payload: Uint8Array): CommandFacts | null {
  const membersAt = BODY_AT + 26;
  if (payload.length < membersAt) return null;
  const count = (payload[BODY_AT + 24] ?? 0) + 256 * (payload[BODY_AT + 25] ?? 0);
  if (payload.length !== membersAt + 16 * count) return null;
  const seats = Array.from({length: count}, (_, i) => idAt(payload, membersAt + 16 * i));
  return {...NOTHING, kind: 'reserve_bundle', seats, holder: idAt(payload, BODY_AT), ttl: u64At(payload, BODY_AT + 16)};
}

/** A u64; beyond 2^53 it is not exact, and then larger than anything this demo has. */
function u64At(bytes: Uint8Array, offset: number): number {
  let value = 0;
  for (let i = 7; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}

/** True when two commands say the same in every field. */
export function sameCommand(a: CommandFacts, b: CommandFacts): boolean {
  return (
    a.kind === b.kind &&
    a.holder === b.holder &&
    a.lease === b.lease &&
    a.ttl === b.ttl &&
    a.epoch === b.epoch &&
    a.seats.length === b.seats.length &&
    a.seats.every((seat, i) => seat === b.seats[i])
  );
}
