/**
 * Routes of reservations: hold one resource or several, confirm, give back, take away, and read.
 */
import {type BatchCommand, holderId, type ReservationStateName, reservationId} from '@allocdb/api';
import {Type} from 'typebox';
import {holderFields, RESERVE_CHOICES, reserveFields} from '../command_fields.ts';
import {holderCommand, reserveCommand} from '../command_json.ts';
import {RESERVATION_STATES} from '../components.ts';
import {commandHeaders, idField, limit, nameField, position, requiredLsn} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {problemOf, sendProblem} from '../problem.ts';
import {fenceOf, fenceProblem, reservationJson, textOrNull} from '../read_json.ts';
import {execute, operationOf} from './commands.ts';

const strict = {additionalProperties: false} as const;
const OF_RESERVE = [
  'resource_busy',
  'resource_not_found',
  'ttl_out_of_range',
  'bundle_too_large',
  'reservation_table_full',
  'expiration_index_full',
  'command_too_large',
] as const;
const OF_RESERVATION = ['reservation_not_found', 'reservation_retired', 'invalid_state'] as const;
const OF_HOLDER = [...OF_RESERVATION, 'holder_mismatch', 'stale_epoch'] as const;

const ReserveBody = Type.Object(reserveFields, {...strict, ...RESERVE_CHOICES});
const HolderBody = Type.Object(holderFields, {
  ...strict,
  examples: [{holder: '7f3c0000000000000000000000000001', epoch: '1'}],
});
const NoBody = Type.Object({}, strict);
const OneParams = Type.Object({id: idField('The reservation.', '000000000000000000000000000001a3')}, strict);
const OneQuery = Type.Object({required_lsn: requiredLsn}, strict);
const ManyQuery = Type.Object(
  {
    holder: Type.Optional(idField('Only those of this holder.', '7f3c0000000000000000000000000001')),
    state: Type.Optional(nameField(RESERVATION_STATES, 'Only those in this state.')),
    position,
    limit,
    required_lsn: requiredLsn,
  },
  strict,
);

export function reservationRoutes(app: HttpApp, context: HttpContext): void {
  const {database, slotDurationMs} = context.host;
  app.post(
    '/v1/reservations',
    {
      config: {kind: 'command', problems: OF_RESERVE},
      schema: {
        operationId: 'reserve',
        summary: 'Hold one resource, or several together, until a deadline',
        description: 'Several are held all or none. One in a list of one is another command than one by itself.',
        tags: ['reservations'],
        headers: commandHeaders,
        body: ReserveBody,
        response: {201: Type.Ref('Reserved#')},
      },
    },
    (request, reply) => {
      const operation = operationOf(request);
      return execute(database, reserveCommand(request.body, operation, slotDurationMs), reply);
    },
  );
  for (const command of ['confirm', 'release'] as const) holderRoute(app, context, command);
  for (const command of ['revoke', 'reclaim'] as const) operatorRoute(app, context, command);
  readRoutes(app, context);
}

const SUMMARIES = {
  confirm: 'Make a hold permanent',
  release: 'Give a held or confirmed reservation back',
  revoke: 'Begin to take a confirmed reservation away',
  reclaim: 'End a revocation: its resources are free again',
} as const;

function holderRoute(app: HttpApp, {host}: HttpContext, command: 'confirm' | 'release'): void {
  app.post(
    `/v1/reservations/:id/${command}`,
    {
      config: {kind: 'command', problems: OF_HOLDER},
      schema: {
        operationId: command,
        summary: SUMMARIES[command],
        tags: ['reservations'],
        headers: commandHeaders,
        params: OneParams,
        body: HolderBody,
        response: {200: Type.Ref('Done#')},
      },
    },
    (request, reply) => {
      const operation = operationOf(request);
      return execute(host.database, holderCommand(command, request.params.id, request.body, operation), reply);
    },
  );
}

function operatorRoute(app: HttpApp, {host}: HttpContext, command: 'revoke' | 'reclaim'): void {
  app.post(
    `/v1/reservations/:id/${command}`,
    {
      config: {kind: 'command', problems: OF_RESERVATION, hasNoBody: true},
      preValidation: (request, _reply, done) => {
        request.body ??= {};
        done();
      },
      schema: {
        operationId: command,
        summary: SUMMARIES[command],
        tags: ['reservations'],
        headers: commandHeaders,
        params: OneParams,
        body: NoBody,
        response: {200: Type.Ref('Done#')},
      },
    },
    (request, reply) => {
      const reservation = reservationId(request.params.id);
      const input: BatchCommand = {command, reservation, operationId: operationOf(request)};
      return execute(host.database, input, reply);
    },
  );
}

function readRoutes(app: HttpApp, {host: {database}}: HttpContext): void {
  app.get(
    '/v1/reservations/:id',
    {
      config: {kind: 'read', problems: ['reservation_not_found', 'reservation_retired', 'fence_not_applied']},
      schema: {
        operationId: 'getReservation',
        summary: 'Read a reservation with its epoch and all its members',
        tags: ['reservations'],
        params: OneParams,
        querystring: OneQuery,
        response: {200: Type.Ref('Reservation#')},
      },
    },
    async (request, reply) => {
      const answer = await database.getLease(reservationId(request.params.id), fenceOf(request.query));
      if (answer.result === 'found') return reply.send(reservationJson(answer.lease));
      return sendProblem(
        reply,
        answer.result === 'fence_not_applied' ? fenceProblem(answer) : problemOf(answer.result),
      );
    },
  );

  app.get(
    '/v1/reservations',
    {
      config: {kind: 'read', problems: ['fence_not_applied']},
      schema: {
        operationId: 'listReservations',
        summary: 'Read all reservations, page by page',
        description: 'Those that are there while all pages are read are shown exactly once.',
        tags: ['reservations'],
        querystring: ManyQuery,
        response: {200: Type.Ref('ReservationPage#')},
      },
    },
    async (request, reply) => {
      const {holder, state, position: from, limit: most} = request.query;
      const input = {
        holder: holder === undefined ? undefined : holderId(holder),
        state: state as ReservationStateName | undefined,
        position: from === undefined ? 0n : BigInt(from),
        limit: Number(most ?? 0),
      };
      const answer = await database.scanReservations(input, fenceOf(request.query));
      if (answer.result === 'fence_not_applied') return sendProblem(reply, fenceProblem(answer));
      const {leases, next, lsn} = answer;
      return reply.send({
        reservations: leases.map(reservationJson),
        next: textOrNull(next),
        lsn: textOrNull(lsn),
      });
    },
  );
}
