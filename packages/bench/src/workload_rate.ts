/**
 * The workload through the pipeline of the deterministic scenarios: as many commands to a turn, timed in the same way,
 * with making requests and reading answers not timed. What their own rates are held against.
 */
import {AnswerBuffer, SingleNodeEngine} from '@allocdb/node';
import {EnginePipeline, TURN} from './engine_pipeline.ts';
import {LaneFeed, requestBytesMax} from './lane_feed.ts';
import {ResourceSetup} from './resource_setup.ts';
import {HOT_RESOURCES, Workload} from './workload.ts';
import {SERVER_RESOURCES, TTL_SLOTS, workloadConfig} from './workload_config.ts';

const PREFIX_BYTES = 4;
/** Of a request without its length. */
const SLOT_AT = 1;
const COMMANDS_PER_SLOT = 100_000;

/** Durable answers per second over at least so many of them, in a directory that is not there yet. */
export async function workloadRate(dir: string, answers: number): Promise<number> {
  const engine = SingleNodeEngine.open({
    dir,
    config: workloadConfig(SERVER_RESOURCES),
    checkpoint: {everyLogBytes: null},
  });
  try {
    const setup = new ResourceSetup(frame => engine.handleApiBytes(frame));
    await setup.create(SERVER_RESOURCES);
    await setup.keep(0, HOT_RESOURCES, TTL_SLOTS, HOT_RESOURCES);
    const pipeline = new EnginePipeline(engine);
    const workload = new Workload({lanes: TURN, resources: SERVER_RESOURCES, ttlSlots: TTL_SLOTS});
    const feed = new LaneFeed(workload, 0, TURN, 1);
    while (pipeline.answers < answers) {
      const slot = 1 + Math.floor(pipeline.answers / COMMANDS_PER_SLOT);
      for (const part of await pipeline.submitFrames(turnOf(feed, slot))) {
        takeAll(feed, part);
        AnswerBuffer.recycle(part);
      }
    }
    return (pipeline.answers * 1000) / pipeline.millis;
  } finally {
    await engine.close();
  }
}

/** The next command of every lane, at a slot. */
function turnOf(feed: LaneFeed, slot: number): Uint8Array[] {
  return Array.from({length: TURN}, () => {
    const bytes = new Uint8Array(requestBytesMax(1));
    const view = new DataView(bytes.buffer);
    const length = feed.write(view, 0);
    view.setBigUint64(PREFIX_BYTES + SLOT_AT, BigInt(slot), true);
    return bytes.subarray(PREFIX_BYTES, length);
  });
}

function takeAll(feed: LaneFeed, answers: Uint8Array): void {
  const view = new DataView(answers.buffer, answers.byteOffset, answers.byteLength);
  for (let at = 0; at < answers.length; ) {
    const length = view.getInt32(at, true);
    feed.take(view, at + PREFIX_BYTES, length);
    at += PREFIX_BYTES + length;
  }
}
