/**
 * What a figure was taken on: cores, memory, Node, kernel and the file system under the data directory. Printed above
 * every report, because a figure without it means nothing. Nothing that names the machine or its owner is in it.
 */
import {readFileSync, realpathSync} from 'node:fs';
import {availableParallelism, cpus, release, totalmem, type} from 'node:os';

/** The machine as far as it decides speed. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGib: number;
  readonly node: string;
  readonly kernel: string;
  /** Of the data directory; `unknown` where the system does not say. */
  readonly fileSystem: string;
}

/** Type of the file system that holds `dir`, by the longest mount point above it. */
export function fileSystemOf(dir: string, mounts: string): string {
  let [found, longest] = ['unknown', -1];
  for (const line of mounts.split('\n')) {
    const [, point, kind] = line.split(' ');
    if (point === undefined || kind === undefined) continue;
    const inside = dir === point || dir.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (inside && point.length >= longest) [found, longest] = [kind, point.length];
  }
  return found;
}

function mountsOfSystem(): string {
  try {
    return readFileSync('/proc/self/mounts', 'utf8');
  } catch {
    return '';
  }
}

export function describeMachine(dir: string): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    kernel: `${type()} ${release()}`,
    fileSystem: fileSystemOf(realpathSync(dir), mountsOfSystem()),
  };
}

/** The machine in one line. */
export function machineLine(machine: Machine): string {
  const {cores, cpu, memoryGib, node, kernel, fileSystem} = machine;
  return `machine: ${cores} cores (${cpu}), ${memoryGib} GiB, Node ${node}, ${kernel}, ${fileSystem}`;
}
