// The test of the simulator that notices mutations: the first fifty schedules, each as drawn from its seed. A mutation that
// it does not notice survives, even where a unit test of the package would see it.
// Not here: what is broken (`sim_*.ts`).
import type {Killer, Mutation} from './mutation.ts';

const FIRST_SEEDS: Killer = {
  project: '@allocdb/sim',
  testFile: 'packages/sim/test/simulator.test.ts',
  testName: 'seeds 1 to 50',
};

/** Makes mutations that those seeds must notice; their names begin with `subject`. */
export function breaking(
  subject: string,
): (name: string, file: string, find: string, replace: string, occurrence?: number) => Mutation {
  return (name, file, find, replace, occurrence) => ({
    name: `${subject} ${name}`,
    file,
    find,
    replace,
    killedBy: FIRST_SEEDS,
    ...(occurrence === undefined ? {} : {occurrence}),
  });
}
