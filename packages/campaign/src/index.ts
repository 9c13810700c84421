// Public surface of the campaign package: what a workload is, and the loop of a process that runs several of them.
// Used by programs below the packages' `test/campaign`, which `pnpm campaign` starts; it depends on nothing, so that the
// tests of every package may use it. Not here: the workloads themselves, and who starts the processes (`scripts/campaign`).

export {runWorker} from './worker.ts';
export {addCounts, type Counts, type SeedContext, type Workload} from './workload.ts';
