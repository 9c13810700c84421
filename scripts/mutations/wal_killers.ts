// The tests of the log that notice mutations, by file: each name here makes a killer out of a part of a test's name.
// A test that many mutations need has a name of its own.
// Not here: which mutation is noticed by which test (`wal_*.ts`).
import type {Killer} from './mutation.ts';

const PROJECT = '@allocdb/wal';

function inTest(file: string): (testName: string) => Killer {
  return testName => ({project: PROJECT, testFile: `packages/wal/test/${file}.test.ts`, testName});
}

export const commits: (testName: string) => Killer = inTest('commit');
export const conformance: (testName: string) => Killer = inTest('conformance');
export const damages: (testName: string) => Killer = inTest('damage');
export const faults: (testName: string) => Killer = inTest('faults');
export const limits: (testName: string) => Killer = inTest('limits');
export const locks: (testName: string) => Killer = inTest('lock');
export const properties: (testName: string) => Killer = inTest('properties');
export const recovery: (testName: string) => Killer = inTest('recovery');
export const recycling: (testName: string) => Killer = inTest('recycling');
export const syncs: (testName: string) => Killer = inTest('syncs');
export const guards: (testName: string) => Killer = inTest('guards');

export const POWER_CUTS: Killer = inTest('power_cuts')('power cuts: ');
export const CALL_FAILURES: Killer = inTest('power_cuts')('failing calls: ');
export const NOTHING_LEFT: Killer = syncs('nothing is left to sync');

export function cursor(testName: string): Killer {
  return {project: PROJECT, testFile: 'packages/wal/src/read/log_cursor.test.ts', testName};
}

export function format(testName: string): Killer {
  return {project: PROJECT, testFile: 'packages/wal/src/format/format.test.ts', testName};
}
