/**
 * The route of batches: several commands in one request, executed in order, each answered as it would have been alone. It
 * is not a transaction. One key for the whole batch makes each of its commands happen once: the operation of a command
 * without a key of its own is derived from the batch's and its place.
 */
import {
  type AnswerByCommand,
  type BatchCommand,
  type NotAnswered,
  type OperationId,
  operationIdFrom,
  reservationId,
  resourceId,
} from '@allocdb/api';
import {type TSchema, Type} from 'typebox';
import {holderFields, RESERVE_CHOICES, reserveFields} from '../command_fields.ts';
import {
  type CommandReply,
  type HolderFields,
  holderCommand,
  operationOfKey,
  type ReserveFields,
  replyOf,
  reserveCommand,
} from '../command_json.ts';
import {problemOfFailure} from '../failures.ts';
import {commandHeaders, idempotencyKey, idField} from '../fields.ts';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {type Problem, sendProblem} from '../problem.ts';
import {batchForbidden, takeRate} from '../route_access.ts';
import {operationOf} from './commands.ts';

/** A command of a batch, as its schema lets it through. */
type Member = {readonly idempotency_key?: string} & (
  | {readonly command: 'create_resource'; readonly resource: string}
  | ({readonly command: 'reserve'} & ReserveFields)
  | ({readonly command: 'confirm' | 'release'; readonly reservation: string} & HolderFields)
  | {readonly command: 'revoke' | 'reclaim'; readonly reservation: string}
);

const strict = {additionalProperties: false} as const;
const common = {
  idempotency_key: Type.Optional(idempotencyKey(' In a batch with a key it is derived from that and the place in it.')),
};
const reservation = idField('The reservation.', '000000000000000000000000000001a3');

function oneOf(command: string, fields: Record<string, TSchema>, more: object = {}): TSchema {
  return Type.Object({command: Type.Literal(command), ...fields, ...common}, {...strict, ...more});
}

const MemberSchema = Type.Unsafe<Member>({
  type: 'object',
  required: ['command'],
  discriminator: {propertyName: 'command'},
  oneOf: [
    oneOf('create_resource', {resource: idField('The id that the resource is to have.')}),
    oneOf('reserve', reserveFields, {allOf: RESERVE_CHOICES.allOf}),
    oneOf('confirm', {reservation, ...holderFields}),
    oneOf('release', {reservation, ...holderFields}),
    oneOf('revoke', {reservation}),
    oneOf('reclaim', {reservation}),
  ],
});

function bodyOf(maxBatch: number) {
  return Type.Object(
    {
      commands: Type.Array(MemberSchema, {
        title: `1 to ${maxBatch} commands`,
        description: 'Executed in order. A refusal does not stop those after it.',
        minItems: 1,
        maxItems: maxBatch,
      }),
    },
    {
      ...strict,
      examples: [
        {
          commands: [
            {command: 'create_resource', resource: '018f6c1e00007000800000000000002a'},
            {
              command: 'reserve',
              resource: '018f6c1e00007000800000000000002a',
              holder: '7f3c0000000000000000000000000001',
              ttl_ms: 60_000,
              idempotency_key: 'order-4711/reserve',
            },
          ],
        },
      ],
    },
  );
}

export function batchRoutes(app: HttpApp, {host, limits}: HttpContext): void {
  app.post(
    '/v1/batch',
    {
      config: {kind: 'batch', problems: []},
      schema: {
        operationId: 'batch',
        summary: 'Several commands in one request',
        description:
          'Answered 200 whenever the batch was taken, with status and body of each command. Not atomic: after a failure ' +
          'repeat it whole, with the same keys, and each command gives its first answer. ',
        tags: ['batch'],
        headers: commandHeaders,
        body: bodyOf(limits.maxBatch),
        response: {200: Type.Ref('BatchResult#')},
      },
    },
    async (request, reply) => {
      const operation = operationOf(request);
      const commands = request.body.commands.map((member, i) => commandOf(member, i, operation, host.slotDurationMs));
      const refused = batchForbidden(request, commands) ?? takeRate(request, commands.length);
      if (refused !== null) return sendProblem(reply, refused);
      const answers = (await host.database.batch(commands)) as MemberAnswer[];
      const notTaken = problemOfAll(answers);
      if (notTaken !== null) return sendProblem(reply, notTaken);
      return reply.send({results: answers.map((answer, i) => resultOf(commands[i] as BatchCommand, answer))});
    },
  );
}

type MemberAnswer = AnswerByCommand[BatchCommand['command']] | NotAnswered;

function commandOf(member: Member, index: number, batch: OperationId, slotDurationMs: number): BatchCommand {
  const {idempotency_key: key} = member;
  const operation = key === undefined ? operationIdFrom(`${batch}/${index}`) : operationOfKey(key);
  switch (member.command) {
    case 'create_resource':
      return {command: member.command, resource: resourceId(member.resource), operationId: operation};
    case 'reserve':
      return reserveCommand(member, operation, slotDurationMs);
    case 'confirm':
    case 'release':
      return holderCommand(member.command, member.reservation, member, operation);
    default:
      return {command: member.command, reservation: reservationId(member.reservation), operationId: operation};
  }
}

function resultOf(command: BatchCommand, answer: MemberAnswer): CommandReply {
  if (answer.result !== 'not_answered') return replyOf(command, answer);
  const body = problemOfFailure(answer.error, {operation: answer.operation});
  return {status: body.status, body};
}

/** The problem of a batch of which no command was answered, for one reason: it was not taken, or the engine has halted. */
function problemOfAll(answers: readonly MemberAnswer[]): Problem | null {
  const errors = answers.flatMap(answer => (answer.result === 'not_answered' ? [answer.error] : []));
  const [first] = errors;
  if (first === undefined || errors.length < answers.length) return null;
  if (errors.some(({code}) => code !== first.code) || first.code === 'slot_overflow') return null;
  return problemOfFailure(first, {operations: answers.map(({operation}) => operation)});
}
