/**
 * `allocdb create`: makes resources known. One id is one command; more, from the command line, a file or a range of names,
 * go in batches, and are counted as they are answered.
 *
 * Of many, each has an operation of its own, derived from that of the whole command and from its id: so the same command
 * with the same `--operation` gets the same answers, whatever of it was executed before.
 */
import {text} from 'node:stream/consumers';
import {
  type AllocDbError,
  type CreateResourceAnswer,
  type NotAnswered,
  type OperationId,
  operationIdFrom,
  type ResourceId,
  resourceIdFrom,
} from '@allocdb/client';
import type {Command} from 'commander';
import {idParsers, whole} from '../arguments.ts';
import {type ConnectionFlags, withConnection} from '../connection.ts';
import {EXIT, fail} from '../exit.ts';
import {readText} from '../file_input.ts';
import {addExamples} from '../program.ts';
import {withProgress} from '../progress.ts';
import type {Session} from '../session.ts';

interface CreateFlags extends ConnectionFlags {
  readonly fromFile?: string;
  readonly count?: number;
  readonly prefix?: string;
  readonly start: number;
  readonly operation?: OperationId;
}

/** Resources to create: an array, or names that are made as they are needed. */
interface Ids {
  readonly length: number;
  slice(start: number, end: number): readonly ResourceId[];
}

/** A frame holds several times as many. */
const BATCH = 1000;
/** So many refusals are told one by one, to people and to programs; all are counted. */
const SHOWN_TO_PEOPLE = 10;
const SHOWN_TO_PROGRAMS = 1000;

export function register(program: Command, session: Session): void {
  const command = program
    .command('create')
    .description('make resources known, so that they can be held')
    .argument('[id...]', 'UUIDs, 32 hex digits, or name:TEXT', session.ids.resources)
    .option('--from-file <file>', 'ids from a file, one a line; - is stdin')
    .option('--count <n>', 'as many names as this, with --prefix', whole(1, 0xffff_ffff))
    .option('--prefix <text>', 'names are this and a number: name:TEXT1, name:TEXT2, …')
    .option('--start <n>', 'the first number behind the prefix', whole(0, 0xffff_ffff), 1)
    .option('--operation <id>', 'the operation, for a repetition; else a fresh one', session.ids.operation)
    .action((ids: readonly ResourceId[], flags: CreateFlags) => create(session, ids, flags));
  withConnection(command, session.isConnected);
  addExamples(command, session, [
    'create 018f6c1e-0000-7000-8000-00000000002a',
    'create name:seat-1 name:seat-2',
    'create --count 20000 --prefix seat-',
    'create --from-file seats.txt --json',
  ]);
}

async function create(session: Session, given: readonly ResourceId[], flags: CreateFlags): Promise<void> {
  const resources = await idsOf(session, given, flags);
  const client = await session.connect(flags);
  const operation = session.beginOperation(flags.operation);
  const [resource] = resources.slice(0, 1);
  if (resources.length === 1 && resource !== undefined) {
    const input = {resource, operationId: operation};
    const answer = await session.call(flags, signal => client.createResource(input, {signal}));
    await session.answer(answer, 'created', {resource});
    return;
  }
  const total = resources.length;
  const tally = new Tally(session.output.json ? SHOWN_TO_PROGRAMS : SHOWN_TO_PEOPLE);
  const most = Math.min(BATCH, client.status.server.maxBatch);
  await withProgress(session.output, 'create', total, async update => {
    for (let at = 0; at < total; at += most) {
      const ids = resources.slice(at, at + most);
      const commands = ids.map(id => ({
        command: 'create_resource' as const,
        resource: id,
        operationId: operationIdFrom(`${operation}/create/${id}`),
      }));
      const answers = await session.call(flags, signal => client.batch(commands, {signal}));
      for (const [i, id] of ids.entries()) tally.add(id, answers[i]);
      session.done = `${tally.answered} of ${total} were answered`;
      if (tally.unanswered !== null) throw tally.unanswered;
      update(at + ids.length);
    }
  });
  await tell(session, tally, operation);
}

async function idsOf(session: Session, given: readonly ResourceId[], flags: CreateFlags): Promise<Ids> {
  const {fromFile, count, prefix, start} = flags;
  const isRange = count !== undefined || prefix !== undefined;
  if (Number(given.length > 0) + Number(fromFile !== undefined) + Number(isRange) !== 1) {
    return fail(
      EXIT.USAGE,
      "create needs ids, or '--from-file <file>', or '--count <n> --prefix <text>': one of these",
    );
  }
  if (fromFile !== undefined) {
    if (fromFile === '-' && session.isConnected) fail(EXIT.USAGE, '--from-file -: stdin is where the repl reads lines');
    return distinct(await idsOfFile(fromFile));
  }
  if (!isRange) return distinct(given);
  if (count === undefined || prefix === undefined) return fail(EXIT.USAGE, '--count and --prefix go together');
  return {
    length: count,
    slice: (from, to) =>
      Array.from({length: Math.min(to, count) - from}, (_, i) => resourceIdFrom(`${prefix}${start + from + i}`)),
  };
}

/** Each once: of two with one operation the second would seem to be created too. */
function distinct(ids: readonly ResourceId[]): readonly ResourceId[] {
  return [...new Set(ids)];
}

async function idsOfFile(file: string): Promise<readonly ResourceId[]> {
  const where = file === '-' ? 'stdin' : `--from-file ${file}`;
  // What thousands of names became is not told one by one.
  const {resource} = idParsers(() => undefined);
  const ids: ResourceId[] = [];
  const lines = (file === '-' ? await text(process.stdin) : readText(file, '--from-file')).split('\n');
  for (const [i, line] of lines.entries()) {
    const word = line.trim();
    if (word === '' || word.startsWith('#')) continue;
    try {
      ids.push(resource(word));
    } catch (error) {
      fail(EXIT.FAILURE, `${where}, line ${i + 1}: ${(error as Error).message}`);
    }
  }
  return ids.length > 0 ? ids : fail(EXIT.FAILURE, `${where} holds no id`);
}

/** What came of many. */
class Tally {
  created: number = 0;
  refused: number = 0;
  lastLsn: bigint = 0n;
  /** The first ones. */
  readonly refusals: {result: string; resource: ResourceId; lsn: bigint}[] = [];
  /** Why one has no answer; one of which nothing is known goes before one that was certainly not executed. */
  unanswered: AllocDbError | null = null;
  readonly #shown: number;

  constructor(shown: number) {
    this.#shown = shown;
  }

  get answered(): number {
    return this.created + this.refused;
  }

  add(resource: ResourceId, answer: CreateResourceAnswer | NotAnswered | undefined): void {
    if (answer === undefined) throw new Error('assertion failed: a batch has an answer for each command');
    if (answer.result === 'not_answered') {
      if (this.unanswered?.failure.certainty !== 'indefinite') this.unanswered = answer.error;
      return;
    }
    const {result, lsn} = answer;
    if (lsn > this.lastLsn) this.lastLsn = lsn;
    if (result === 'created') {
      this.created++;
      return;
    }
    this.refused++;
    if (this.refusals.length < this.#shown) this.refusals.push({result, resource, lsn});
  }
}

async function tell(session: Session, tally: Tally, operation: OperationId): Promise<void> {
  const {output} = session;
  const {created, refused, refusals, lastLsn: lsn} = tally;
  session.exitCode = refused === 0 ? EXIT.OK : EXIT.REFUSED;
  const result = refused === 0 ? 'created' : created === 0 ? 'refused' : 'partly_created';
  if (output.json) {
    await output.line({result, created, refused, refusals, lsn, operation}, '');
    return;
  }
  for (const refusal of refusals) await output.record(refusal);
  if (refused > refusals.length) output.note(`and ${refused - refusals.length} more refusals`);
  await output.record({result, created, refused, lsn, operation});
}
