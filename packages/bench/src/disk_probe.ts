/**
 * How long the disk takes for what a log does: write 4 KiB at the next place of a zero-filled file and fdatasync it.
 *
 * Printed with every figure that depends on the disk: shared and virtual disks differ from hour to hour, and whether one
 * really flushes is unknown, so no such figure stands for itself.
 */
import {closeSync, fdatasyncSync, openSync, rmSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {performance} from 'node:perf_hooks';
import {percentileOf} from './stats.ts';

const BLOCK_BYTES = 4096;
const FILE_BYTES: number = 16 << 20;
const SYNCS_MAX = 20_000;

/** Durations of write and fdatasync together, in microseconds. */
export interface DiskProbe {
  readonly syncs: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Measures for so many milliseconds, at least ten syncs, in a file of its own below `dir`. Blocks. */
export function probeDisk(dir: string, millis: number): DiskProbe {
  const path = join(dir, 'disk-probe');
  const handle = openSync(path, 'w');
  try {
    zeroFill(handle, FILE_BYTES);
    const block = new Uint8Array(BLOCK_BYTES).fill(0xa5);
    const micros = new Float64Array(SYNCS_MAX);
    const endMs = performance.now() + millis;
    let syncs = 0;
    while (syncs < 10 || (syncs < SYNCS_MAX && performance.now() < endMs)) {
      const beganMs = performance.now();
      writeSync(handle, block, 0, BLOCK_BYTES, (syncs * BLOCK_BYTES) % FILE_BYTES);
      fdatasyncSync(handle);
      micros[syncs++] = (performance.now() - beganMs) * 1000;
    }
    const samples = micros.subarray(0, syncs);
    return {syncs, p50Micros: percentileOf(samples, 0.5), p99Micros: percentileOf(samples, 0.99)};
  } finally {
    closeSync(handle);
    rmSync(path);
  }
}

/** Writes and syncs zeros, so that later syncs need not wait for blocks to be allocated. */
export function zeroFill(handle: number, bytes: number): void {
  const zeros = new Uint8Array(1 << 20);
  for (let at = 0; at < bytes; at += zeros.length) writeSync(handle, zeros, 0, Math.min(zeros.length, bytes - at), at);
  fdatasyncSync(handle);
}

/** The probe in one line. */
export function probeLine(probe: DiskProbe): string {
  const [p50, p99] = [probe.p50Micros.toFixed(0), probe.p99Micros.toFixed(0)];
  return `disk: 4 KiB write + fdatasync on a zero-filled file, p50 ${p50} us, p99 ${p99} us (${probe.syncs} syncs)`;
}
