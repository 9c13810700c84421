// Sequences of events that chance alone brings about too rarely.
//
// `draw_schedule.ts` puts them among the others; each may be cut off by the end of its schedule, and none relies on what
// was before it. Not here: what an event does (`world.ts`).
import type {Command} from '../model/command.ts';
import type {Random} from '../random.ts';
import type {CrashPointName} from './crash_points.ts';
import type {Settings, SimEvent, SlotMove} from './schedule.ts';

export const FRAME_HEADER_BYTES = 48;
const COMMAND_RECORD_BYTES = 65;
/** Operations that no scene exceeds. */
export const SCENE_OPERATIONS = 48;

type Scene = (random: Random, client: number, op: number, settings: Settings) => SimEvent[];

export const SCENES: readonly [Scene, ...Scene[]] = [
  // A snapshot is finished while the last commands before it wait for the end of their turn.
  (random, client, op) => [
    {do: 'rest', dice: random.u32()},
    submit(random, client, op, 'create_resource', 'stall'),
    {do: 'checkpoint'},
    ...Array.from({length: 16}, (): SimEvent => ({do: 'io', nth: 0})),
    crash(random),
  ],
  // Many holds fall due at once, behind a frame that is nearly full.
  (random, client, op, settings) => [
    ...overdueHolds(random, client, op),
    batch(random, client, op + 12, 'create_resource', Math.max(1, commandsInFrame(settings) - random.below(4))),
    {do: 'tick', client, slot: 'step', dice: random.u32()},
    random.chance(50) ? {do: 'turn'} : crash(random),
  ],
  // A process dies while it comes up, and again, over what the first one left.
  (random, client, op) => [
    submit(random, client, op, 'reserve', 'step'),
    {do: 'turn'},
    {do: 'io', nth: 0},
    crashAt(random, 'within_opening_call', random.below(40)),
    crash(random),
    crashAt(random, random.pick(['after_tail_cut', 'within_opening_call', 'after_replay_read']), random.below(6)),
    crash(random),
  ],
  // A disk that is full while segments change and a snapshot is written, and then has room again.
  (random, client, op) => [
    {do: 'space', bytes: random.pick([0, 2048, 10_000])},
    ...Array.from({length: 8}, (_, index): SimEvent => submit(random, client, op + index, 'reserve_bundle', 'step')),
    {do: 'rest', dice: random.u32()},
    {do: 'checkpoint'},
    {do: 'rest', dice: random.u32()},
    {do: 'space', bytes: null},
    submit(random, client, op + 8, 'reserve', 'step'),
    random.chance(50) ? {do: 'rest', dice: random.u32()} : crash(random),
  ],
  // Two checkpoints with a change of segments between, so that the log is cut.
  (random, client, op) => [
    {do: 'checkpoint'},
    {do: 'rest', dice: random.u32()},
    ...Array.from({length: 16}, (_, index): SimEvent[] => [
      submit(random, client, op + index, 'reserve', 'step'),
      {do: 'rest', dice: random.u32()},
    ]).flat(),
    {do: 'checkpoint'},
    random.chance(60) ? crashAt(random, 'after_log_truncation', 0) : crashAt(random, 'within_call', random.below(30)),
    {do: 'rest', dice: random.u32()},
  ],
  // Holds are due, and a tick states a slot beyond which no history can end.
  (random, client, op) => [
    {do: 'rest', dice: random.u32()},
    batch(random, client, op, 'create_resource', 2),
    batch(random, client, op + 2, 'reserve', 4),
    {do: 'tick', client, slot: 'beyond', dice: random.u32()},
  ],
  // A tick finds the open frame nearly full while another one is being written.
  (random, client, op, settings) => [
    ...overdueHolds(random, client, op),
    {do: 'turn'},
    submit(random, client, op + 12, 'create_resource', 'stall'),
    {do: 'turn'},
    ...Array.from(
      {length: Math.min(18, commandsInFrame(settings))},
      (_, index): SimEvent => submit(random, client, op + 13 + index, 'create_resource', 'stall'),
    ),
    {do: 'tick', client, slot: 'step', dice: random.u32()},
    {do: 'io', nth: 0},
  ],
  // A tick expires something, and the process ends around it.
  (random, client, op) => [
    {do: 'rest', dice: random.u32()},
    batch(random, client, op, 'create_resource', 2),
    batch(random, client, op + 2, 'reserve', 4),
    {do: 'rest', dice: random.u32()},
    crashAt(random, random.pick(['internal_before_append', 'internal_after_apply', 'internal_after_sync']), 0),
    {do: 'tick', client, slot: 'due', dice: random.u32()},
    {do: 'turn'},
    {do: 'io', nth: 0},
    {do: 'io', nth: 0},
  ],
  // The log fails beside a frame that is being written, and the engine is closed before that is over: there is no spare, and
  // the frames before leave room in the segment for one more.
  (random, client, op) => [
    {do: 'rest', dice: random.u32()},
    {do: 'space', bytes: 0},
    ...Array.from({length: random.below(9)}, (_, round): SimEvent[] => [
      batch(random, client, op + 2 * round, 'create_resource', 2),
      {do: 'rest', dice: random.u32()},
    ]).flat(),
    {do: 'fault', on: 'spare', kind: 'EIO', skip: 0, times: 30},
    {do: 'space', bytes: null},
    batch(random, client, op + 18, 'create_resource', 4),
    {do: 'turn'},
    ...Array.from({length: 2}, (_, index): SimEvent => submit(random, client, op + 22 + index, 'reserve', 'stall')),
    batch(random, client, op + 24, 'create_resource', 6),
    {do: 'restart', dice: random.u32()},
  ],
  // A batch spans two frames, of which the second one fails.
  (random, client, op, settings) => [
    {do: 'rest', dice: random.u32()},
    {do: 'fault', on: 'log_sync', kind: 'EIO', skip: 1, times: 1},
    batch(random, client, op, 'create_resource', commandsInFrame(settings) + 4),
    {do: 'turn'},
    ...Array.from({length: 4}, (): SimEvent => ({do: 'io', nth: 0})),
  ],
  // The newest snapshot is damaged, and opening falls back to the one before.
  (random, client, op) => [
    {do: 'checkpoint'},
    {do: 'rest', dice: random.u32()},
    submit(random, client, op, 'reserve', 'step'),
    {do: 'rest', dice: random.u32()},
    {do: 'checkpoint'},
    {do: 'rest', dice: random.u32()},
    submit(random, client, op + 1, 'reserve', 'step'),
    {do: 'rest', dice: random.u32()},
    {do: 'rot', dice: random.u32()},
    crash(random),
  ],
];

function submit(random: Random, client: number, op: number, command: Command['kind'], slot: SlotMove): SimEvent {
  return {do: 'submit', client, op, command, slot, dice: random.u32()};
}

/** How many of the shortest command fill a frame; no more than a scene may have. */
function commandsInFrame({maxFrameBytes}: Settings): number {
  return Math.min(32, Math.floor((maxFrameBytes - FRAME_HEADER_BYTES) / COMMAND_RECORD_BYTES));
}

/** A batch is taken whatever its size while nothing else waits. */
function batch(random: Random, client: number, op: number, command: Command['kind'], length: number): SimEvent {
  return {do: 'batch', client, op, commands: Array.from({length}, () => command), slot: 'stall', dice: random.u32()};
}

/** Many holds that fall due at once; takes twelve operations. */
function overdueHolds(random: Random, client: number, op: number): SimEvent[] {
  return [
    {do: 'rest', dice: random.u32()},
    batch(random, client, op, 'create_resource', 4),
    batch(random, client, op + 4, 'reserve', 8),
    {do: 'rest', dice: random.u32()},
    {do: 'clock', slot: 'window', dice: random.u32()},
    {do: 'clock', slot: 'window', dice: random.u32()},
  ];
}

export function crash(random: Random): SimEvent {
  return {do: 'crash', how: random.pick(['power', 'power', 'kill']), dice: random.u32()};
}

export function crashAt(random: Random, point: CrashPointName, skip: number): SimEvent {
  return {do: 'crash_at', point, skip, how: random.pick(['power', 'power', 'kill']), dice: random.u32()};
}
