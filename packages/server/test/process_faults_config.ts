/**
 * Configuration and requests of the fault tests: windows so long that every operation of a test can be asked again, and
 * commands of 64 KB, which fill a log quickly and change nothing.
 */
import type {ApiRequest} from '@allocdb/api';
import {configOfLimits, configToJson} from '@allocdb/node';
import {tempFile} from './command.ts';
import {submit} from './requests.ts';

export const RESOURCES = 10_000;
const BUNDLE = 4000;
const OPERATION_WINDOW_SLOTS = '1000000';

/** Writes the configuration file of a test and returns its path. */
export function faultConfigFile(slotMs: number): string {
  const limits = {
    maxResources: RESOURCES,
    maxReservations: 20_000,
    maxOperations: 400_000,
    maxTtlSlots: 10_000,
    maxBundleSize: BUNDLE,
  };
  const {core, engine} = configToJson(configOfLimits(limits, slotMs)) as Record<'core' | 'engine', object>;
  return tempFile(
    'config.json',
    JSON.stringify({
      core: {...core, operation_window_slots: OPERATION_WINDOW_SLOTS},
      engine: {...engine, max_command_bytes: 65_536},
    }),
  );
}

const NOWHERE: bigint[] = Array.from({length: BUNDLE}, (_, i) => BigInt(i) + (1n << 64n));

/** A command of 64 KB that finds none of its resources. */
export function filler(operationId: bigint): ApiRequest {
  return submit(operationId, {kind: 'reserve_bundle', holderId: 1n, ttlSlots: 5n, resourceIds: NOWHERE});
}
