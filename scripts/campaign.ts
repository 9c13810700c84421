// `pnpm campaign <name> --minutes N`: random workloads of the repository's tests for as long as they are given, in
// several processes. Prints progress and a summary of everything that was run; exits with 1 if a promise broke, with the
// seed and the command that runs it again, and with 64 for a wrong command line. An interrupt ends it with the counts so
// far. The campaigns are data (`campaign/campaigns.ts`); what they run lives in the packages' tests.
import {parseArgs} from 'node:util';
import {CAMPAIGNS} from './campaign/campaigns.ts';
import {runCampaign} from './campaign/run.ts';
import {type CampaignOptions, readOptions, USAGE, UsageError} from './campaign/usage.ts';

const EXIT_USAGE = 64;

function optionsOf(args: string[]): CampaignOptions | null {
  const {values, positionals} = parseArgs({
    args,
    allowPositionals: true,
    options: {
      minutes: {type: 'string'},
      seed: {type: 'string'},
      workers: {type: 'string'},
      only: {type: 'string'},
      count: {type: 'string'},
      cycles: {type: 'string'},
      frames: {type: 'string'},
      help: {type: 'boolean'},
    },
  });
  return values.help === true ? null : readOptions(positionals, values);
}

async function main(args: string[]): Promise<number> {
  let options: CampaignOptions | null;
  try {
    options = optionsOf(args);
  } catch (error) {
    // parseArgs reports an unknown option as a TypeError.
    if (!(error instanceof UsageError || error instanceof TypeError)) throw error;
    console.error(`campaign: ${error.message}\n\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  return runCampaign(CAMPAIGNS[options.name] as (typeof CAMPAIGNS)[string], options);
}

process.exitCode = await main(process.argv.slice(2));
