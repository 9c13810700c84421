/**
 * Shared by the tests: small logs, payloads that say which record they are, and reading everything back.
 * Nothing of vitest here: what `campaign/` imports runs without it.
 */

import {
  type FileIo,
  isWalError,
  type LogCursor,
  READ,
  STATUS,
  Wal,
  type WalError,
  type WalOptions,
} from '../src/index.ts';
import type {SimDisk} from '../src/testing/index.ts';
import {SimRandom} from '../src/testing/sim_random.ts';

export const DIR = '/log';

/** Segments of 16 KiB and frames of at most 4 KiB: a few commits reach every border. */
export const SMALL = {segmentBytes: 16_384, maxFrameBytes: 4096, maxRecordBytes: 2048} as const;

export function openSmall(io: FileIo, options: Partial<WalOptions> = {}): Wal {
  return Wal.open({dir: DIR, io, background: false, idleMarkerMs: 0, ...SMALL, ...options});
}

const NOISE: Uint8Array = noise(new SimRandom(77), 1 << 16);

/** A payload that differs from lsn to lsn and, by `salt`, from life to life: a piece of noise, and its own name. */
export function payloadOf(lsn: bigint, bytes: number, salt = 0): Uint8Array {
  const name = (Number(BigInt.asUintN(20, lsn)) * 31 + salt) | 0;
  const start = Math.abs(Math.imul(name, 0x9e3779b1)) % (NOISE.length - bytes);
  const payload = NOISE.slice(start, start + bytes);
  if (bytes >= 4) new DataView(payload.buffer).setInt32(0, name, true);
  return payload;
}

function noise(random: SimRandom, bytes: number): Uint8Array {
  return new Uint8Array(bytes).map(() => random.below(256));
}

/** Appends through the raw path and expects it to be taken; returns the lsn. */
export function append(wal: Wal, bytes = 100, salt = 0): bigint {
  const lsn = wal.nextLsn ?? 0n;
  const payload = payloadOf(lsn, bytes, salt);
  const status = wal.append(1, 1, 7, 0, payload, 0, payload.length);
  if (status !== STATUS.OK) throw new Error(`append answered ${status}`);
  return lsn;
}

/** One frame of `records` records, durable on return. */
export function commitFrame(wal: Wal, records: number, bytes = 100): void {
  for (let i = 0; i < records; i++) append(wal, bytes);
  wal.commitSync();
}

export interface ReadBack {
  readonly lsns: bigint[];
  readonly payloads: Uint8Array[];
  readonly frameEnds: bigint[];
  readonly markers: bigint[];
}

export function readAll(cursor: LogCursor): ReadBack {
  const found: ReadBack = {lsns: [], payloads: [], frameEnds: [], markers: []};
  try {
    for (let event = cursor.next(); event !== READ.END; event = cursor.next()) {
      if (event === READ.FRAME_END) found.frameEnds.push(cursor.lsn);
      else if (event === READ.SNAPSHOT_MARKER) found.markers.push(cursor.lsn);
      else {
        found.lsns.push(cursor.lsn);
        found.payloads.push(cursor.payload());
      }
    }
  } finally {
    cursor.close();
  }
  return found;
}

/** The error that a call throws, which must be one of ours. */
export function errorOf(run: () => unknown): WalError {
  try {
    run();
  } catch (error) {
    if (isWalError(error)) return error;
    throw error;
  }
  throw new Error('expected an error');
}

export function segmentNames(disk: SimDisk): string[] {
  return disk.list(DIR).filter(name => name.endsWith('.seg'));
}

/** All bytes of the directory, to show that something was not touched. */
export function imageOf(disk: SimDisk): Map<string, string> {
  const image = new Map<string, string>();
  for (const name of disk.list(DIR)) image.set(name, Buffer.from(disk.contentOf(`${DIR}/${name}`)).toString('base64'));
  return image;
}

/** Changes bytes of a file on the platter. */
export function damage(disk: SimDisk, name: string, change: (content: Uint8Array) => void): void {
  const content = disk.contentOf(`${DIR}/${name}`);
  change(content);
  disk.replaceContent(`${DIR}/${name}`, content);
}
