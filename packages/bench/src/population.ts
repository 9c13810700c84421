/**
 * A data directory filled through the engine's real path: resources created, some of them kept by others, and as many
 * further operations of the workload as are asked for, in batches, at stated slots. The tables are then as full as a
 * measurement wants them, and the log is the one that such a history leaves.
 *
 * Deterministic: the same plan gives the same state. Run in a process of its own (`populate_program.ts`), because a
 * state of ten million operations takes more than a gigabyte.
 */
import {type DatabaseConfig, SingleNodeEngine} from '@allocdb/node';
import {LaneFeed, requestBytesMax} from './lane_feed.ts';
import {ResourceSetup} from './resource_setup.ts';
import {HOT_RESOURCES, Workload} from './workload.ts';
import {SLOT_MS, TTL_SLOTS} from './workload_config.ts';

/** What a directory is to hold. */
export interface PopulationPlan {
  readonly resources: number;
  /** Resources that somebody keeps, for so many slots; so many of them are confirmed as well. The hot ones come on top. */
  readonly kept: {readonly first: number; readonly end: number; readonly ttlSlots: number; readonly confirmed: number};
  /** Operations in all. What is missing when the resources are created and kept is done over these resources. */
  readonly operations: number;
  readonly over: {readonly first: number; readonly end: number};
  /** Operations at one slot. */
  readonly perSlot: number;
  /** Whether a snapshot is written in the end. */
  readonly checkpoint: boolean;
}

/** What it holds then. */
export interface Population {
  readonly operations: number;
  readonly resources: number;
  readonly reservationsUsed: number;
  readonly operationsUsed: number;
  /** 0 where none was asked for. */
  readonly snapshotBytes: number;
}

const BATCH = 1024;
const LANES_MAX = 4096;
const PREFIX_BYTES = 4;
const SLOT_AT: number = PREFIX_BYTES + 1;
const PROGRESS_OPERATIONS = 1_000_000;
/** As fast as the disk takes it: nobody waits for answers meanwhile. */
const SNAPSHOT_BYTES_PER_SECOND: number = 2 ** 40;

/** Creates the directory, which is not there yet, and fills it. Throws Error at the first unexpected answer. */
export async function populate(
  dir: string,
  config: DatabaseConfig,
  plan: PopulationPlan,
  progress: (line: string) => void,
): Promise<Population> {
  const checkpoint = {everyLogBytes: null, bytesPerSecond: SNAPSHOT_BYTES_PER_SECOND};
  const engine = SingleNodeEngine.open({dir, config, slotMs: SLOT_MS, checkpoint});
  try {
    const setup = new ResourceSetup(frame => engine.handleApiBytes(frame), plan.perSlot);
    await setup.create(plan.resources);
    progress(`populate: ${plan.resources} resources`);
    await setup.keep(0, HOT_RESOURCES, plan.kept.ttlSlots, HOT_RESOURCES);
    await setup.keep(plan.kept.first, plan.kept.end, plan.kept.ttlSlots, plan.kept.confirmed);
    progress(`populate: ${plan.kept.end - plan.kept.first} resources kept`);
    fill(engine, plan, setup, progress);
    const snapshotBytes = plan.checkpoint ? (await engine.checkpoint()).bytes : 0;
    const {resources, reservations, operations, lastAppliedLsn} = engine.metrics(0n);
    return {
      operations: Number(lastAppliedLsn ?? 0n),
      resources: resources.used,
      reservationsUsed: reservations.used,
      operationsUsed: operations.used,
      snapshotBytes,
    };
  } finally {
    await engine.close();
  }
}

/** Whole batches of lanes, until the operations are as many as planned. */
function fill(
  engine: SingleNodeEngine,
  plan: PopulationPlan,
  setup: ResourceSetup,
  progress: (line: string) => void,
): void {
  const missing = plan.operations - setup.commands;
  if (missing <= 0) return;
  const {first, end} = plan.over;
  const batch = Math.min(BATCH, end - first);
  const lanes = batch * Math.min(LANES_MAX / BATCH, Math.floor((end - first) / batch));
  const workload = new Workload({lanes, resources: end, firstResource: first, ttlSlots: TTL_SLOTS});
  const feed = new LaneFeed(workload, 0, lanes, batch);
  const bytes = new Uint8Array(requestBytesMax(batch));
  const view = new DataView(bytes.buffer);
  for (let done = 0; done < missing; done += batch) {
    const length = feed.write(view, 0);
    view.setInt32(SLOT_AT, setup.slot + Math.floor(done / plan.perSlot), true);
    const answer = engine.handleApiBytes(bytes.subarray(PREFIX_BYTES, length));
    feed.take(new DataView(answer.buffer, answer.byteOffset, answer.byteLength), 0, answer.length);
    if (Math.floor((done + batch) / PROGRESS_OPERATIONS) > Math.floor(done / PROGRESS_OPERATIONS)) {
      progress(`populate: ${setup.commands + done + batch} of ${plan.operations} operations`);
    }
  }
}
