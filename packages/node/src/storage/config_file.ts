/**
 * The file CONFIG of a data directory: what it was created with. Text, so that a person can read it: one line with the
 * format and a checksum of the rest, then JSON with the configuration and the seed of the key indexes.
 *
 * It is written last when a directory is created; where it stands, log and snapshots must stand too.
 */
import {crc32c, type FileIo, joinPath, nodeFileIo, readFully, writeFully} from '@allocdb/wal';
import {configOfJson, configToJson, type DatabaseConfig} from '../config.ts';
import {OpenError} from '../errors.ts';

/** The file's name. */
export const CONFIG_NAME = 'CONFIG';
const VERSION = 1;
const BYTES_MAX = 1 << 20;
const SEED_LANES = 8;

/** What a data directory was created with. */
export interface CreatedWith {
  config: DatabaseConfig;
  /** Eight random words. */
  hashSeed: Int32Array;
  /** Milliseconds of a slot, where the creator's clock counted them; null where slots come from outside. */
  slotMs: number | null;
}

/** Draws a seed for the key indexes of a new directory. */
export function newHashSeed(io: FileIo): Int32Array {
  const bytes = new Uint8Array(4 * SEED_LANES);
  io.randomFill(bytes);
  return new Int32Array(bytes.buffer);
}

/** Writes CONFIG, durably and at once or not at all. */
export function writeConfigFile(io: FileIo, dir: string, created: CreatedWith): void {
  const seed = [...created.hashSeed].map(lane => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  const body = new TextEncoder().encode(
    `${JSON.stringify(
      {
        ...configToJson(created.config),
        ...(created.slotMs === null ? {} : {slot_ms: created.slotMs}),
        hash_seed: seed,
      },
      null,
      2,
    )}\n`,
  );
  const head = new TextEncoder().encode(`allocdb config ${VERSION} crc32c ${checksum(body)}\n`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  const temporary = joinPath(dir, `${CONFIG_NAME}.tmp`);
  if (io.list(dir).includes(`${CONFIG_NAME}.tmp`)) io.unlink(temporary);
  const handle = io.open(temporary, 'create');
  try {
    writeFully(io, handle, bytes, bytes.length, 0);
    io.datasync(handle);
  } finally {
    io.close(handle);
  }
  io.rename(temporary, joinPath(dir, CONFIG_NAME));
  io.syncDir(dir);
}

/** Reads CONFIG; null when there is none. Throws OpenError `corrupt_config` or `unsupported_version`. */
export function readConfigFile(io: FileIo, dir: string): CreatedWith | null {
  if (!io.list(dir).includes(CONFIG_NAME)) return null;
  const bytes = new Uint8Array(BYTES_MAX);
  const handle = io.open(joinPath(dir, CONFIG_NAME), 'read');
  let length: number;
  try {
    length = readFully(io, handle, bytes, 0, BYTES_MAX, 0);
  } finally {
    io.close(handle);
  }
  const newline = bytes.subarray(0, length).indexOf(10);
  const head = new TextDecoder().decode(bytes.subarray(0, Math.max(newline, 0)));
  const match = /^allocdb config (\d+) crc32c ([0-9a-f]{8})$/.exec(head);
  if (match === null) throw new OpenError('corrupt_config', `${CONFIG_NAME} of ${dir} does not begin as it must`);
  if (Number(match[1]) !== VERSION) {
    throw new OpenError(
      'unsupported_version',
      `${dir} is of format version ${match[1]}, this program reads ${VERSION}`,
    );
  }
  const body = bytes.subarray(newline + 1, length);
  if (checksum(body) !== match[2]) throw new OpenError('corrupt_config', `${CONFIG_NAME} of ${dir} fails its checksum`);
  const json = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
  const {hash_seed: seed, slot_ms: slotMs, ...rest} = json;
  if (typeof seed !== 'string' || !/^[0-9a-f]{64}$/.test(seed)) {
    throw new OpenError('corrupt_config', `${CONFIG_NAME} of ${dir} has no hash seed`);
  }
  const lanes = Array.from({length: SEED_LANES}, (_, i) => Number.parseInt(seed.slice(8 * i, 8 * i + 8), 16) | 0);
  return {
    config: configOfJson(rest),
    hashSeed: Int32Array.from(lanes),
    slotMs: typeof slotMs === 'number' ? slotMs : null,
  };
}

/** Milliseconds of a slot of an existing directory; null where it does not say. Throws as `readConfigFile`. */
export function slotMsOf(dir: string, io: FileIo = nodeFileIo): number | null {
  return readConfigFile(io, dir)?.slotMs ?? null;
}

function checksum(bytes: Uint8Array): string {
  return (crc32c(bytes, 0, bytes.length, 0) >>> 0).toString(16).padStart(8, '0');
}
