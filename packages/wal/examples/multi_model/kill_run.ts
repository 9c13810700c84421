/**
 * Kills the writer again and again, opens what it left, and compares it with what it had acknowledged.
 *
 * The one operation that was under way may be there or not; everything else must be exactly as acknowledged: documents,
 * vectors, no collection back that was dropped, no surrogate for two keys, and every returned one found again.
 */

import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {isDeepStrictEqual} from 'node:util';
import {MultiModelStore} from './store.ts';
import {operationAt, stateAfter} from './workload.ts';

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));
/** How a child runs TypeScript from sources; users run what they built. */
const NODE_ARGUMENTS = ['--conditions=@allocdb/source', '--import', 'tsx'];

export interface KillReport {
  readonly kills: number;
  /** Operations in the store at the end. */
  readonly operations: number;
  /** Times that the operation under way was found, though nobody had been told. */
  readonly unheard: number;
  readonly surrogates: number;
  /** Documents and vectors at the end. */
  readonly entries: number;
}

/** Runs and kills the writer `kills` times in one directory, after so many acknowledgements each. Throws on a difference. */
export async function runKills(dir: string, kills: number, acknowledgements: number): Promise<KillReport> {
  const owners = new Map<number, string>();
  let operations = 0;
  let unheard = 0;
  let entries = 0;
  for (let kill = 0; kill < kills; kill++) {
    const acknowledged = await writeAndKill(dir, operations, acknowledgements + kill, owners);
    const store = MultiModelStore.open(dir);
    operations = matching(store, acknowledged);
    if (operations > acknowledged) unheard++;
    for (const [id, key] of owners) {
      if (store.surrogates.get(key) !== id) throw new Error(`surrogate ${id} of ${key} is lost`);
    }
    if (new Set(store.surrogates.values()).size !== store.surrogates.size) throw new Error('a surrogate has two keys');
    entries = Object.keys(store.state).length;
    await store.close();
  }
  return {kills, operations, unheard, surrogates: owners.size, entries};
}

/** How many operations the store holds: those acknowledged, or one more. */
function matching(store: MultiModelStore, acknowledged: number): number {
  for (const count of [acknowledged, acknowledged + 1]) {
    if (isDeepStrictEqual({...store.state}, stateAfter(count))) return count;
  }
  throw new Error(`the store is not as it was after ${acknowledged} operations, nor after one more`);
}

/** Starts the writer, kills it after so many acknowledgements, and resolves to the number that follows the last of them. */
function writeAndKill(dir: string, first: number, count: number, owners: Map<number, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const packageDir = fileURLToPath(new URL('../..', import.meta.url));
    const child = spawn(process.execPath, [...NODE_ARGUMENTS, WRITER, dir, String(first)], {
      cwd: packageDir,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text: string) => {
      printed += text;
      if (printed.split('\n').length > count) child.kill('SIGKILL');
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (signal !== 'SIGKILL') reject(new Error(`the writer ended by itself with ${code}`));
      else resolve(noteLines(printed.split('\n').slice(0, -1), first, owners));
    });
  });
}

function noteLines(lines: readonly string[], first: number, owners: Map<number, string>): number {
  for (const [index, line] of lines.entries()) {
    const [n = '', surrogate = ''] = line.split(' ');
    if (Number(n) !== first + index) throw new Error(`acknowledgement ${line} where ${first + index} was due`);
    if (surrogate === '') continue;
    const operation = operationAt(Number(n));
    if (operation.kind !== 'embed') throw new Error(`operation ${n} has a surrogate`);
    const id = Number(surrogate);
    const key = `${operation.scope.tenant}/${operation.scope.database}/images/${operation.id}`;
    if (owners.has(id) && owners.get(id) !== key) throw new Error(`surrogate ${id} was given out twice`);
    owners.set(id, key);
  }
  return first + lines.length;
}
