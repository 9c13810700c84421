/**
 * `allocdb why RESOURCE`: what happened to a resource, who has it and since when, and with `--operation` why one was
 * answered as it was. A running server is asked on its HTTP port; of a stopped one, `--dir` reads the log, and a snapshot
 * for what lies before. Nothing is changed, and both give the same answer in the same words.
 *
 * A server reads its log for one resource; an operation alone is looked for in a directory only.
 *
 * Exit 2 when the resource, or the operation, is not there.
 */
import type {OperationId, ResourceId} from '@allocdb/client';
import {type HistoryJson, historyJsonLines, historySteps, historyToJson, openHistory} from '@allocdb/node';
import type {Command} from 'commander';
import {positiveU64, whole} from '../arguments.ts';
import {EXIT, fail} from '../exit.ts';
import {getJson} from '../http_client.ts';
import {type HttpFlags, withHttp} from '../http_flags.ts';
import {addExamples} from '../program.ts';
import {withProgress} from '../progress.ts';
import type {Session} from '../session.ts';

interface WhyFlags extends HttpFlags {
  readonly dir?: string;
  readonly operation?: OperationId;
  readonly from?: bigint;
  readonly limit: number;
  readonly slotMs?: number;
}

const EVENTS_SHOWN = 100;
/** Most that a server shows. */
const EVENTS_OF_SERVER = 1000;

export function register(program: Command, session: Session): void {
  const command = program
    .command('why')
    .description('tell what happened to a resource, who has it, and why an operation was refused')
    .argument(
      '[resource]',
      'a UUID, 32 hex digits, or name:TEXT; may be left out with --dir and --operation',
      session.ids.resource,
    )
    .option('--dir <dir>', 'read this data directory of a stopped server, instead of asking a running one')
    .option(
      '--operation <id>',
      'also why this operation was answered as it was; with --dir, of an operation alone',
      session.ids.operation,
    )
    .option('--from <lsn>', 'read the log from this lsn on; what lies before is unknown', positiveU64)
    .option('--limit <n>', 'show so many events, the newest', whole(1, 1_000_000), EVENTS_SHOWN)
    .option(
      '--slot-ms <n>',
      'length of a slot in milliseconds, where the directory does not say it',
      whole(1, 3_600_000),
    );
  withHttp(command).action((resource: ResourceId | undefined, flags: WhyFlags) => {
    if (flags.dir !== undefined && command.getOptionValueSource('http') === 'cli') {
      fail(EXIT.USAGE, '--dir and --http exclude each other: the directory of a server that runs cannot be read');
    }
    return why(session, resource, flags);
  });
  addExamples(command, session, [
    'why name:seat-12',
    'why name:seat-12 --operation name:order-4712/reserve --http http://127.0.0.1:7480 --token-file ./shop.token',
    'why name:seat-12 --operation name:order-4712/reserve --dir ./data',
    'why --operation 018f6c1e-0000-7000-8000-00000000002a --dir ./data --json',
  ]);
}

async function why(session: Session, resource: ResourceId | undefined, flags: WhyFlags): Promise<void> {
  const {dir, operation} = flags;
  if (resource === undefined && operation === undefined)
    fail(EXIT.USAGE, 'why needs a resource, or --operation, or both');
  if (dir === undefined && flags.slotMs !== undefined) fail(EXIT.USAGE, '--slot-ms goes with --dir: a server knows it');
  if (dir === undefined && resource === undefined) {
    const howElse = 'name one that the operation was about, or read a stopped directory or a backup with --dir';
    fail(EXIT.USAGE, `a server tells why of a resource: ${howElse}`);
  }
  if (dir === undefined && flags.limit > EVENTS_OF_SERVER) {
    fail(EXIT.USAGE, `--limit: a server shows at most ${EVENTS_OF_SERVER} events; --dir has no such bound`);
  }
  session.tellNames();
  const json =
    dir !== undefined
      ? await readHistory(session, dir, resource ?? null, flags)
      : await askHistory(session, String(resource), flags);
  session.exitCode = isThere(json) ? EXIT.OK : EXIT.REFUSED;
  await session.output.line(json, historyJsonLines(json).join('\n'));
}

/** Of a stopped database. */
async function readHistory(
  session: Session,
  dir: string,
  resource: ResourceId | null,
  {operation, from, limit, slotMs}: WhyFlags,
): Promise<HistoryJson> {
  const query = {resource, operation: operation ?? null, limit, ...(from === undefined ? {} : {from})};
  return withProgress(session.output, 'records read', null, async update => {
    using source = openHistory(dir, slotMs === undefined ? {} : {slotMs});
    const steps = historySteps(source, query);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return historyToJson(step.value);
      update(step.value);
    }
  });
}

/** Of a server. */
async function askHistory(session: Session, resource: string, flags: WhyFlags): Promise<HistoryJson> {
  const {operation, from, limit} = flags;
  const query = new URLSearchParams({
    limit: String(limit),
    ...(operation === undefined ? {} : {operation}),
    ...(from === undefined ? {} : {from: String(from)}),
  });
  const json = await getJson(session, flags, `/v1/resources/${resource}/history?${query}`);
  if (!isHistory(json))
    fail(EXIT.FAILURE, `${flags.http} answers with something else than a history`, 'unexpected_answer');
  return json;
}

function isHistory(json: unknown): json is HistoryJson {
  return typeof json === 'object' && json !== null && 'log' in json && 'events' in json && 'operation' in json;
}

function isThere({standing, operation}: HistoryJson): boolean {
  if (operation !== null && operation.answers.length === 0 && operation.remembered === null) return false;
  return standing !== 'absent';
}
