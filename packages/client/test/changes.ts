/** Change frames by the dozen, as a server sends them, and what tests of feeds do with them again and again. */
import {
  CHANGE_HEADER_MAX,
  CHANGE_ORIGIN,
  type Change,
  type Command,
  encodeClientRequest,
  putChangeHeader,
  RESULT,
} from '@allocdb/api';

/** A change that was refused, with this lsn; a bundle of so many things is as long as a test wants it. */
export function change(lsn: bigint, things = 1): Uint8Array {
  const resourceIds = Array.from({length: things}, (_, i) => BigInt(i));
  const command: Command = {kind: 'reserve_bundle', resourceIds, holderId: 1n, ttlSlots: 1n};
  const payload = encodeClientRequest({operationId: lsn, clientId: 2n, command});
  const bytes = new Uint8Array(CHANGE_HEADER_MAX + payload.length);
  const stamp = {
    lsnLo: Number(BigInt.asIntN(32, lsn)),
    lsnHi: Number(BigInt.asIntN(32, lsn >> 32n)),
    slotLo: 9,
    slotHi: 0,
  };
  const grant = {granted: false, deadlineLo: 0, deadlineHi: 0, shardLo: 0, shardHi: 0};
  const about = {origin: CHANGE_ORIGIN.CLIENT, resultCode: RESULT.RESOURCE_BUSY, ...stamp, ...grant};
  const end = putChangeHeader(new DataView(bytes.buffer), 0, about);
  bytes.set(payload, end);
  return bytes.subarray(0, end + payload.length);
}

/** Changes with these lsns, both included. */
export function changes(from: bigint, to: bigint): Uint8Array[] {
  return Array.from({length: Number(to - from) + 1}, (_, i) => change(from + BigInt(i)));
}

/** The lsns of so many changes, and the iteration goes on. */
export async function take(feed: AsyncGenerator<Change, void>, count: number): Promise<bigint[]> {
  const lsns: bigint[] = [];
  while (lsns.length < count) {
    const {value, done} = await feed.next();
    if (done === true || value === undefined) throw new Error(`the feed ended ${count - lsns.length} changes early`);
    lsns.push(value.lsn);
  }
  return lsns;
}
