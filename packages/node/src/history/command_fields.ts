/**
 * Commands in a history's JSON: the names of `docs/api.md` in snake_case, numbers of 64 and 128 bits as strings.
 * Reading and writing stand side by side so that they cannot drift apart; a kind is listed once in each.
 */
import type {Command} from '@allocdb/core';
import type {LineFields} from './line_fields.ts';

const KINDS: readonly Command['kind'][] = [
  'create_resource',
  'reserve',
  'reserve_bundle',
  'confirm',
  'release',
  'confirm_fenced',
  'release_fenced',
  'revoke',
  'reclaim',
];

/** Reads a command from its object. Throws HistoryError naming the field. */
export function readCommand(fields: LineFields): Command {
  const command = commandOf(fields, fields.oneOf('kind', KINDS));
  fields.end();
  return command;
}

function commandOf(fields: LineFields, kind: Command['kind']): Command {
  switch (kind) {
    case 'create_resource':
      return {kind, resourceId: fields.u128('resource_id')};
    case 'reserve':
      return {
        kind,
        resourceId: fields.u128('resource_id'),
        holderId: fields.u128('holder_id'),
        ttlSlots: fields.u64('ttl_slots'),
      };
    case 'reserve_bundle':
      return {
        kind,
        resourceIds: fields.ids('resource_ids'),
        holderId: fields.u128('holder_id'),
        ttlSlots: fields.u64('ttl_slots'),
      };
    case 'confirm':
    case 'release':
      return {kind, reservationId: fields.u128('reservation_id'), holderId: fields.u128('holder_id')};
    case 'confirm_fenced':
    case 'release_fenced':
      return {
        kind,
        reservationId: fields.u128('reservation_id'),
        holderId: fields.u128('holder_id'),
        leaseEpoch: fields.u64('lease_epoch'),
      };
    case 'revoke':
    case 'reclaim':
      return {kind, reservationId: fields.u128('reservation_id')};
  }
}

const NAMES: Readonly<Record<string, string>> = {
  kind: 'kind',
  resourceId: 'resource_id',
  resourceIds: 'resource_ids',
  holderId: 'holder_id',
  ttlSlots: 'ttl_slots',
  reservationId: 'reservation_id',
  leaseEpoch: 'lease_epoch',
};

/** A command as its object; bigints are left for whoever writes the text. */
export function writeCommand(command: Command): object {
  return Object.fromEntries(Object.entries(command).map(([name, value]) => [NAMES[name] ?? name, value]));
}
