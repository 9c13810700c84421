/**
 * What the API shows at the end: every seat, and every reservation that a seat names, read over one pipelined connection
 * from a server that has just recovered. Nothing is judged here.
 */
import {type ApiResponse, decodeResponse, encodeRequest} from '@allocdb/api';
import {openRawConnection, type RawConnection} from '@allocdb/client';
import type {ApiLease, ApiSeat, ApiView} from '../audit/api_audit.ts';
import {idOfBigint} from '../id_bytes.ts';

const PIPELINED = 2000;

/** Reads all these seats and what they lead to. */
export async function readApi(port: number, resources: readonly string[]): Promise<ApiView> {
  await using connection = await openRawConnection(`allocdb://127.0.0.1:${port}`);
  const seats = new Map<string, ApiSeat | null>();
  await ask(
    connection,
    resources,
    id => seatRequest(id),
    (id, response) => seats.set(id, seatOf(response)),
  );
  const named = new Set([...seats.values()].flatMap(seat => seat?.lease ?? []));
  const leases = new Map<string, ApiLease | null>();
  await ask(
    connection,
    [...named],
    id => leaseRequest(id),
    (id, response) => leases.set(id, leaseOf(response)),
  );
  return {seats, leases};
}

async function ask(
  connection: RawConnection,
  ids: readonly string[],
  frameOf: (id: string) => Uint8Array,
  take: (id: string, response: ApiResponse) => void,
): Promise<void> {
  for (let first = 0; first < ids.length; first += PIPELINED) {
    const asked = ids.slice(first, first + PIPELINED);
    const responses = await Promise.all(asked.map(id => connection.request(frameOf(id))));
    for (const [i, response] of responses.entries()) take(asked[i] ?? '', decodeResponse(response));
  }
}

function seatRequest(id: string): Uint8Array {
  return encodeRequest({type: 'get_resource', requiredLsn: null, resourceId: BigInt(`0x${id}`)});
}

function leaseRequest(id: string): Uint8Array {
  return encodeRequest({type: 'get_lease', requiredLsn: null, currentSlot: 0n, reservationId: BigInt(`0x${id}`)});
}

function seatOf(response: ApiResponse): ApiSeat | null {
  if (response.type !== 'resource_found') return null;
  const {state, currentReservationId, version} = response;
  const lease = currentReservationId === null ? null : idOfBigint(currentReservationId);
  return {state, lease, version: Number(version)};
}

function leaseOf(response: ApiResponse): ApiLease | null {
  if (response.type !== 'lease_found') return null;
  return {
    holder: idOfBigint(response.holderId),
    state: response.state,
    epoch: Number(response.leaseEpoch),
    deadline: Number(response.deadlineSlot),
    createdLsn: Number(response.createdLsn),
    seats: response.resourceIds.map(idOfBigint),
  };
}
