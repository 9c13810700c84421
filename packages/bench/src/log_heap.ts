/**
 * Heap that the raw path of the log takes, measured in a process of its own (`log_heap_program.ts`), as a table.
 *
 * The target is about records: late optimizations show in some rounds, an allocation for each record in every one, so
 * it is the smallest round that is held against it.
 */
import {numbersIn, runMeasurement} from './child_process.ts';
import type {Table} from './report.ts';
import {type Spread, spreadOf} from './stats.ts';

const ROUNDS = 9;
const TARGET_BYTES = 0.1;

/** Bytes of heap for each record that is appended, and for each frame that is frozen and written. */
export interface HeapBytes {
  readonly perRecord: Spread;
  readonly perFrame: Spread;
}

/** Runs the program; its log is in `dir`, which is not there yet. Rejects with its last words when it fails. */
export async function measureHeap(dir: string): Promise<HeapBytes> {
  const found = await runMeasurement('log_heap_program', [dir, String(ROUNDS)], {nodeArgs: ['--expose-gc']});
  return {perRecord: spreadOf(numbersIn(found, 'perRecord')), perFrame: spreadOf(numbersIn(found, 'perFrame'))};
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
