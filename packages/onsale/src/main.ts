/**
 * The command: reads the command line, runs the demo, and ends with 0 when the auditor found nothing, 1 when it found
 * something or the demo could not be run, 64 when it was called wrongly.
 */
import {parseArguments, USAGE, UsageError} from './arguments.ts';
import {runDemo} from './run/demo.ts';
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
    const refused = error instanceof SeatMapError || (error instanceof Error && 'syscall' in error);
    console.error(refused ? error.message : `the demo failed: ${error instanceof Error ? error.stack : String(error)}`);
    return 1;
  }
}

process.exit(await main(process.argv.slice(2)));
