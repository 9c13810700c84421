// Makes a failing schedule smaller while it keeps failing in the same way: whole stretches of events are removed, halves
// first (delta debugging), then the numbers in what is left are made simple, and both again until nothing changes.
//
// Each attempt is a run of its own, so the number of runs is bounded; what was found by then is returned.
import {runSchedule} from './run.ts';
import type {Harness} from './run_state.ts';
import {type Schedule, type Settings, type SimEvent, scheduleToJson} from './schedule.ts';
import type {Violation, ViolationKind} from './violation.ts';

const RUNS_MAX = 1500;

export interface Shrunk {
  readonly schedule: Schedule;
  readonly violation: Violation;
  readonly runs: number;
}

/** A smaller schedule that still breaks the same promise; null where this one breaks none. */
export async function shrinkSchedule(
  schedule: Schedule,
  harness: Harness = {},
  runsMax: number = RUNS_MAX,
): Promise<Shrunk | null> {
  const first = await runSchedule(schedule, {harness});
  if (first.violation === null) return null;
  const shrinker = new Shrinker(first.violation.kind, harness, runsMax);
  let best = withEvents(schedule, schedule.events.slice(0, first.foundAt + 1));
  if (!(await shrinker.fails(best))) best = schedule;
  for (let before = ''; before !== scheduleToJson(best); ) {
    before = scheduleToJson(best);
    best = await shrinker.removeEvents(best);
    best = await shrinker.simplifySettings(best);
    best = await shrinker.simplifyEvents(best);
  }
  return {schedule: best, violation: shrinker.last ?? first.violation, runs: shrinker.runs};
}

class Shrinker {
  runs = 0;
  last: Violation | null = null;
  readonly #kind: ViolationKind;
  readonly #harness: Harness;
  readonly #runsMax: number;

  constructor(kind: ViolationKind, harness: Harness, runsMax: number) {
    this.#kind = kind;
    this.#harness = harness;
    this.#runsMax = runsMax;
  }

  async fails(schedule: Schedule): Promise<boolean> {
    if (this.runs >= this.#runsMax) return false;
    this.runs++;
    const {violation} = await runSchedule(schedule, {harness: this.#harness});
    if (violation?.kind !== this.#kind) return false;
    this.last = violation;
    return true;
  }

  async removeEvents(schedule: Schedule): Promise<Schedule> {
    let best = schedule;
    for (let size = Math.ceil(best.events.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = best.events.length - size; at > -size; at -= size) {
        const kept = best.events.filter((_, index) => index < at || index >= at + size);
        const smaller = withEvents(best, kept);
        if (kept.length < best.events.length && (await this.fails(smaller))) best = smaller;
      }
    }
    return best;
  }

  async simplifySettings(schedule: Schedule): Promise<Schedule> {
    const simple: Partial<Settings> = {
      clients: 1,
      commitMode: 'inline',
      segmentBytes: 32_768,
      idleMarkerMs: 0,
      everyLogBytes: null,
      bytesPerSecond: 1e12,
      retainLogBytes: 0,
      slots: 'trust',
      wideIds: false,
      mayEndTime: false,
    };
    let best = schedule;
    if (best.start !== null && (await this.fails({...best, start: null}))) best = {...best, start: null};
    for (const [key, value] of Object.entries(simple)) {
      const settings = {...best.settings, [key]: value};
      if (best.settings[key as keyof Settings] === value) continue;
      if (await this.fails({...best, settings})) best = {...best, settings};
    }
    return best;
  }

  /** Numbers become 0, or half of what they are; slots stand still. */
  async simplifyEvents(schedule: Schedule): Promise<Schedule> {
    let best = schedule;
    for (let index = 0; index < best.events.length; index++) {
      for (const key of ['slot', 'dice', 'skip', 'times', 'nth', 'client'] as const) {
        for (const simpler of simplerOf(best.events[index] as SimEvent, key)) {
          const smaller = withEvents(best, best.events.with(index, simpler));
          if (!(await this.fails(smaller))) continue;
          best = smaller;
          break;
        }
      }
    }
    return best;
  }
}

function withEvents(schedule: Schedule, events: SimEvent[]): Schedule {
  return {...schedule, events};
}

/** The event with one field simpler, simplest first. */
function simplerOf(event: SimEvent, key: string): SimEvent[] {
  const value = (event as Record<string, unknown>)[key];
  if (key === 'slot') return value === undefined || value === 'stall' ? [] : [{...event, slot: 'stall'} as SimEvent];
  if (typeof value !== 'number' || value === 0) return [];
  const simplest = key === 'times' ? 1 : 0;
  const values = [simplest, 1, 2, 3, value % 16, value >>> 16, Math.floor(value / 2)];
  const simpler = [...new Set(values)].filter(one => one < value && one >= simplest);
  return simpler.map(one => ({...event, [key]: one}) as SimEvent);
}
