// Reader of the conformance vectors: streams of API frames with the expected answers, kept at the root of the
// repository and described in the README beside them.
//
// Only reads: nothing here knows what an answer means. Every adapter (model, engine, command line, network) uses it.
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {type ConfigJson, configFromJson, type ModelConfig} from './model/config.ts';
import type {StateDump} from './model/dump.ts';
import type {ModelStart} from './model/model.ts';

/** One uninterrupted run: requests, the answer to each, the state at the end. */
export interface VectorRun {
  requests: Uint8Array[];
  responses: Uint8Array[];
  finalState: StateDump;
}

export interface VectorStream {
  name: string;
  configPath: string;
  configJson: ConfigJson;
  config: ModelConfig;
  start: ModelStart | null;
  /** One run, or two with a restart between them. */
  runs: VectorRun[];
  restart: {metricsAtSlot: bigint; metricsAfterRestart: Uint8Array} | null;
}

interface AboutJson {
  start_snapshot_lsn?: string;
  start_snapshot_slot?: string;
  restart?: {metrics_at_slot: string; metrics_after_restart_hex: string};
}

const VECTOR_DIRECTORY = fileURLToPath(new URL('../../../vectors/public/', import.meta.url));
const CONFIG_SUFFIX = '.config.json';

/** Splits repeated [u32 length][bytes]. */
export function splitFrames(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = at + 4 + view.getUint32(at, true);
    if (end > bytes.length) throw new RangeError(`the frame at byte ${at} runs past the end`);
    frames.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return frames;
}

export function joinFrames(frames: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(frames.reduce((total, frame) => total + 4 + frame.length, 0));
  const view = new DataView(joined.buffer);
  let at = 0;
  for (const frame of frames) {
    view.setUint32(at, frame.length, true);
    joined.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return joined;
}

function readJson<Json>(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

function readRun(prefix: string): VectorRun {
  return {
    requests: splitFrames(readFileSync(`${prefix}.req.bin`)),
    responses: splitFrames(readFileSync(`${prefix}.resp.bin`)),
    finalState: readJson<StateDump>(`${prefix}.final-state.json`),
  };
}

export function vectorNames(directory: string = VECTOR_DIRECTORY): string[] {
  const configs = readdirSync(directory).filter(file => file.endsWith(CONFIG_SUFFIX));
  return configs.map(file => file.slice(0, -CONFIG_SUFFIX.length)).sort();
}

export function readVectorStream(name: string, directory: string = VECTOR_DIRECTORY): VectorStream {
  const prefix = `${directory.replace(/\/?$/, '/')}${name}`;
  const configPath = `${prefix}${CONFIG_SUFFIX}`;
  const configJson = readJson<ConfigJson>(configPath);
  const about = readJson<AboutJson>(`${prefix}.about.json`);
  const {start_snapshot_lsn: lsn, start_snapshot_slot: slot, restart} = about;
  return {
    name,
    configPath,
    configJson,
    config: configFromJson(configJson),
    start: lsn === undefined || slot === undefined ? null : {lsn: BigInt(lsn), slot: BigInt(slot)},
    runs: restart === undefined ? [readRun(prefix)] : [readRun(`${prefix}.a`), readRun(`${prefix}.b`)],
    restart:
      restart === undefined
        ? null
        : {
            metricsAtSlot: BigInt(restart.metrics_at_slot),
            metricsAfterRestart: Buffer.from(restart.metrics_after_restart_hex, 'hex'),
          },
  };
}
