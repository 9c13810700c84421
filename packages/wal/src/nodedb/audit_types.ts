/**
 * The records of an audit log: purges as they are begun and done, and other entries.
 *
 * A registry of its own; `TemporalPurge` has the number and the bytes that it has in a data log.
 */

import {RecordRegistry} from '../records/record_registry.ts';
import {defineRecordType, type RecordType} from '../records/record_type.ts';
import {type ControlTypes, controlTypes, type TemporalPurge} from './control_types.ts';

/** Largest detail of a note. */
export const NOTE_BYTES_MAX = 0xffff;
const KIND_BYTES_MAX = 255;

/** What is about to be purged; how many versions that is shows only afterwards. */
export type PurgeBegun = Omit<TemporalPurge, 'purgedCount'>;

/** An entry about anything else. */
export interface AuditNote {
  /** At most 255 bytes of UTF-8. */
  readonly kind: string;
  readonly detail: Uint8Array;
}

export interface AuditTypes extends Pick<ControlTypes, 'TemporalPurge'> {
  readonly PurgeBegun: RecordType<PurgeBegun, 'PurgeBegun'>;
  readonly AuditNote: RecordType<AuditNote, 'AuditNote'>;
}

export const auditTypes: AuditTypes = {
  /** Its stamp is the lsn of the `PurgeBegun` that it ends. */
  TemporalPurge: controlTypes.TemporalPurge,
  PurgeBegun: defineRecordType({
    id: 200,
    name: 'PurgeBegun',
    required: true,
    maxBytes: controlTypes.TemporalPurge.maxBytes,
    encode: (value, writer) => controlTypes.TemporalPurge.encode({...value, purgedCount: 0n}, writer),
    decode: reader => {
      const {engine, collection, cutoffMs, purgedCount} = controlTypes.TemporalPurge.decode(reader);
      if (purgedCount !== 0n) throw new RangeError('a purge that has begun has purged nothing');
      return {engine, collection, cutoffMs};
    },
  }),
  AuditNote: defineRecordType({
    id: 201,
    name: 'AuditNote',
    required: true,
    maxBytes: 4 + KIND_BYTES_MAX + 4 + NOTE_BYTES_MAX,
    encode: (value, writer) => {
      writer.string(value.kind, KIND_BYTES_MAX);
      writer.bytes(value.detail, NOTE_BYTES_MAX);
    },
    decode: reader => ({kind: reader.string(KIND_BYTES_MAX), detail: reader.bytes(NOTE_BYTES_MAX)}),
  }),
};

export function createAuditRegistry(): RecordRegistry<AuditTypes[keyof AuditTypes]> {
  return new RecordRegistry<AuditTypes[keyof AuditTypes]>(Object.values(auditTypes));
}
