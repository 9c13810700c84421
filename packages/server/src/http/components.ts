/**
 * What is answered, as schemas that the OpenAPI document names and the serialisers are made from. Every member is always
 * there; what is absent is null.
 */
import {RESERVATION_STATE_NAMES, RESOURCE_STATE_NAMES, STARTUP_KIND_NAMES} from '@allocdb/api';
import {type TSchema, Type} from 'typebox';
import {idAnswer, u64Text, u64TextOrNull} from './fields.ts';
import {History} from './history_component.ts';
import {problemType} from './problem.ts';
import {PROBLEM_CODES} from './problem_table.ts';

export const RESOURCE_STATES: readonly string[] = RESOURCE_STATE_NAMES.filter(name => name !== '');
export const RESERVATION_STATES: readonly string[] = RESERVATION_STATE_NAMES.filter(name => name !== '');

const RESERVATION_EXAMPLE = '000000000000000000000000000001a3';
const HOLDER_EXAMPLE = '7f3c0000000000000000000000000001';
const OPERATION_EXAMPLE = '5b0000000000000000000000000000c4';

/** Every answer to a command. */
const command = {
  lsn: u64Text('Where the command stands in the log; of a retry, where the first one stands.', '977'),
  operation: idAnswer('The operation, to be repeated if need be.', OPERATION_EXAMPLE),
  from_retry_cache: Type.Boolean({description: 'The operation had been executed before, and this is its answer.'}),
};
const commandExample = {lsn: '977', operation: OPERATION_EXAMPLE, from_retry_cache: false};

const nullableId = (description: string, example: string): TSchema =>
  Type.Unsafe({type: ['string', 'null'], description, pattern: '^[0-9a-f]{32}$', examples: [example, null]});

const resourceProperties = {
  id: idAnswer('The resource.'),
  state: Type.Unsafe<string>({type: 'string', enum: RESOURCE_STATES}),
  reservation: nullableId('The reservation that owns it, null when available.', RESERVATION_EXAMPLE),
  version: u64Text('Counts its changes of state.', '3'),
};
const resourceExample = {
  id: '018f6c1e00007000800000000000002a',
  state: 'reserved',
  reservation: RESERVATION_EXAMPLE,
  version: '3',
};

const reservationExample = {
  id: RESERVATION_EXAMPLE,
  holder: HOLDER_EXAMPLE,
  state: 'reserved',
  epoch: '1',
  resources: ['018f6c1e00007000800000000000002a'],
  created_lsn: '419',
  deadline_slot: '1042',
  released_lsn: null,
  retire_after_slot: null,
};

const page = {
  next: u64TextOrNull('Where the next page begins; null when this is the last one.', '1000'),
  lsn: u64TextOrNull(
    'The last lsn of what is shown; null when nothing has happened yet, and for what was asked for by id.',
    '977',
  ),
};

const strict = {additionalProperties: false} as const;

/** Schemas by the name that the document gives them. */
export const COMPONENTS: Readonly<Record<string, TSchema>> = {
  History,
  Created: Type.Object(
    {result: Type.Literal('created'), resource: idAnswer('The resource.'), ...command},
    {
      ...strict,
      description: 'The resource is there, and available.',
      examples: [{result: 'created', resource: resourceExample.id, ...commandExample}],
    },
  ),
  Reserved: Type.Object(
    {
      result: Type.Literal('reserved'),
      reservation: Type.Object(
        {
          id: idAnswer('Only grows within a database: also a fencing token.', RESERVATION_EXAMPLE),
          epoch: u64Text('Confirm or release with it to be refused once the reservation was taken away.', '1'),
          deadline_slot: u64Text(
            'The hold ends when the clock is at this slot, unless confirmed: never before.',
            '1042',
          ),
          holder: idAnswer('The holder.', HOLDER_EXAMPLE),
          resources: Type.Array(idAnswer('A resource.'), {description: 'In the order of the request.'}),
        },
        strict,
      ),
      ...command,
    },
    {
      ...strict,
      description: 'All resources are held until the deadline.',
      examples: [
        {
          result: 'reserved',
          reservation: {
            id: RESERVATION_EXAMPLE,
            epoch: '1',
            deadline_slot: '1042',
            holder: HOLDER_EXAMPLE,
            resources: reservationExample.resources,
          },
          ...commandExample,
        },
      ],
    },
  ),
  Done: Type.Object(
    {
      result: Type.Unsafe<string>({type: 'string', enum: ['confirmed', 'released', 'revoking', 'reclaimed']}),
      reservation: idAnswer('The reservation.', RESERVATION_EXAMPLE),
      ...command,
    },
    {
      ...strict,
      description: 'What was asked for has been done.',
      examples: [{result: 'confirmed', reservation: RESERVATION_EXAMPLE, ...commandExample}],
    },
  ),
  Resource: Type.Object(resourceProperties, {
    ...strict,
    description: 'A resource as it is.',
    examples: [resourceExample],
  }),
  ResourceOrNull: Type.Unsafe({
    ...Type.Object(resourceProperties, strict),
    type: ['object', 'null'],
    description: 'A resource as it is; null for one that was never created.',
    examples: [resourceExample, null],
  }),
  ResourcePage: Type.Object(
    {resources: Type.Array(Type.Ref('ResourceOrNull#')), ...page},
    {
      ...strict,
      description: 'Resources in the order of their creation; those asked for by id in the order of the request.',
      examples: [{resources: [resourceExample], next: '1000', lsn: '977'}],
    },
  ),
  Reservation: Type.Object(
    {
      id: idAnswer('The reservation.', RESERVATION_EXAMPLE),
      holder: idAnswer('Who it belongs to.', HOLDER_EXAMPLE),
      state: Type.Unsafe<string>({type: 'string', enum: RESERVATION_STATES}),
      epoch: u64Text('Counts how often the right to it was taken from its holder; 1 at first.', '1'),
      resources: Type.Array(idAnswer('A resource.'), {description: 'In the order of the request.'}),
      created_lsn: u64Text('Where it was granted.', '419'),
      deadline_slot: u64Text('Slot at which the hold ends or ended, unless confirmed.', '1042'),
      released_lsn: u64TextOrNull('Where it ended, null while it is live.', '977'),
      retire_after_slot: u64TextOrNull('Last slot at which it can be read, null while it is live.', '7042'),
    },
    {...strict, description: 'A reservation with its epoch and all its members.', examples: [reservationExample]},
  ),
  ReservationPage: Type.Object(
    {reservations: Type.Array(Type.Ref('Reservation#')), ...page},
    {
      ...strict,
      description: 'Reservations in no order that means anything. Positions end with the process of the server.',
      examples: [{reservations: [reservationExample], next: null, lsn: '977'}],
    },
  ),
  BatchResult: Type.Object(
    {
      results: Type.Array(
        Type.Object(
          {
            status: Type.Integer({description: 'The status that the command would have had by itself.'}),
            body: Type.Object({}, {additionalProperties: true, description: 'The body that it would have had.'}),
          },
          strict,
        ),
      ),
    },
    {
      ...strict,
      description: 'What became of each command, in order.',
      examples: [
        {results: [{status: 201, body: {result: 'created', resource: resourceExample.id, ...commandExample}}]},
      ],
    },
  ),
  Counters: Type.Object(
    {
      queue_depth: Type.Integer({description: 'Commands that wait for the disk.'}),
      queue_capacity: Type.Integer(),
      accepting_writes: Type.Boolean({description: 'False when halted or out of lsns.'}),
      startup_kind: Type.Unsafe<string>({type: 'string', enum: STARTUP_KIND_NAMES.filter(name => name !== '')}),
      loaded_snapshot_lsn: u64TextOrNull('At startup.', '900'),
      replayed_wal_frame_count: Type.Integer({description: 'Records replayed at startup.'}),
      replayed_wal_last_lsn: u64TextOrNull('The last of them.', '976'),
      active_snapshot_lsn: u64TextOrNull('Of the newest snapshot.', '900'),
      last_applied_lsn: u64TextOrNull('Of the last command.', '977'),
      last_request_slot: u64TextOrNull('Of the last command.', '980'),
      logical_slot_lag: u64Text('Slots since then.', '62'),
      expiration_backlog: Type.Integer({description: 'Holds that are due and not yet ended.'}),
      operation_table_used: Type.Integer(),
      operation_table_capacity: Type.Integer(),
      operation_table_utilization_pct: Type.Integer({description: 'Rounded down.'}),
      current_slot: u64Text('The time of the server, in slots.', '1042'),
      slot_duration_ms: Type.Number(),
    },
    {...strict, description: 'Counters of the database at this moment.'},
  ),
  Live: Type.Object({live: Type.Literal(true)}, {...strict, description: 'The process answers.'}),
  Ready: Type.Object(
    {
      ready: Type.Literal(true),
      reasons: Type.Optional(Type.Array(Type.String())),
      details: Type.Optional(Type.Object({}, {additionalProperties: true})),
    },
    {...strict, description: 'The server can do its work.'},
  ),
  Problem: Type.Object(
    {
      type: Type.String({description: 'Where this document describes the problem.'}),
      title: Type.String(),
      status: Type.Integer(),
      detail: Type.String({description: 'For people. Its words may change.'}),
      code: Type.Unsafe<string>({type: 'string', enum: PROBLEM_CODES, description: 'For programs.'}),
      category: Type.Unsafe<string>({
        type: 'string',
        enum: ['definite', 'indefinite'],
        description:
          'definite: nothing happened, but for a refusal that is remembered. indefinite: the command may have been ' +
          'executed; send it again with the same Idempotency-Key, or with `operation` as the key.',
      }),
      operation: Type.Optional(command.operation),
      operations: Type.Optional(Type.Array(command.operation, {description: 'Of a batch, in order.'})),
      lsn: Type.Optional(command.lsn),
      from_retry_cache: Type.Optional(command.from_retry_cache),
      errors: Type.Optional(
        Type.Array(
          Type.Object(
            {
              in: Type.Unsafe<string>({type: 'string', enum: ['body', 'query', 'path', 'header']}),
              pointer: Type.String({description: 'JSON pointer to the field; empty for all of it.'}),
              detail: Type.String(),
            },
            strict,
          ),
        ),
      ),
      oldest_lsn: Type.Optional(u64Text('The first lsn from which changes can be had.', '12')),
      required_lsn: Type.Optional(u64Text('What was required.', '980')),
      last_applied_lsn: Type.Optional(u64TextOrNull('How far the database is.', '977')),
      queue_depth: Type.Optional(Type.Integer()),
      queue_capacity: Type.Optional(Type.Integer()),
      scope: Type.Optional(Type.Unsafe<string>({type: 'string', enum: ['server', 'connection']})),
      reasons: Type.Optional(Type.Array(Type.String())),
      retry_after_ms: Type.Optional(Type.Integer({description: 'As Retry-After, more exactly.'})),
    },
    {
      description: 'A problem after RFC 9457.',
      examples: [
        {
          type: problemType('resource_busy'),
          title: 'Resource is held',
          status: 409,
          detail: 'A resource is held by somebody.',
          code: 'resource_busy',
          category: 'definite',
          ...commandExample,
        },
      ],
    },
  ),
};
