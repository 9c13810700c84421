/**
 * Requests of tests, with numbers for everything: what matters is how they travel, not what they say.
 */
import {type ApiRequest, encodeRequest} from '@allocdb/api';
import {type Command, encodeClientRequest} from '@allocdb/sim';

const CLIENT_ID = 7n;

/** A command's payload. */
export function payload(operationId: bigint, command: Command): Uint8Array {
  return encodeClientRequest(operationId, CLIENT_ID, command);
}

/** A submit of one command; its slot is ignored by servers that have their own. */
export function submit(operationId: bigint, command: Command, requestSlot: bigint = 0n): ApiRequest {
  return {type: 'submit', requestSlot, payload: payload(operationId, command)};
}

/** Creates a resource, with the resource's number as the operation's. */
export function create(resourceId: bigint): ApiRequest {
  return submit(resourceId, {kind: 'create_resource', resourceId});
}

/** Holds one resource. */
export function reserve(operationId: bigint, resourceId: bigint, ttlSlots: bigint = 1000n): ApiRequest {
  return submit(operationId, {kind: 'reserve', resourceId, holderId: 1n, ttlSlots});
}

/** Reads a resource. */
export function getResource(resourceId: bigint): ApiRequest {
  return {type: 'get_resource', requiredLsn: null, resourceId};
}

/** Reads the counters. */
export const GET_METRICS: ApiRequest = {type: 'get_metrics', currentWallClockSlot: 0n};

/** A batch that creates so many resources, from a first number on. */
export function createMany(first: bigint, count: number): ApiRequest {
  const payloads = Array.from({length: count}, (_, i) => {
    const resourceId = first + BigInt(i);
    return payload(resourceId, {kind: 'create_resource', resourceId});
  });
  return {type: 'submit_batch', requestSlot: 0n, payloads};
}

/** The same frame many times over, each behind its length. */
export function repeated(request: ApiRequest, times: number): Uint8Array {
  const frame = encodeRequest(request);
  const bytes = new Uint8Array((4 + frame.length) * times);
  const view = new DataView(bytes.buffer);
  for (let i = 0, at = 0; i < times; i++, at += 4 + frame.length) {
    view.setUint32(at, frame.length, true);
    bytes.set(frame, at + 4);
  }
  return bytes;
}
