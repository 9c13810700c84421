/**
 * The commands of the example's engine: keys with a time to live. Clients set them; the engine itself logs that one has
 * expired, so that a replay expires it at the same place in the order and asks no clock.
 */

import {commandRecordTypes, createCommandRegistry, type LogRecord} from '@allocdb/wal';

export type Command =
  | {readonly kind: 'set'; readonly key: string; readonly value: string; readonly ttlTicks: number}
  | {readonly kind: 'expire'; readonly key: string};

/** A command in its place. `tick` is the engine's logical time, and the record's stamp. */
export interface Change {
  readonly lsn: bigint;
  readonly tick: bigint;
  readonly command: Command;
}

const registry = createCommandRegistry();

export function encodeCommand(command: Command): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(command));
}

/** Which record type a command is logged as. */
export function recordTypeOf(command: Command): number {
  return command.kind === 'set' ? commandRecordTypes.clientCommand.id : commandRecordTypes.internalCommand.id;
}

/** Every record of this log is one of the two types; the registry refuses all others. */
export function changeOf(record: LogRecord): Change {
  const typed = registry.decode(record);
  if (typed === null) throw new Error('every command is required');
  const command: Command = JSON.parse(new TextDecoder().decode(typed.value));
  return {lsn: typed.lsn, tick: typed.stamp, command};
}
