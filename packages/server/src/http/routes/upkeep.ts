/**
 * Routes for whoever keeps the server: backups and checkpoints. Both take long, so they answer with a line of JSON for each
 * step and say in the last one what became of it; the connection is never still, and a client can show how far it is. What
 * fails before its first step is a problem with a status of its own, as of any other route.
 */
import {PassThrough} from 'node:stream';
import {isOpenError, type OnProgress, type OpenErrorCode} from '@allocdb/node';
import type {FastifyReply} from 'fastify';
import {Type} from 'typebox';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {type Problem, problemOf, sendProblem} from '../problem.ts';
import type {Json} from '../read_json.ts';

const strict = {additionalProperties: false} as const;
const LINES = 'application/x-ndjson';
/** A sign of life where a step takes longer than that. */
const HEARTBEAT_MS = 5000;
/** Why nothing can be written where a backup was to be. */
const TAKEN: ReadonlySet<OpenErrorCode> = new Set(['not_empty', 'locked'] as const);
const GIVEN_UP = {detail: 'The server stops and has given the work up: nothing is left of it.'} as const;

const BackupBody = Type.Object(
  {
    name: Type.String({
      title: 'letters, digits, dots, dashes and underscores, at most 100, beginning with a letter or digit',
      description: 'Name of the directory below the one for backups; it must not be there.',
      pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
      examples: ['2026-11-21'],
    }),
  },
  {...strict, examples: [{name: '2026-11-21'}]},
);

const lines = {
  200: {
    description: 'A line of JSON for each step; the last one has `done` or `problem`.',
    content: {[LINES]: {schema: {type: 'string'}}},
  },
} as const;

export function upkeepRoutes(app: HttpApp, {host, stopping}: HttpContext): void {
  app.post(
    '/v1/backups',
    {
      config: {kind: 'upkeep', problems: ['no_backups', 'backup_exists', 'upkeep_failed'], produces: LINES},
      schema: {
        operationId: 'makeBackup',
        summary: 'Copy the whole database into a new directory of the server, while commands go on',
        tags: ['server'],
        produces: [LINES],
        body: BackupBody,
        response: lines,
      },
    },
    async (request, reply) => {
      const {backup} = host;
      const {name} = request.body;
      if (backup === null) return sendProblem(reply, problemOf('no_backups'));
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort(new Error('the client has gone')));
      const signal = AbortSignal.any([stopping, gone.signal]);
      const work = async (onProgress: OnProgress): Promise<Json> => {
        const {lsn, snapshotLsn, bytes, durationMs} = await backup(name, {signal, onProgress});
        const lsns = {
          lsn: lsn === null ? null : String(lsn),
          snapshot_lsn: snapshotLsn === null ? null : String(snapshotLsn),
        };
        return {name, ...lsns, bytes, duration_ms: Math.round(durationMs)};
      };
      return answerWith(reply, await steps(stopping, work));
    },
  );

  app.post(
    '/v1/checkpoints',
    {
      config: {kind: 'upkeep', problems: ['upkeep_failed'], produces: LINES, hasNoBody: true},
      schema: {
        operationId: 'makeCheckpoint',
        summary: 'Write a snapshot, and cut the log as far as it is kept',
        tags: ['server'],
        produces: [LINES],
        response: lines,
      },
    },
    async (_request, reply) => {
      const work = async (): Promise<Json> => {
        const {lsn, digest, bytes, durationMs} = await host.checkpoint();
        const hex = digest.toString(16).padStart(32, '0');
        return {lsn: String(lsn), digest: hex, bytes, duration_ms: Math.round(durationMs)};
      };
      return answerWith(reply, await steps(stopping, work));
    },
  );
}

function answerWith(reply: FastifyReply, steps: PassThrough | Problem): FastifyReply {
  if (!(steps instanceof PassThrough)) return sendProblem(reply, steps);
  return reply.header('content-type', LINES).send(steps);
}

/** Lines about work that is under way, until it has ended; where it fails before there was any line, the problem. */
function steps(stopping: AbortSignal, work: (onProgress: OnProgress) => Promise<Json>): Promise<PassThrough | Problem> {
  return new Promise(resolve => {
    const stream = new PassThrough();
    let hasBegun = false;
    const put = (line: object): void => {
      stream.write(`${JSON.stringify(line)}\n`);
      hasBegun = true;
      resolve(stream);
    };
    const heartbeat = setInterval(() => put({}), HEARTBEAT_MS);
    work(progress => put({progress}))
      .then(
        done => put({done}),
        (error: unknown) => {
          const problem = stopping.aborted ? problemOf('shutting_down', GIVEN_UP) : problemOfWork(error);
          if (hasBegun) put({problem});
          else resolve(problem);
        },
      )
      .finally(() => {
        clearInterval(heartbeat);
        stream.end();
      });
  });
}

function problemOfWork(error: unknown): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  return problemOf(isOpenError(error) && TAKEN.has(error.code) ? 'backup_exists' : 'upkeep_failed', {detail});
}
