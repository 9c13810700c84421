/**
 * Fills a data directory by a plan: `populate_program.js DIR CONFIG PLAN`, both as JSON, where CONFIG is as `serve` takes
 * it. Says on stderr how far it is and prints a line of JSON about what the directory holds then.
 */
import {parseConfig} from '@allocdb/node';
import {type PopulationPlan, populate} from './population.ts';

const [, , dir, config, plan] = process.argv;
if (dir === undefined || config === undefined || plan === undefined) {
  throw new RangeError('usage: populate_program DIR CONFIG PLAN');
}
const planned = JSON.parse(plan) as PopulationPlan;
const population = await populate(dir, parseConfig(config), planned, line => void process.stderr.write(`${line}\n`));
process.stdout.write(`${JSON.stringify(population)}\n`);
