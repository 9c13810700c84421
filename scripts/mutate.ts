// `pnpm mutate`: breaks the sources in every way that `mutations/` lists, one at a time, in scratch copies of the
// repository, and expects the named test to fail each time. Exits with 1 if a mutation survives, or if the list no
// longer fits the sources or the tests, and with 64 for a wrong command line.
// `--list` prints the list, `--only text` takes the mutations whose name holds the text, `--jobs N` runs so many at once.
import {readFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {MUTATIONS} from './mutations/index.ts';
import {applyMutation, type Killer, type Mutation} from './mutations/mutation.ts';
import {endRuns, runNamed} from './mutations/run_tests.ts';
import {Scratch} from './mutations/scratch.ts';

const ROOT: string = dirname(dirname(fileURLToPath(import.meta.url)));
const EXIT_USAGE = 64;

interface Killable extends Mutation {
  readonly killedBy: Killer;
}

interface Verdict {
  readonly isKilled: boolean;
  readonly words: string;
}

/** Null where everything that the list names is there and passes while nothing is broken. */
async function checkUnmutated(scratch: Scratch, mutations: readonly Killable[]): Promise<string | null> {
  const byFile = new Map<string, Killer[]>();
  for (const {killedBy} of mutations) {
    byFile.set(killedBy.testFile, [...(byFile.get(killedBy.testFile) ?? []), killedBy]);
  }
  for (const killers of byFile.values()) {
    const names = [...new Set(killers.map(({testName}) => testName))];
    const {passed, failed, trouble} = await runNamed(scratch.dir, killers[0] as Killer, names);
    if (trouble !== null) return `${killers[0]?.testFile} does not run: ${trouble}`;
    if (failed.length > 0) return `fails without a mutation: ${failed.join(', ')}`;
    const missing = names.find(name => !passed.some(fullName => fullName.includes(name)));
    if (missing !== undefined) return `${killers[0]?.testFile} has no test "${missing}"`;
  }
  return null;
}

async function judge(scratch: Scratch, mutation: Killable): Promise<Verdict> {
  const {file, killedBy} = mutation;
  const original = scratch.read(file);
  scratch.write(file, applyMutation(original, mutation));
  try {
    const {failed, passed, trouble} = await runNamed(scratch.dir, killedBy, [killedBy.testName]);
    if (failed.some(name => name.includes(killedBy.testName))) return {isKilled: true, words: killedBy.testName};
    if (trouble !== null) return {isKilled: false, words: `did not run: ${trouble.split('\n')[0]}`};
    return {isKilled: false, words: `SURVIVES ${passed.length} tests of ${killedBy.testFile}: "${killedBy.testName}"`};
  } finally {
    scratch.write(file, original);
  }
}

/** Takes mutations from the queue until it is empty. */
async function work(scratch: Scratch, queue: Killable[], survivors: Mutation[]): Promise<void> {
  for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
    const started = performance.now();
    const {isKilled, words} = await judge(scratch, mutation);
    if (!isKilled) survivors.push(mutation);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${isKilled ? 'killed  ' : 'SURVIVED'}  ${seconds.padStart(5)} s  ${mutation.name}  <-  ${words}`);
  }
}

async function mutate(mutations: readonly Mutation[], jobs: number): Promise<number> {
  for (const mutation of mutations) applyMutation(readFileSync(join(ROOT, mutation.file), 'utf8'), mutation);
  const killable = mutations.filter((mutation): mutation is Killable => mutation.killedBy !== null);
  const scratches = Array.from({length: Math.min(jobs, killable.length)}, () => new Scratch(ROOT));
  const survivors: Mutation[] = [];
  const onInterrupt = (): void => {
    endRuns();
    for (const scratch of scratches) scratch.remove();
    process.exit(1);
  };
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  try {
    const trouble = scratches[0] === undefined ? null : await checkUnmutated(scratches[0], killable);
    if (trouble !== null) {
      console.error(`mutate: ${trouble}`);
      return 1;
    }
    const queue = [...killable];
    await Promise.all(scratches.map(scratch => work(scratch, queue, survivors)));
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
    for (const scratch of scratches) scratch.remove();
  }
  const equivalent = mutations.filter(({killedBy}) => killedBy === null);
  for (const {name, equivalent: reason} of equivalent) console.log(`equivalent         ${name}: ${reason}`);
  const killed = killable.length - survivors.length;
  console.log(`mutate: ${killed} killed, ${survivors.length} survived, ${equivalent.length} equivalent`);
  return survivors.length === 0 ? 0 : 1;
}

async function main(args: string[]): Promise<number> {
  let values: {only?: string; jobs?: string; list?: boolean};
  try {
    ({values} = parseArgs({
      args,
      options: {only: {type: 'string'}, jobs: {type: 'string'}, list: {type: 'boolean'}},
    }));
  } catch (error) {
    console.error(`mutate: ${error instanceof Error ? error.message : String(error)}`);
    console.error('usage: pnpm mutate [--only text] [--jobs N] [--list]');
    return EXIT_USAGE;
  }
  const {only = '', list = false} = values;
  const mutations = MUTATIONS.filter(({name}) => name.includes(only));
  const jobs = Math.max(1, Number(values.jobs ?? availableParallelism()) || 1);
  if (list)
    for (const {name, file, killedBy} of mutations) console.log(`${name}  ${file}  ${killedBy?.testName ?? '-'}`);
  if (list || mutations.length > 0) return list ? 0 : mutate(mutations, jobs);
  console.error(`mutate: no mutation has "${only}" in its name`);
  return EXIT_USAGE;
}

process.exitCode = await main(process.argv.slice(2));
