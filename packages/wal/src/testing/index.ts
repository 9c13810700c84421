/**
 * `@allocdb/wal/testing`: a disk in memory that can lose power, fail calls and be damaged.
 */

export {SimDisk, type SimDiskOptions} from './sim_disk.ts';
export type {DiskFault} from './sim_faults.ts';
