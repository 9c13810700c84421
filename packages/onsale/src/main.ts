/**
 * The command: reads the command line, runs the demo, and ends with 0 when the auditor found nothing, 1 when it found
 * something or the demo could not be run, 64 when it was called wrongly.
 */
import {parseArguments, USAGE, UsageError} from './arguments.ts';
import {runDemo} from './run/demo.ts';
import {DemoFailure} from './run/failure.ts';
import {SeatMapError} from './seat_map.ts';

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseArguments(args);
    if (options === null) {
      console.log(USAGE);
      return 0;
    }
    return (await runDemo(options)) ? 0 : 1;
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${USAGE}`);
      return 64;
    }
    console.error(wordsFor(error));
    return 1;
  }
}

function wordsFor(error: unknown): string {
  if (!(error instanceof Error)) return `the demo failed: ${String(error)}`;
  if (error instanceof SeatMapError || 'syscall' in error) return error.message;
  if (error instanceof DemoFailure) return `the demo failed: ${error.message} (--keep keeps the server's log)`;
  return `the demo failed: ${error.stack}`;
}

process.exit(await main(process.argv.slice(2)));
