// Schedules from seeds: the configuration, the settings and a few hundred events, all drawn before the run begins.
//
// Each seed weighs what may happen differently: one that does much of one thing finds what an average over all things
// never reaches. Not here: what an event means for the state that it meets (`world.ts`, `draw_command.ts`).
import {randomConfig, randomStart} from '../generator_config.ts';
import type {Command} from '../model/command.ts';
import type {ModelConfig} from '../model/config.ts';
import {Random} from '../random.ts';
import {CRASH_POINT_NAMES} from './crash_points.ts';
import {crash, crashAt, FRAME_HEADER_BYTES, SCENE_OPERATIONS, SCENES} from './scenes.ts';
import type {FaultTarget, ReadOf, Schedule, Settings, SimEvent, SlotMove} from './schedule.ts';

/** The smallest hold a frame or five, so that a run goes through many. */
const SEGMENT_BYTES: readonly [number, ...number[]] = [8192, 8192, 8192, 16_384, 32_768];
/** A frame, beside header and markers, must fit its segment. */
const SEGMENT_OVERHEAD_BYTES = 5120;
const FRAME_BYTES: readonly number[] = [1024, 2048, 8192];
const EXPIRE_RECORD_BYTES = 64;
const TARGETS: readonly [FaultTarget, ...FaultTarget[]] = [
  'any',
  'log_write',
  'log_sync',
  'spare',
  'snapshot',
  'directory',
  'read',
];

const READS: readonly [ReadOf, ...ReadOf[]] = [
  'resource',
  'reservation',
  'lease',
  'metrics',
  'resources',
  'reservations',
];

/** Rarer than others, as ticks that expire something are. */
const INTERNAL_POINTS = CRASH_POINT_NAMES.filter(name => name.startsWith('internal_'));
const SMALL_QUEUE = 8;

/** So many of a hundred events are followed by a scene. */
const SCENE_PERCENT = 2;

/** What is drawn by itself; the rest is part of scenes only. */
type EventKind = Exclude<SimEvent['do'], 'rot'>;

/** How often what happens, out of their sum. */
interface Weights {
  readonly events: Record<EventKind, number>;
  readonly commands: Record<Command['kind'], number>;
  readonly slots: Record<SlotMove, number>;
}

export function drawSchedule(seed: number, count: number): Schedule {
  const drawn = randomConfig(BigInt(seed));
  const start = randomStart(BigInt(seed));
  const random = new Random(BigInt(seed)).fork('schedule');
  // Limits that let more happen before something waits.
  const maxExpirationsPerTick = random.pick([1, 3, 8, 16]);
  const config = {...drawn, maxSubmissionQueue: random.pick([2, 8, 8, 30, 30, 30, 100, 100]), maxExpirationsPerTick};
  const settings = drawSettings(random, config);
  const weights = drawWeights(random, config.maxSubmissionQueue);
  const events: SimEvent[] = [];
  let op = 1;
  let spaceReturns = -1;
  for (let index = 0; index < count; index++) {
    const drawn = drawEvent(random, weights, settings, op, index < config.maxResources);
    const event: SimEvent = index === spaceReturns ? {do: 'space', bytes: null} : drawn;
    if (event.do === 'submit') op++;
    if (event.do === 'batch') op += event.commands.length;
    if (event.do === 'space') spaceReturns = index + random.between(4, 30);
    events.push(event);
    if (!random.chance(SCENE_PERCENT)) continue;
    const scene = random.pick(SCENES)(random, random.below(settings.clients), op, settings);
    op += SCENE_OPERATIONS;
    events.push(...scene.slice(0, count - events.length));
    index = events.length - 1;
  }
  return {seed, config, start, settings, events};
}

function drawSettings(random: Random, config: ModelConfig): Settings {
  const segmentBytes = random.pick(SEGMENT_BYTES);
  // The smallest holds a tick and little more.
  const least = FRAME_HEADER_BYTES + EXPIRE_RECORD_BYTES * config.maxExpirationsPerTick;
  const frames = FRAME_BYTES.filter(bytes => bytes >= least && bytes <= segmentBytes - SEGMENT_OVERHEAD_BYTES);
  return {
    clients: random.between(1, 4),
    commitMode: random.pick(['inline', 'async', 'async', 'adaptive']),
    segmentBytes,
    maxFrameBytes: random.pickFrom(frames) ?? 2048,
    idleMarkerMs: random.pick([0, 0, 5]),
    everyLogBytes: random.pick([null, null, 8192, 40_000]),
    bytesPerSecond: random.pick([1e12, 1e12, 100_000]),
    retainLogBytes: random.pick([0, 0, segmentBytes, 4 * segmentBytes]),
    slots: random.pick(['trust', 'trust', 'trust', 'server', 'clamp']),
    wideIds: random.chance(30),
    mayEndTime: random.chance(6),
  };
}

function drawWeights(random: Random, queue: number): Weights {
  // Where little may wait, what waits must be answered more often.
  const answering = queue > SMALL_QUEUE ? 1 : 2;
  const swarm = (weight: number): number => weight * random.pick([1, 1, 2, 4]);
  const rare = (weight: number): number => weight * random.pick([0, 1, 1, 3]);
  return {
    events: {
      submit: swarm(130),
      batch: swarm(12),
      retry: swarm(16),
      malformed: swarm(3),
      read: swarm(16),
      tick: swarm(16),
      clock: rare(2),
      turn: answering * swarm(90),
      io: answering * swarm(220),
      timer: swarm(8),
      rest: swarm(14),
      checkpoint: swarm(6),
      crash: rare(5),
      crash_at: rare(16),
      restart: rare(3),
      probe: rare(2),
      fault: rare(4),
      space: rare(4),
      sync_time: rare(2),
    },
    commands: {
      create_resource: swarm(8),
      reserve: swarm(20),
      reserve_bundle: swarm(10),
      confirm: swarm(10),
      confirm_fenced: swarm(5),
      release: swarm(6),
      release_fenced: swarm(5),
      revoke: swarm(6),
      reclaim: swarm(6),
    },
    slots: {stall: swarm(40), step: swarm(20), walk: swarm(10), window: swarm(3), back: swarm(3), zero: 1, far: 1},
  };
}

function drawEvent(random: Random, weights: Weights, settings: Settings, op: number, isEarly: boolean): SimEvent {
  const kind = random.weighted(weights.events);
  const dice = random.u32();
  const client = random.below(settings.clients);
  const slot = random.weighted(weights.slots);
  // There must be something to reserve first.
  const command = (): Command['kind'] =>
    isEarly && random.chance(70) ? 'create_resource' : random.weighted(weights.commands);
  switch (kind) {
    case 'submit':
      return {do: kind, client, op, command: command(), slot, dice};
    case 'batch': {
      const length = random.pick([0, 1, 2, 3, 5, 8]);
      return {do: kind, client, op, commands: Array.from({length}, command), slot, dice};
    }
    case 'retry':
      return {do: kind, client, how: random.pick(['same', 'same', 'same', 'other_client', 'conflict']), slot, dice};
    case 'malformed':
      return {do: kind, client, what: random.pick(['payload', 'frame']), dice};
    case 'read':
      return {do: kind, client, of: random.pick(READS), slot, dice};
    case 'tick':
      return {do: kind, client, slot: random.chance(60) ? 'due' : slot, dice};
    case 'clock':
      return {do: kind, slot: random.pick(['walk', 'window']), dice};
    case 'io':
      return {do: kind, nth: random.chance(70) ? 0 : random.below(4)};
    case 'rest':
      return {do: kind, dice};
    case 'crash':
      return crash(random);
    case 'crash_at': {
      const names = random.chance(25) ? INTERNAL_POINTS : CRASH_POINT_NAMES;
      const point = random.pickFrom(names) ?? 'before_call';
      return crashAt(random, point, random.chance(50) ? 0 : random.below(random.pick([3, 10, 40])));
    }
    case 'restart':
    case 'probe':
      return {do: kind, dice};
    case 'fault': {
      const skip = random.chance(50) ? 0 : random.below(random.pick([3, 10, 30]));
      const times = random.pick([1, 1, 1, 3, 30]);
      return {do: kind, on: random.pick(TARGETS), kind: random.pick(['EIO', 'ENOSPC', 'short', 'short']), skip, times};
    }
    case 'space':
      return {do: kind, bytes: random.pick([0, 0, 4096, 20_000])};
    case 'sync_time':
      return {do: kind, ms: random.pick([0, 0.1, 1, 5])};
    case 'turn':
    case 'timer':
    case 'checkpoint':
      return {do: kind};
  }
}
