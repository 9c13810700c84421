// The answers that the model cannot give, as the bytes of the wire: it never queues and nothing of it ever fails. They are
// written down from docs/api.md a second time, so that the engine is compared with something that is not its own.
// Not here: when each of them may be given (`oracle.ts`).
import {ByteWriter} from '../model/bytes.ts';

const SUBMIT_REJECTED = 2;
const TICK_REJECTED = 14;
const DEFINITE = 1;
const INDEFINITE = 2;
const ENGINE_HALTED = 1;
const OVERLOADED = 6;
const STORAGE_FAILURE = 7;
const STORAGE_FULL = 16;
/** Where metrics have the expiration backlog, of four bytes. */
const BACKLOG_FROM_END = 13;

/** What a request is, as far as its refusals are concerned. */
export type Refused = 'submit' | 'tick' | 'resource' | 'reservation';

function rejected(of: Refused, category: number, code: number): ByteWriter {
  return new ByteWriter()
    .u8(of === 'tick' ? TICK_REJECTED : SUBMIT_REJECTED)
    .u8(category)
    .u8(code);
}

export function overloaded(of: Refused, depth: number, capacity: number): Uint8Array {
  return rejected(of, DEFINITE, OVERLOADED).u32(depth).u32(capacity).finish();
}

export function storageFull(of: Refused): Uint8Array {
  return rejected(of, DEFINITE, STORAGE_FULL).finish();
}

export function storageFailure(of: Refused): Uint8Array {
  return rejected(of, INDEFINITE, STORAGE_FAILURE).finish();
}

export function engineHalted(of: Refused): Uint8Array {
  if (of === 'resource') return Uint8Array.of(11);
  if (of === 'reservation') return Uint8Array.of(12);
  return rejected(of, INDEFINITE, ENGINE_HALTED).finish();
}

/** The first metrics with the expiration backlog of the second. */
export function maskedMetrics(metrics: Uint8Array, given: Uint8Array): Uint8Array {
  if (metrics.length !== given.length) return metrics;
  const masked = metrics.slice();
  masked.set(given.subarray(-BACKLOG_FROM_END, 4 - BACKLOG_FROM_END), metrics.length - BACKLOG_FROM_END);
  return masked;
}

export function startsWith(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  if (at + expected.length > bytes.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && startsWith(left, 0, right);
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16);
  return text;
}
