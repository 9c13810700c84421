/**
 * Heap and memory of the state machine as tables, each measured in a process of its own: what a command takes from the
 * heap, and what one more resource, reservation, operation, slot or bundle member takes, beside what `memoryBytesOf`
 * says, by which configurations are judged before they are opened.
 */
import {numberIn, numbersIn, runMeasurement} from './child_process.ts';
import type {Cell, Table} from './report.ts';
import type {Expectations} from './scenario.ts';
import {spreadOf} from './stats.ts';

const HEAP_RESOURCES = 10_000;
const HEAP_TARGET_BYTES = 0.1;
/** Bytes at most, index included, by the first word of what is measured. */
const TARGETS: ReadonlyMap<string, number> = new Map([
  ['resource', 64],
  ['reservation', 128],
  ['operation', 96],
  ['slot', 13],
  ['bundle', 4],
]);
/** How far the formula may be above what is measured; it rounds a bitmap up to a byte for each slot. */
const STATED_ABOVE_MAX = 1;
/** How far it may be below, as allocators round. */
const STATED_BELOW_MAX = 0.05;

/** Heap bytes per command over so many commands. */
export async function coreHeapTable(commands: number, progress: (line: string) => void): Promise<Table> {
  progress(`core: heap over ${commands} commands`);
  const args = [String(HEAP_RESOURCES), String(commands)];
  const found = await runMeasurement('core_heap_program', args, {nodeArgs: ['--expose-gc']});
  return {
    title: 'Heap bytes of a command after warm-up, ten rounds',
    columns: [
      {name: 'commands', kind: 'count'},
      {name: 'each round', kind: 'bytesEach'},
      {name: 'over all', kind: 'bytesEach'},
      {name: 'kept', kind: 'bytesEach'},
      {name: 'target', kind: 'bytesEach'},
    ],
    rows: [
      [
        numberIn(found, 'commands'),
        spreadOf(numbersIn(found, 'perRound')),
        numberIn(found, 'overall'),
        numberIn(found, 'kept'),
        HEAP_TARGET_BYTES,
      ],
    ],
  };
}

/** Bytes of one more of everything that a configuration bounds. */
export async function coreMemoryTable(expectations: Expectations, progress: (line: string) => void): Promise<Table> {
  progress('core: memory of the tables');
  const {found} = await runMeasurement('core_memory_program', [], {nodeArgs: ['--expose-gc']});
  if (!Array.isArray(found)) throw new Error('the program did not report what it found');
  const rows = found.map((each: Record<string, unknown>): Cell[] => {
    const [what, measured, stated] = [String(each['what']), numberIn(each, 'measured'), numberIn(each, 'stated')];
    const [kind = ''] = what.split(/[ ,]/);
    const agrees = stated - measured <= STATED_ABOVE_MAX && measured - stated <= STATED_BELOW_MAX;
    expectations.holds(`memoryBytesOf, ${what}: says ${stated} bytes, measured are ${measured}`, agrees);
    return [what, measured, stated, TARGETS.get(kind) ?? null];
  });
  return {
    title: 'Memory of one more, index included',
    columns: [
      {name: 'what', kind: 'text'},
      {name: 'measured bytes', kind: 'bytesEach'},
      {name: 'memoryBytesOf', kind: 'bytesEach'},
      {name: 'target', kind: 'bytesEach'},
    ],
    rows,
  };
}
