/**
 * What routes of commands have in common: the operation that a request names, and the one way from a command to its answer.
 */
import type {AnswerByCommand, BatchCommand, Database, OperationId} from '@allocdb/api';
import type {FastifyReply, FastifyRequest} from 'fastify';
import {type CommandReply, operationOfKey, replyOf} from '../command_json.ts';
import {type Problem, sendProblem} from '../problem.ts';

/** The operation of a request, from its Idempotency-Key or fresh. From here on every answer names it. */
export function operationOf(request: FastifyRequest): OperationId {
  const key = request.raw.headers['idempotency-key'];
  // The schema of the headers has seen to its form.
  const operation = operationOfKey(typeof key === 'string' ? key : undefined);
  request.operation = operation;
  return operation;
}

/** Executes a command and answers with what became of it. */
export async function execute(database: Database, command: BatchCommand, reply: FastifyReply): Promise<FastifyReply> {
  const answer = await run(database, command);
  const {status, body} = replyOf(command, answer);
  if ('category' in body) return sendProblem(reply, body as Problem);
  const location = locationOf(body);
  if (status === CREATED && location !== null) reply.header('location', location);
  return reply.code(status).send(body);
}

const CREATED = 201;

function run(database: Database, command: BatchCommand): Promise<AnswerByCommand[BatchCommand['command']]> {
  switch (command.command) {
    case 'create_resource':
      return database.createResource(command);
    case 'reserve':
      return database.reserve(command);
    case 'reserve_bundle':
      return database.reserveBundle(command);
    default:
      return database[command.command](command as never);
  }
}

/** Where what was made can be read. */
function locationOf(body: CommandReply['body']): string | null {
  const {resource, reservation} = body as {resource?: string; reservation?: {id: string}};
  if (resource !== undefined) return `/v1/resources/${resource}`;
  return reservation === undefined ? null : `/v1/reservations/${reservation.id}`;
}
