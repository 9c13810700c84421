/**
 * How long a disk takes for what the log does: write a block of 4 KiB at the next place of a zero-filled file, and
 * fdatasync it, one after the other, through the same calls as the log.
 *
 * The file loses its name as soon as it is open, so nothing is left behind however the process ends.
 */
import {type FileIo, joinPath, nodeFileIo, writeFully} from '@allocdb/wal';

/** How much to measure. */
export interface SyncProbeOptions {
  /** How many syncs; 300. */
  readonly syncs?: number;
  /** Measuring ends after so long, but not before twenty syncs; 5,000. */
  readonly maxMs?: number;
  /** Called between syncs, for others to have a turn; resolves when it goes on. */
  readonly pause?: () => Promise<void>;
  readonly io?: FileIo;
}

/** Durations of a write and its sync together, in milliseconds. */
export interface SyncSpeed {
  readonly syncs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const BLOCK_BYTES = 4096;
const FILL_BYTES: number = 1 << 20;
const SYNCS = 300;
const SYNCS_LEAST = 20;
const LONGEST_MS = 5000;
const NAME_BYTES = 6;

/** Measures in a directory that exists. Throws what the system throws: no permission, no space. */
export async function probeSync(dir: string, options: SyncProbeOptions = {}): Promise<SyncSpeed> {
  const {syncs = SYNCS, maxMs = LONGEST_MS, pause = async () => undefined, io = nodeFileIo} = options;
  const handle = openNameless(io, dir);
  try {
    zeroFill(io, handle, syncs * BLOCK_BYTES);
    const block = new Uint8Array(BLOCK_BYTES).fill(0xa5);
    const durations: number[] = [];
    const endMs = io.now() + maxMs;
    while (durations.length < syncs && (durations.length < SYNCS_LEAST || io.now() < endMs)) {
      const begunMs = io.now();
      writeFully(io, handle, block, BLOCK_BYTES, durations.length * BLOCK_BYTES);
      io.datasync(handle);
      durations.push(io.now() - begunMs);
      await pause();
    }
    durations.sort((a, b) => a - b);
    const at = (share: number): number => durations[Math.ceil(share * durations.length) - 1] ?? 0;
    return {syncs: durations.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1)};
  } finally {
    io.close(handle);
  }
}

function openNameless(io: FileIo, dir: string): number {
  const random = new Uint8Array(NAME_BYTES);
  io.randomFill(random);
  const suffix = Array.from(random, byte => byte.toString(16).padStart(2, '0')).join('');
  const path = joinPath(dir, `doctor-${suffix}.tmp`);
  const handle = io.open(path, 'create');
  try {
    io.unlink(path);
  } catch (error) {
    io.close(handle);
    throw error;
  }
  return handle;
}

function zeroFill(io: FileIo, handle: number, bytes: number): void {
  const zeros = new Uint8Array(FILL_BYTES);
  for (let at = 0; at < bytes; at += FILL_BYTES) {
    writeFully(io, handle, zeros, Math.min(FILL_BYTES, bytes - at), at);
  }
  io.datasync(handle);
}
