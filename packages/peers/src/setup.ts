/**
 * What every peer holds before the workload runs, as commands and ids: the resources, and the hot ones reserved and
 * confirmed by somebody who keeps them. The ids are those that the workload writes.
 */
import {HOT_RESOURCES, SERVER_RESOURCES, writeResourceId} from '@allocdb/bench';
import {ID_BYTES, KIND, type PeerCommand} from './command.ts';

/** Resources behind those of the loop, which leaves some held wherever it stops: for whoever wants one that is free. */
export const FIRST_SPARE: number = SERVER_RESOURCES;
const SPARE_COUNT = 1000;
export const RESOURCE_COUNT: number = SERVER_RESOURCES + SPARE_COUNT;
export const HOT_COUNT: number = HOT_RESOURCES;

/** First byte of the setup's operations; the loop's begin with a counter that never gets there. */
const SETUP_MARK = 0xff;
const KEEPER: Buffer = Buffer.alloc(ID_BYTES, 'keeper');
const HOT_TTL_MS = 300_000;

/** The id of the resource with this index. */
export function resourceId(index: number): Buffer {
  const id = Buffer.alloc(ID_BYTES);
  writeResourceId(new DataView(id.buffer, id.byteOffset, ID_BYTES), 0, index);
  return id;
}

function setupOperation(number: number): Buffer {
  const id = Buffer.alloc(ID_BYTES);
  id.writeUInt8(SETUP_MARK, 0);
  id.writeUInt32BE(number, 4);
  return id;
}

/** The reserve of a hot resource by its keeper. */
export function hotReserve(index: number): PeerCommand {
  return {
    kind: KIND.RESERVE,
    operation: setupOperation(2 * index),
    holder: KEEPER,
    resource: resourceId(index),
    reservation: 0,
    ttlMs: HOT_TTL_MS,
  };
}

/** The confirm of what {@link hotReserve} was granted. */
export function confirmHot(index: number, reservation: number): PeerCommand {
  if (reservation === 0) throw new Error(`setup: hot resource ${index} could not be reserved`);
  return {
    kind: KIND.CONFIRM,
    operation: setupOperation(2 * index + 1),
    holder: KEEPER,
    resource: resourceId(index),
    reservation,
    ttlMs: 0,
  };
}
