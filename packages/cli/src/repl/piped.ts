/**
 * The repl without a terminal: lines from a pipe or a file, one after the other, each when the one before was answered. A
 * line that fails does not stop those behind it; an interrupt does, and so does a reader that goes away.
 */
import {createInterface} from 'node:readline';
import {EXIT} from '../exit.ts';
import type {Interrupt} from '../interrupt.ts';
import {isEnd, type LineRunner} from './line_runner.ts';

/** Runs all lines; returns the exit code of the last one that failed. */
export async function runPiped(
  runner: LineRunner,
  input: NodeJS.ReadableStream,
  interrupt: Interrupt,
): Promise<number> {
  const {signal} = interrupt;
  const lines = createInterface({input, crlfDelay: Number.POSITIVE_INFINITY});
  const onInterrupt = (): void => lines.close();
  signal.addEventListener('abort', onInterrupt);
  let failed: number = EXIT.OK;
  for await (const line of lines) {
    if (isEnd(line)) break;
    const code = await runner.run(line, interrupt);
    if (code !== EXIT.OK) failed = code;
    if (signal.aborted || runner.output.isClosed) break;
  }
  signal.removeEventListener('abort', onInterrupt);
  lines.close();
  return failed;
}
