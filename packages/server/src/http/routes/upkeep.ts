/**
 * Routes for whoever keeps the server: backups and checkpoints. Both take long, so they answer with a line of JSON for each
 * step and say in the last one what became of it; the connection is never still, and a client can show how far it is.
 */
import {PassThrough} from 'node:stream';
import {type DirectoryProgress, isOpenError} from '@allocdb/node';
import {Type} from 'typebox';
import type {HttpApp, HttpContext} from '../http_app.ts';
import {type Problem, problemOf, sendProblem} from '../problem.ts';
import type {Json} from '../read_json.ts';

const strict = {additionalProperties: false} as const;
const LINES = 'application/x-ndjson';
/** A sign of life where a step takes longer than that. */
const HEARTBEAT_MS = 5000;
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
      config: {kind: 'upkeep', problems: ['no_backups', 'upkeep_failed'], produces: LINES},
      schema: {
        operationId: 'makeBackup',
        summary: 'Copy the whole database into a new directory of the server, while commands go on',
        tags: ['server'],
        produces: [LINES],
        body: BackupBody,
        response: lines,
      },
    },
    (request, reply) => {
      const {backup} = host;
      const {name} = request.body;
      if (backup === null) {
        sendProblem(reply, problemOf('no_backups'));
        return;
      }
      const gone = new AbortController();
      request.raw.socket.once('close', () => gone.abort(new Error('the client has gone')));
      const signal = AbortSignal.any([stopping, gone.signal]);
      reply.header('content-type', LINES).send(
        steps(stopping, async onProgress => {
          const {lsn, snapshotLsn, bytes, durationMs} = await backup(name, {signal, onProgress});
          const lsns = {
            lsn: lsn === null ? null : String(lsn),
            snapshot_lsn: snapshotLsn === null ? null : String(snapshotLsn),
          };
          return {name, ...lsns, bytes, duration_ms: Math.round(durationMs)};
        }) as never,
      );
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
    (_request, reply) => {
      const work = async (): Promise<Json> => {
        const {lsn, digest, bytes, durationMs} = await host.checkpoint();
        const hex = digest.toString(16).padStart(32, '0');
        return {lsn: String(lsn), digest: hex, bytes, duration_ms: Math.round(durationMs)};
      };
      reply.header('content-type', LINES).send(steps(stopping, work) as never);
    },
  );
}

/** Lines about work that is under way, until it has ended. */
function steps(
  stopping: AbortSignal,
  work: (onProgress: (progress: DirectoryProgress) => void) => Promise<Json>,
): PassThrough {
  const stream = new PassThrough();
  const put = (line: object): void => void stream.write(`${JSON.stringify(line)}\n`);
  const heartbeat = setInterval(() => put({}), HEARTBEAT_MS);
  put({});
  work(progress => put({progress}))
    .then(
      done => put({done}),
      (error: unknown) =>
        put({problem: stopping.aborted ? problemOf('shutting_down', GIVEN_UP) : problemOfWork(error)}),
    )
    .finally(() => {
      clearInterval(heartbeat);
      stream.end();
    });
  return stream;
}

function problemOfWork(error: unknown): Problem {
  const detail = isOpenError(error) || error instanceof Error ? error.message : String(error);
  return problemOf('upkeep_failed', {detail});
}
