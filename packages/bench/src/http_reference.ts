/**
 * What any server of this kind would cost: Fastify with routes whose bodies, parameters and answers have TypeBox schemas,
 * which answers the load of the `http` scenario with JSON of the shape and length that the database answers. Run as a
 * process of its own, `http_reference.js`; it says its port on stderr as the real server does.
 *
 * What it does not do: no disk and no log, no tables, no operation is looked up, nobody is asked for a token, requests are
 * neither counted nor logged, and no header is sent but what Fastify sends by itself. Which answer is the right one it knows
 * from the command alone: a reserve of a hot resource is refused. Node is started with the flags of the server.
 */
import {type FastifyInstance, type FastifyReply, fastify, type RouteHandlerMethod} from 'fastify';
import {type TSchema, Type} from 'typebox';
import {endWithStandardInput} from './ends_with_parent.ts';
import {HOT_RESOURCES} from './workload.ts';

/** The command of a request of its own, or of a batch. */
interface Command {
  readonly command: 'reserve' | 'confirm' | 'release';
  readonly resource?: string;
  readonly reservation?: string;
  readonly holder: string;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

const strict = {additionalProperties: false} as const;
const id = Type.String({pattern: '^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$'});
const ttl = Type.Integer({minimum: 0, maximum: Number.MAX_SAFE_INTEGER});
const key = Type.String({minLength: 1, maxLength: 256});
const done = {lsn: Type.String(), operation: Type.String(), from_retry_cache: Type.Boolean()};
const grant = Type.Object(
  {
    id: Type.String(),
    epoch: Type.String(),
    deadline_slot: Type.String(),
    holder: Type.String(),
    resources: Type.Array(Type.String()),
  },
  strict,
);
const resource = Type.Object(
  {
    id: Type.String(),
    state: Type.String(),
    reservation: Type.Unsafe({type: ['string', 'null']}),
    version: Type.String(),
  },
  strict,
);
const result = Type.Object({status: Type.Integer(), body: Type.Object({}, {additionalProperties: true})}, strict);
const params = Type.Object({id}, strict);
const headers = Type.Object({'idempotency-key': key}, {});

function memberOf(command: string, fields: Record<string, TSchema>): TSchema {
  return Type.Object({command: Type.Literal(command), ...fields, holder: id, idempotency_key: key}, strict);
}

const MEMBER: TSchema = Type.Unsafe({
  type: 'object',
  required: ['command'],
  discriminator: {propertyName: 'command'},
  oneOf: [
    memberOf('reserve', {resource: id, ttl_slots: ttl}),
    memberOf('confirm', {reservation: id}),
    memberOf('release', {reservation: id}),
  ],
});
const RESULTS = {reserve: 'reserved', confirm: 'confirmed', release: 'released'} as const;
const BATCH_MAX = 8192;
/** Where the index stands in the id of a resource of the workload, as hex digits. */
const INDEX_AT = 16;
const ID_DIGITS = 32;
const FIRST_LSN = 100_000;
const DEADLINE_SLOT = '3042';
/** As many words as the database has for it. */
const BUSY_DETAIL: string = 'It is held by another holder, and this server does not know by whom. '
  .repeat(3)
  .slice(0, 175);

let lsn = FIRST_LSN;

function answerOf({command, resource: wanted = '', reservation = '', holder}: Command, operation: string): Answer {
  const common = {lsn: String(++lsn), operation, from_retry_cache: false};
  if (command !== 'reserve') return {status: 200, body: {result: RESULTS[command], reservation, ...common}};
  if (Number.parseInt(wanted.slice(INDEX_AT, INDEX_AT + 8), 16) < HOT_RESOURCES)
    return {status: 409, body: busy(common)};
  const granted = {
    id: lsn.toString(16).padStart(ID_DIGITS, '0'),
    epoch: '1',
    deadline_slot: DEADLINE_SLOT,
    holder,
    resources: [wanted],
  };
  return {status: 201, body: {result: RESULTS[command], reservation: granted, ...common}};
}

function busy(common: object): object {
  return {
    type: '/openapi.json#/components/responses/resource_busy',
    title: 'Resource is held',
    status: 409,
    detail: BUSY_DETAIL,
    code: 'resource_busy',
    category: 'definite',
    ...common,
  };
}

function send(reply: FastifyReply, {status, body}: Answer): FastifyReply {
  if (status < 400) return reply.code(status).send(body);
  return reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(body));
}

function routes(app: FastifyInstance): void {
  const answering =
    (command: Command['command']): RouteHandlerMethod =>
    (request, reply) => {
      const body = request.body as Omit<Command, 'command'>;
      const reservation = command === 'reserve' ? {} : {reservation: (request.params as {id: string}).id};
      return send(reply, answerOf({...body, ...reservation, command}, String(request.headers['idempotency-key'])));
    };
  const reserved = Type.Object({result: Type.Literal('reserved'), reservation: grant, ...done}, strict);
  const reserveBody = Type.Object({resource: id, holder: id, ttl_slots: ttl}, strict);
  app.post('/v1/reservations', {schema: {headers, body: reserveBody, response: {201: reserved}}}, answering('reserve'));
  const ended = Type.Object({result: Type.String(), reservation: Type.String(), ...done}, strict);
  const holderBody = Type.Object({holder: id}, strict);
  for (const command of ['confirm', 'release'] as const) {
    const schema = {headers, params, body: holderBody, response: {200: ended}};
    app.post(`/v1/reservations/:id/${command}`, {schema}, answering(command));
  }
  const batchBody = Type.Object({commands: Type.Array(MEMBER, {minItems: 1, maxItems: BATCH_MAX})}, strict);
  const batchAnswer = Type.Object({results: Type.Array(result)}, strict);
  app.post<{Body: {readonly commands: readonly (Command & {readonly idempotency_key: string})[]}}>(
    '/v1/batch',
    {schema: {body: batchBody, response: {200: batchAnswer}}},
    ({body}, reply) => reply.send({results: body.commands.map(each => answerOf(each, each.idempotency_key))}),
  );
  app.get<{Params: {id: string}}>(
    '/v1/resources/:id',
    {schema: {params, response: {200: resource}}},
    (request, reply) => reply.send({id: request.params.id, state: 'available', reservation: null, version: '0'}),
  );
}

async function main(): Promise<void> {
  endWithStandardInput();
  const customOptions = {coerceTypes: false, removeAdditional: false, useDefaults: false, discriminator: true};
  const app = fastify({ajv: {customOptions}, forceCloseConnections: true});
  routes(app);
  const address = await app.listen({host: '127.0.0.1', port: 0});
  process.stderr.write(`${JSON.stringify({event: 'listening', port: Number(new URL(address).port)})}\n`);
  process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
}

await main();
