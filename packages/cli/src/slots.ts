/**
 * Slots and times, by the length of a slot that the server tells in its welcome. Deadlines are slots; seconds are there for
 * people to read, and are an upper bound, because the client's estimate of the present slot is never ahead.
 */
import type {Client} from '@allocdb/client';
import {EXIT, fail} from './exit.ts';

/** The least number of slots that lasts so long. Ends the command where slots have no length. */
export function slotsOf(client: Client, ms: number): bigint {
  const {slotDurationMs} = client.status.server;
  if (slotDurationMs === 0) fail(EXIT.USAGE, "the server's slots have no length: use --ttl-slots");
  return BigInt(Math.ceil(ms / slotDurationMs));
}

/** Seconds until a slot, at most; 0 when it has begun, null where slots have no length. */
export function secondsLeft(client: Client, slot: bigint): number | null {
  const {slotDurationMs} = client.status.server;
  if (slotDurationMs === 0) return null;
  const slots = slot - client.currentSlot();
  return slots <= 0n ? 0 : Math.round(Number(slots) * slotDurationMs) / 1000;
}

/** The lsn that every read of this client reflects at least: 0 for a database in which nothing has happened. */
export function knownLsn(client: Client): bigint {
  const atConnect = client.status.server.lastDurableLsn ?? 0n;
  const seen = client.lastLsn ?? 0n;
  return seen > atConnect ? seen : atConnect;
}
