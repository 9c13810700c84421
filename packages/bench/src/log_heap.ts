/**
 * Heap that the raw path of the log takes, measured in a process of its own (`log_heap_program.ts`), as a table.
 *
 * The target is about records: late optimizations show in some rounds, an allocation for each record in every one, so
 * it is the smallest round that is held against it.
 */
import {execFile} from 'node:child_process';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import type {Table} from './report.ts';
import {type Spread, spreadOf} from './stats.ts';

const ROUNDS = 9;
const TARGET_BYTES = 0.1;

const here = dirname(fileURLToPath(import.meta.url));
const fromSources: boolean = import.meta.url.endsWith('.ts');

/** Bytes of heap for each record that is appended, and for each frame that is frozen and written. */
export interface HeapBytes {
  readonly perRecord: Spread;
  readonly perFrame: Spread;
}

function roundsOf(found: object, name: string): number[] {
  const rounds: unknown = Object.entries(found).find(([key]) => key === name)?.[1];
  if (Array.isArray(rounds) && rounds.every(each => typeof each === 'number')) return rounds;
  throw new Error(`the process that looks at the heap did not report ${name}`);
}

/** Runs the program; its log is in `dir`, which is not there yet. Rejects with its last words when it fails. */
export async function measureHeap(dir: string): Promise<HeapBytes> {
  const loader = fromSources ? ['--conditions=@allocdb/source', '--import', 'tsx'] : [];
  const program = join(here, `log_heap_program.${fromSources ? 'ts' : 'js'}`);
  const args = [...loader, '--expose-gc', program, dir, String(ROUNDS)];
  const {stdout} = await promisify(execFile)(process.execPath, args, {cwd: here});
  const found: unknown = JSON.parse(stdout);
  if (typeof found !== 'object' || found === null) throw new Error('the process that looks at the heap said nothing');
  return {perRecord: spreadOf(roundsOf(found, 'perRecord')), perFrame: spreadOf(roundsOf(found, 'perFrame'))};
}

/** Both figures, with the smallest round beside the median. */
export function heapTable({perRecord, perFrame}: HeapBytes): Table {
  return {
    title: `Heap bytes of the raw path, blocking, ${ROUNDS} rounds after warm-up`,
    columns: [
      {name: 'what', kind: 'text'},
      {name: 'heap bytes', kind: 'ratio'},
      {name: 'smallest', kind: 'ratio'},
      {name: 'target', kind: 'ratio'},
    ],
    rows: [
      ['append, for each record', perRecord, perRecord.min, TARGET_BYTES],
      ['freeze and writeFrozenSync, for each frame', perFrame, perFrame.min, null],
    ],
  };
}
