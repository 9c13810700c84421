/**
 * Where a plan is near a limit: of the machine that was measured, of a table, of what a setting allows. A warning does not
 * say that it will fail, but what to look at first.
 */
import {ANSWERS_PER_SECOND} from './measured.ts';
import type {Plan} from './plan.ts';
import {countText, durationText, sizeText} from './words.ts';

/** What a warning is about. */
export type PlanWarningCode =
  | 'rate'
  | 'submission_queue'
  | 'memory'
  | 'operation_table'
  | 'reservation_table'
  | 'expirations_per_tick'
  | 'slots'
  | 'checkpoints'
  | 'retained_log'
  | 'recovery';

/** One warning: what is near, and what can be done. */
export interface PlanWarning {
  readonly code: PlanWarningCode;
  readonly message: string;
}

/** Rows of the largest table of operations or reservations that can be had. */
const ROWS_MAX = 2 ** 27;
/** Node, the log's buffers, some hundred connections. */
const OTHER_MEMORY_BYTES: number = 512 << 20;
const QUEUE_SHORT_MS = 250;
/** Ticks that follow one another when all holds end at once. */
const TICKS_MANY = 10;
const WHEEL_SLOTS_MANY = 10_000_000;
/** A hold that is taken late in a slot ends up to a slot early: a tenth of one of ten. */
const HOLD_SLOTS_FEW = 10;
const RETAINED_SHORT_MS = 3_600_000;
const RECOVERY_LONG_MS = 30_000;

type Judge = (plan: Omit<Plan, 'warnings'>, machineBytes: number | null) => string | null;

const JUDGES: Readonly<Record<PlanWarningCode, Judge>> = {
  rate: ({commandsPerSecond}) => {
    const rate = `${countText(commandsPerSecond)} commands/s`;
    if (commandsPerSecond > ANSWERS_PER_SECOND) {
      return `${rate} are more than the measured machine did (${countText(ANSWERS_PER_SECOND)}): divide the resources over several servers, or measure yours`;
    }
    if (commandsPerSecond <= ANSWERS_PER_SECOND / 2) return null;
    return `${rate} are more than half of the most that the measured machine did (${countText(ANSWERS_PER_SECOND)}): answers take longer, during a checkpoint longer still`;
  },
  submission_queue: ({commandsPerSecond, config}) => {
    const {maxSubmissionQueue} = config.engine;
    const queueMs = (1000 * maxSubmissionQueue) / commandsPerSecond;
    if (queueMs >= QUEUE_SHORT_MS) return null;
    return `max_submission_queue, ${countText(maxSubmissionQueue)}, holds the commands of ${durationText(queueMs)}: during a longer pause of the disk more are answered overloaded`;
  },
  memory: ({memoryBytes}, machineBytes) => {
    const needed = memoryBytes + OTHER_MEMORY_BYTES;
    if (machineBytes === null || needed <= machineBytes) return null;
    return `tables and the rest take ${sizeText(needed)}, this machine has ${sizeText(machineBytes)}`;
  },
  operation_table: ({config}) => {
    const {maxOperations} = config.core;
    if (maxOperations <= ROWS_MAX / 2) return null;
    return `max_operations is ${percent(maxOperations)} of the most that can be had: a shorter retry window needs fewer`;
  },
  reservation_table: ({config}) => {
    const {maxReservations} = config.core;
    if (maxReservations <= ROWS_MAX / 2) return null;
    return `max_reservations is ${percent(maxReservations)} of the most that can be had: a smaller share of granted commands needs fewer`;
  },
  expirations_per_tick: ({config}) => {
    const {maxExpirationsPerTick} = config.engine;
    const ticks = Math.ceil(config.core.maxResources / maxExpirationsPerTick);
    if (ticks <= TICKS_MANY) return null;
    return `if all holds end in one slot, ${countText(ticks)} ticks of ${countText(maxExpirationsPerTick)} follow one another, and commands wait between them`;
  },
  slots: ({config, input}) => {
    const {maxTtlSlots} = config.core;
    if (maxTtlSlots < HOLD_SLOTS_FEW) {
      return `the longest hold has ${maxTtlSlots} slots, and one that is taken late in a slot lasts up to a slot less: slots of less than ${durationText(input.slotMs)} are more exact`;
    }
    if (maxTtlSlots <= WHEEL_SLOTS_MANY) return null;
    return `the longest hold has ${countText(maxTtlSlots)} slots, of 13 bytes each: longer slots than ${durationText(input.slotMs)} need less memory`;
  },
  checkpoints: ({snapshot, checkpointEveryMs}) => {
    if (snapshot.writeUnderLoadMs <= checkpointEveryMs) return null;
    return `a snapshot takes ${durationText(snapshot.writeUnderLoadMs)} to write under load, and the log asks for one every ${durationText(checkpointEveryMs)}: they follow one another without a pause, and a start replays more; raise --checkpoint-every-mib`;
  },
  retained_log: ({log, input}) => {
    if (input.disk.retainLogBytes === 0 || log.retainedMs >= RETAINED_SHORT_MS) return null;
    return `the retained log goes back ${durationText(log.retainedMs)} only: raise --retain-log-mib for change feeds, histories and restores that reach further`;
  },
  recovery: ({recovery}) => {
    if (recovery.ms <= RECOVERY_LONG_MS) return null;
    return `a start after a crash takes up to ${durationText(recovery.ms)}: smaller tables or a smaller --checkpoint-every-mib shorten it`;
  },
};

/** The warnings of a plan; `machineBytes` is the memory of the machine, where known. */
export function warningsOf(plan: Omit<Plan, 'warnings'>, machineBytes: number | null): PlanWarning[] {
  return (Object.keys(JUDGES) as PlanWarningCode[]).flatMap(code => {
    const message = JUDGES[code](plan, machineBytes);
    return message === null ? [] : [{code, message}];
  });
}

function percent(rows: number): string {
  return `${Math.round((100 * rows) / ROWS_MAX)} %`;
}
