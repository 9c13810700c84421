/**
 * What the state machine takes from the heap for a command of the workload, from bytes. Run as a process of its own,
 * `--expose-gc core_heap_program.js RESOURCES COMMANDS`, whose heap nothing else uses. Prints a line of JSON: the bytes
 * per command of each round, over all commands, and what was still there after a collection in the end.
 *
 * No collection is asked for between the looks at the heap: what is allocated counts, even if it would be collected.
 */
import {CoreRunner} from './core_runner.ts';

const ROUNDS = 10;
const WARM_UP_ROUNDS = 5;

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

function main(resources: number, commands: number): void {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  const runner = new CoreRunner(resources);
  const round = Math.ceil(commands / ROUNDS);
  runner.runCommands(WARM_UP_ROUNDS * round);
  collect();
  const atStart = heapUsed();
  const perRound: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    collect();
    const before = heapUsed();
    runner.runCommands(round);
    perRound.push((heapUsed() - before) / round);
  }
  collect();
  const kept = (heapUsed() - atStart) / (ROUNDS * round);
  const overall = perRound.reduce((sum, each) => sum + each, 0) / ROUNDS;
  process.stdout.write(`${JSON.stringify({commands: ROUNDS * round, perRound, overall, kept})}\n`);
}

const [, , resources, commands] = process.argv;
if (resources === undefined || commands === undefined)
  throw new RangeError('usage: core_heap_program RESOURCES COMMANDS');
main(Number(resources), Number(commands));
