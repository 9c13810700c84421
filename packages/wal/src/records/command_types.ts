/**
 * The record types of an engine that logs commands: those of its clients and those it gives itself.
 *
 * They stand in a registry of their own: the numbers mean something else in other logs. What a command says is the
 * engine's business; the payload is its bytes.
 */

import {RecordRegistry} from './record_registry.ts';
import {opaqueRecordType, type RecordType} from './record_type.ts';

/** Largest payload of a command. A log takes less where its `maxRecordBytes` is lower. */
export const COMMAND_BYTES_MAX: number = 16 << 20;

export interface CommandRecordTypes {
  /** 1: a command of a client. */
  readonly clientCommand: RecordType<Uint8Array, 'ClientCommand'>;
  /** 2: a command that the engine gave itself. */
  readonly internalCommand: RecordType<Uint8Array, 'InternalCommand'>;
}

/** Both are required. */
export const commandRecordTypes: CommandRecordTypes = {
  clientCommand: opaqueRecordType({id: 1, name: 'ClientCommand', required: true, maxBytes: COMMAND_BYTES_MAX}),
  internalCommand: opaqueRecordType({id: 2, name: 'InternalCommand', required: true, maxBytes: COMMAND_BYTES_MAX}),
};

/** A registry with these two and nothing else. */
export function createCommandRegistry(): RecordRegistry<CommandRecordTypes[keyof CommandRecordTypes]> {
  return new RecordRegistry(Object.values(commandRecordTypes));
}
