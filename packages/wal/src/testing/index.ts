/**
 * `@allocdb/wal/testing`: a disk in memory that can lose power, fail calls and be damaged.
 */

export {type DiskFault, SimDisk, type SimDiskOptions} from './sim_disk.ts';
