// Schedules: everything that happens in a run of the simulator, as plain data that JSON can carry.
//
// An event says what somebody does, in terms that still mean something when others are removed: `dice` seeds the choice
// among whatever is there at that moment ("one of the reservations that are held now"), `op` numbers an operation for the
// whole run. So a schedule that fails can be made smaller, committed, and replayed to the same history.
// Not here: how events are drawn (`draw_schedule.ts`) and what they do (`world.ts`).
import type {Command} from '../model/command.ts';
import {type ConfigJson, configFromJson, configToJson, type ModelConfig} from '../model/config.ts';
import type {ModelStart} from '../model/model.ts';
import type {CrashPointName} from './crash_points.ts';

/** Where the slot that a request states lies, from the present one of the run. */
export type SlotMove = 'stall' | 'step' | 'walk' | 'window' | 'back' | 'zero' | 'far';

/** What ends a process: the machine loses power, or the process alone dies and the system goes on. */
export type CrashKind = 'power' | 'kill';

/** Which calls a fault strikes. */
export type FaultTarget = 'any' | 'log_write' | 'log_sync' | 'spare' | 'snapshot' | 'directory' | 'read';

/** What is read: one thing, a page or a walk over many, or the counters. */
export type ReadOf = 'resource' | 'reservation' | 'lease' | 'metrics' | 'resources' | 'reservations';

export type SimEvent =
  | {do: 'submit'; client: number; op: number; command: Command['kind']; slot: SlotMove; dice: number}
  /** Operations `op`, `op` + 1, …, one for each command. */
  | {do: 'batch'; client: number; op: number; commands: Command['kind'][]; slot: SlotMove; dice: number}
  /** An operation of this client again: as it was, under another client id, or with another command. */
  | {do: 'retry'; client: number; how: 'same' | 'other_client' | 'conflict'; slot: SlotMove; dice: number}
  | {do: 'malformed'; client: number; what: 'payload' | 'frame'; dice: number}
  | {do: 'read'; client: number; of: ReadOf; slot: SlotMove; dice: number}
  | {do: 'tick'; client: number; slot: SlotMove | 'due' | 'beyond'; dice: number}
  /** The clock of the run moves, far beyond every window now and then. */
  | {do: 'clock'; slot: SlotMove; dice: number}
  /** The end of the event loop's turn. */
  | {do: 'turn'}
  /** One asynchronous call takes its effect, or tells that it has. */
  | {do: 'io'; nth: number}
  /** The timer that is due first fires. */
  | {do: 'timer'}
  /** Everything that can go on goes on, in an order drawn from `dice`, until nothing is under way. */
  | {do: 'rest'; dice: number}
  | {do: 'checkpoint'}
  | {do: 'crash'; how: CrashKind; dice: number}
  /** Arms a crash; `skip` calls or requests that are such a point go by first. */
  | {do: 'crash_at'; point: CrashPointName; skip: number; how: CrashKind; dice: number}
  /** Closes in order and opens again. */
  | {do: 'restart'; dice: number}
  /** Recovers a copy of the disk as it would be if power went now; the run goes on. */
  | {do: 'probe'; dice: number}
  | {do: 'fault'; on: FaultTarget; kind: 'EIO' | 'ENOSPC' | 'short'; skip: number; times: number}
  /** The disk may take so many bytes more than it holds now; null for all. */
  | {do: 'space'; bytes: number | null}
  /** How long a sync takes from now on: the adaptive commit mode follows. */
  | {do: 'sync_time'; ms: number}
  /** A bit of the newest snapshot is another, unless it is the only one. */
  | {do: 'rot'; dice: number};

/** Everything about a run that is no event. */
export interface Settings {
  clients: number;
  commitMode: 'inline' | 'async' | 'adaptive';
  segmentBytes: number;
  maxFrameBytes: number;
  idleMarkerMs: number;
  /** Checkpoint options of the engine. */
  everyLogBytes: number | null;
  bytesPerSecond: number;
  retainLogBytes: number;
  /** Whose slots count: the requests', the clock's, or the requests' bounded by the clock. */
  slots: 'trust' | 'server' | 'clamp';
  /** Ids from the whole range instead of small ones. */
  wideIds: boolean;
  /** A slot near the end of u64 is accepted, and time ends there. */
  mayEndTime: boolean;
}

export interface Schedule {
  seed: number;
  config: ModelConfig;
  start: ModelStart | null;
  settings: Settings;
  events: SimEvent[];
}

interface ScheduleJson {
  note?: string;
  kind?: string;
  seed: number;
  config: ConfigJson;
  start: {lsn: string; slot: string} | null;
  settings: Settings;
  events: SimEvent[];
}

/** One event a line, so that a diff shows what was removed. `note` says what the schedule once showed. */
export function scheduleToJson(schedule: Schedule, about: {note?: string; kind?: string} = {}): string {
  const {seed, config, start, settings, events} = schedule;
  const head = {
    ...about,
    seed,
    config: configToJson(config),
    start: start === null ? null : {lsn: String(start.lsn), slot: String(start.slot)},
    settings,
  };
  const lines = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},`);
  const shown = events.map(event => `    ${JSON.stringify(event)}`).join(',\n');
  return `{\n${lines.join('\n')}\n  "events": [\n${shown}\n  ]\n}\n`;
}

export function scheduleFromJson(text: string): {schedule: Schedule; note: string | null} {
  const {note, seed, config, start, settings, events}: ScheduleJson = JSON.parse(text);
  const position = start === null ? null : {lsn: BigInt(start.lsn), slot: BigInt(start.slot)};
  return {schedule: {seed, config: configFromJson(config), start: position, settings, events}, note: note ?? null};
}
