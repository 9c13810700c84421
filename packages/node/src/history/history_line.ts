/**
 * Lines of a history file: text to entries, with a typed error for whatever is no entry, and entries to text for whoever
 * records one. Both sides of the format are here and in `command_fields.ts`; `docs/history.md` says it in words.
 *
 * A line is self-contained. What lines say about each other is judged by the checks, with one exception: the first line
 * is the header.
 */
import {RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, RESULT_NAMES, type ResultName} from '@allocdb/core';
import {configOfJson, configToJson} from '../config.ts';
import {readCommand, writeCommand} from './command_fields.ts';
import type {Attempt, AttemptAnswer, HistoryEntry, HistoryHeader, Read, ReadAnswer, Span, Tick} from './entry.ts';
import {HistoryError} from './history_error.ts';
import {LineFields} from './line_fields.ts';

/** The engine's part of a configuration decides no answer; the one place that reads both wants it all the same. */
const ANY_ENGINE = {max_submission_queue: 1, max_command_bytes: 1, max_expirations_per_tick: 1};

/** Reads the first line. Throws {@link HistoryError}. */
export function parseHistoryHeader(text: string): HistoryHeader {
  const fields = new LineFields(jsonOf(text, 1), 1);
  fields.oneOf('type', ['history']);
  if (fields.count('version') !== 1) fields.fail('version', '1');
  const begins = fields.oneOf('begins', ['empty', 'unknown']);
  if (!fields.has('core')) {
    fields.end();
    return {type: 'history', version: 1, begins, core: null};
  }
  const core = fields.raw('core');
  fields.end();
  try {
    return {type: 'history', version: 1, begins, core: configOfJson({core, engine: ANY_ENGINE}).core};
  } catch (error) {
    throw new HistoryError(1, `core is no configuration: ${(error as Error).message}`);
  }
}

/** Reads line `line` (from 2 on). Throws {@link HistoryError}. */
export function parseHistoryLine(text: string, line: number): HistoryEntry {
  const fields = new LineFields(jsonOf(text, line), line);
  const type = fields.oneOf('type', ['attempt', 'read', 'tick']);
  const entry =
    type === 'attempt' ? readAttempt(fields, line) : type === 'read' ? readRead(fields, line) : readTick(fields, line);
  fields.end();
  const {sent, came, answer} = entry;
  if (came !== null && came < sent) throw new HistoryError(line, 'came must not be before sent');
  if ((answer.type === 'nothing') !== (came === null)) {
    throw new HistoryError(line, 'came must be null exactly where the answer is nothing');
  }
  return entry;
}

/** The header as a line, without its end. */
export function historyHeaderLine({begins, core}: Omit<HistoryHeader, 'type' | 'version'>): string {
  const engine = {maxSubmissionQueue: 1, maxCommandBytes: 1, maxExpirationsPerTick: 1};
  const known = core === null ? {} : {core: configToJson({core, engine}).core};
  return JSON.stringify({type: 'history', version: 1, begins, ...known});
}

/** An entry as a line, without its end; its own line number plays no part. */
export function historyLine(entry: Omit<Attempt, 'line'> | Omit<Read, 'line'> | Omit<Tick, 'line'>): string {
  const {type, client, sent, came, connection, place} = entry;
  const wire = connection === null ? {} : {connection, place};
  const span = {client: String(client), ...wire, sent, came};
  switch (type) {
    case 'attempt': {
      const {operation, command, answer} = entry;
      return textOf({
        type,
        operation: String(operation),
        command: writeCommand(command),
        ...span,
        answer: writeAnswer(answer),
      });
    }
    case 'read': {
      const {kind, id, requiredLsn, slot, answer} = entry;
      return textOf({
        type,
        kind,
        id: String(id),
        required_lsn: requiredLsn,
        slot,
        ...span,
        answer: writeReadAnswer(answer),
      });
    }
    case 'tick': {
      const {slot, answer} = entry;
      const {type: what, ...rest} = answer;
      const said = 'count' in rest ? {count: rest.count, last_lsn: rest.lastLsn} : rest;
      return textOf({type, slot, ...span, answer: {type: what, ...said}});
    }
  }
}

function jsonOf(text: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HistoryError(line, 'is no JSON');
  }
}

function textOf(value: object): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? String(each) : each));
}

function readSpan(fields: LineFields, line: number): Span {
  const connection = fields.has('connection') ? fields.text('connection') : null;
  return {
    client: fields.u128('client'),
    sent: fields.time('sent'),
    came: fields.timeOrNull('came'),
    connection,
    place: connection === null ? 0 : fields.count('place'),
    line,
  };
}

function readAttempt(fields: LineFields, line: number): Attempt {
  const command = fields.object('command');
  const operation = fields.u128('operation');
  const span = readSpan(fields, line);
  const answer = readAnswer(fields.object('answer'));
  return {type: 'attempt', operation, command: readCommand(command), answer, ...span};
}

function readAnswer(fields: LineFields): AttemptAnswer {
  const type = fields.oneOf('type', ['committed', 'definite', 'indefinite', 'nothing']);
  if (type === 'nothing') {
    fields.end();
    return {type};
  }
  if (type !== 'committed') {
    const code = fields.text('code');
    fields.end();
    return {type, code};
  }
  const answer: AttemptAnswer = {
    type,
    lsn: fields.u64('lsn'),
    result: fields.oneOf<ResultName | ''>('result', RESULT_NAMES) as ResultName,
    reservationId: fields.u128OrNull('reservation_id'),
    deadlineSlot: fields.u64OrNull('deadline_slot'),
    fromRetryCache: fields.flag('from_retry_cache'),
  };
  if (answer.lsn === 0n) fields.fail('lsn', 'at least 1');
  fields.end();
  return answer;
}

function writeAnswer(answer: AttemptAnswer): object {
  if (answer.type !== 'committed') return answer;
  const {type, lsn, result, reservationId, deadlineSlot, fromRetryCache} = answer;
  return {
    type,
    lsn,
    result,
    reservation_id: reservationId,
    deadline_slot: deadlineSlot,
    from_retry_cache: fromRetryCache,
  };
}

function readRead(fields: LineFields, line: number): Read {
  const kind = fields.oneOf('kind', ['get_resource', 'get_reservation', 'get_lease']);
  const [id, requiredLsn, slot] = [fields.u128('id'), fields.u64OrNull('required_lsn'), fields.u64OrNull('slot')];
  const span = readSpan(fields, line);
  const said = fields.object('answer');
  const found = kind === 'get_resource' ? 'resource' : 'reservation';
  const answer = readReadAnswer(
    said,
    said.oneOf('type', [found, 'not_found', 'retired', 'fence_not_applied', 'nothing']),
  );
  said.end();
  return {type: 'read', kind, id, requiredLsn, slot, answer, ...span};
}

function readReadAnswer(fields: LineFields, type: ReadAnswer['type']): ReadAnswer {
  switch (type) {
    case 'resource':
      return {
        type,
        state: fields.oneOf('state', RESOURCE_STATE_NAMES) as 'available',
        reservationId: fields.u128OrNull('reservation_id'),
        version: fields.u64('version'),
      };
    case 'reservation':
      return {
        type,
        holderId: fields.u128('holder_id'),
        state: fields.oneOf('state', RESERVATION_STATE_NAMES) as 'reserved',
        createdLsn: fields.u64('created_lsn'),
        deadlineSlot: fields.u64('deadline_slot'),
        releasedLsn: fields.u64OrNull('released_lsn'),
        leaseEpoch: fields.u64OrNull('lease_epoch'),
        resourceIds: fields.ids('resource_ids'),
      };
    case 'fence_not_applied':
      return {type, lastLsn: fields.u64OrNull('last_lsn')};
    default:
      return {type};
  }
}

function writeReadAnswer(answer: ReadAnswer): object {
  switch (answer.type) {
    case 'resource':
      return {type: answer.type, state: answer.state, reservation_id: answer.reservationId, version: answer.version};
    case 'reservation':
      return {
        type: answer.type,
        holder_id: answer.holderId,
        state: answer.state,
        created_lsn: answer.createdLsn,
        deadline_slot: answer.deadlineSlot,
        released_lsn: answer.releasedLsn,
        lease_epoch: answer.leaseEpoch,
        resource_ids: answer.resourceIds,
      };
    case 'fence_not_applied':
      return {type: answer.type, last_lsn: answer.lastLsn};
    default:
      return {type: answer.type};
  }
}

function readTick(fields: LineFields, line: number): Tick {
  const slot = fields.u64('slot');
  const span = readSpan(fields, line);
  const said = fields.object('answer');
  const type = said.oneOf('type', ['applied', 'definite', 'indefinite', 'nothing']);
  const answer: Tick['answer'] =
    type === 'applied' ? {type, ...readApplied(said)} : type === 'nothing' ? {type} : {type, code: said.text('code')};
  said.end();
  return {type: 'tick', slot, answer, ...span};
}

/** Every expiration has an lsn of its own, so there are no more of them than lsns up to the last. */
function readApplied(fields: LineFields): {count: number; lastLsn: bigint | null} {
  const [count, lastLsn] = [fields.count('count'), fields.u64OrNull('last_lsn')];
  if (BigInt(count) > (lastLsn ?? 0n)) fields.fail('count', 'at most last_lsn');
  return {count, lastLsn};
}
