// The test of the simulator that notices mutations: the first fifty schedules, each as drawn from its seed. A mutation that
// it does not notice survives, even where a unit test of the package would see it.
// Not here: what is broken (`sim_*.ts`).
import type {Killer} from './mutation.ts';

export const FIRST_SEEDS: Killer = {
  project: '@allocdb/sim',
  testFile: 'packages/sim/test/simulator.test.ts',
  testName: 'seeds 1 to 50',
};
