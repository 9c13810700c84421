/**
 * The canonical records of a snapshot, decoded by name: one function for each section, and a walk over the records of an
 * intact block. The words are those of core's record codec; what may stand in them is judged when a snapshot is loaded,
 * here a state or a result that does not exist is shown by its number.
 */
import {
  type HolderId,
  holderIdFromBigint,
  type OperationId,
  operationIdFromBigint,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  RESULT_NAMES,
  type ReservationId,
  type ResourceId,
  resourceIdFromBigint,
} from '@allocdb/api';
import {
  bigintOfU64,
  bigintOfU128,
  GRANT_FLAG,
  OPERATION,
  OPERATION_RECORD,
  RESERVATION_RECORD,
  RESOURCE_RECORD,
  SECTION,
} from '@allocdb/core';
import {reservationOf} from './record_change.ts';

/** A resource as a snapshot has it. */
export interface ResourceRecord {
  readonly kind: 'resource';
  readonly id: ResourceId;
  readonly state: string;
  readonly version: bigint;
  /** The reservation that owns it, or null. */
  readonly reservation: ReservationId | null;
}

/** A reservation as a snapshot has it: live, or over and not retired. */
export interface ReservationRecord {
  readonly kind: 'reservation';
  readonly id: ReservationId;
  /** Lsn of the reserve. */
  readonly lsn: bigint;
  readonly holder: HolderId;
  readonly state: string;
  readonly epoch: bigint;
  readonly deadlineSlot: bigint;
  /** Lsn of what ended it, and the last slot at which it can be read; null while it lives. */
  readonly releasedLsn: bigint | null;
  readonly retireAfterSlot: bigint | null;
  readonly resources: readonly ResourceId[];
}

/** A remembered operation as a snapshot has it. */
export interface OperationRecord {
  readonly kind: 'operation';
  readonly id: OperationId;
  /** Of the command; 32 hex digits. */
  readonly fingerprint: string;
  readonly lsn: bigint;
  readonly result: string;
  /** What it was granted, or null. */
  readonly reservation: ReservationId | null;
  readonly deadlineSlot: bigint | null;
  /** Last slot at which it is remembered. */
  readonly retireAfterSlot: bigint;
}

/** A record of any section. */
export type SnapshotRecord = ResourceRecord | ReservationRecord | OperationRecord;

/** Name of a section. */
export type SectionName = 'resources' | 'reservations' | 'operations';
/** The sections by name. */
export const SECTION_NUMBERS: Readonly<Record<SectionName, number>> = {
  resources: SECTION.RESOURCES,
  reservations: SECTION.RESERVATIONS,
  operations: SECTION.OPERATIONS,
};
/** The names of the sections, as they stand in the header. */
export const SECTION_NAMES: readonly SectionName[] = ['resources', 'reservations', 'operations'];

/** Name of a section's number, or null for one that does not exist. */
export function sectionName(section: number): SectionName | null {
  return SECTION_NAMES.find(name => SECTION_NUMBERS[name] === section) ?? null;
}

/** Words of the record at `at`, or 0 where the words that are left cannot hold one. */
export function recordWords(section: SectionName, words: Int32Array, at: number): number {
  const left = words.length - at;
  const fixed = section === 'resources' ? RESOURCE_RECORD.WORDS : OPERATION_RECORD.WORDS;
  if (section !== 'reservations') return left < fixed ? 0 : fixed;
  if (left < RESERVATION_RECORD.MEMBERS) return 0;
  const members = (words[at + RESERVATION_RECORD.MEMBER_COUNT] ?? 0) >>> 0;
  const needed = RESERVATION_RECORD.MEMBERS + 4 * members;
  return needed > left ? 0 : needed;
}

/** Decodes the record at `at`; `shardId` is the high half of reservation ids. */
export function decodeRecord(section: SectionName, words: Int32Array, at: number, shardId: bigint): SnapshotRecord {
  switch (section) {
    case 'resources':
      return decodeResource(words, at, shardId);
    case 'reservations':
      return decodeReservation(words, at, shardId);
    case 'operations':
      return decodeOperation(words, at, shardId);
  }
}

function decodeResource(words: Int32Array, at: number, shardId: bigint): ResourceRecord {
  const owner = u64(words, at + RESOURCE_RECORD.RESERVATION_LSN);
  return {
    kind: 'resource',
    id: resourceIdFromBigint(bigintOfU128(words, at + RESOURCE_RECORD.ID)),
    state: nameOf(RESOURCE_STATE_NAMES, words[at + RESOURCE_RECORD.STATE]),
    version: u64(words, at + RESOURCE_RECORD.VERSION),
    reservation: owner === 0n ? null : reservationOf(shardId, owner),
  };
}

function decodeReservation(words: Int32Array, at: number, shardId: bigint): ReservationRecord {
  const lsn = u64(words, at + RESERVATION_RECORD.LSN);
  const releasedLsn = u64(words, at + RESERVATION_RECORD.RELEASED_LSN);
  const isOver = releasedLsn !== 0n;
  const members = (words[at + RESERVATION_RECORD.MEMBER_COUNT] ?? 0) >>> 0;
  return {
    kind: 'reservation',
    id: reservationOf(shardId, lsn),
    lsn,
    holder: holderIdFromBigint(bigintOfU128(words, at + RESERVATION_RECORD.HOLDER)),
    state: nameOf(RESERVATION_STATE_NAMES, words[at + RESERVATION_RECORD.STATE]),
    epoch: u64(words, at + RESERVATION_RECORD.EPOCH),
    deadlineSlot: u64(words, at + RESERVATION_RECORD.DEADLINE),
    releasedLsn: isOver ? releasedLsn : null,
    retireAfterSlot: isOver ? u64(words, at + RESERVATION_RECORD.RETIRE_AFTER) : null,
    resources: Array.from({length: members}, (_, i) =>
      resourceIdFromBigint(bigintOfU128(words, at + RESERVATION_RECORD.MEMBERS + 4 * i)),
    ),
  };
}

function decodeOperation(words: Int32Array, at: number, shardId: bigint): OperationRecord {
  const lsn = u64(words, at + OPERATION.APPLIED_LSN);
  const result = words[at + OPERATION.RESULT] ?? 0;
  const isGranted = (result & GRANT_FLAG) !== 0;
  return {
    kind: 'operation',
    id: operationIdFromBigint(bigintOfU128(words, at + OPERATION.ID)),
    fingerprint: bigintOfU128(words, at + OPERATION.FINGERPRINT)
      .toString(16)
      .padStart(32, '0'),
    lsn,
    result: nameOf(RESULT_NAMES, result & ~GRANT_FLAG),
    reservation: isGranted ? reservationOf(shardId, lsn) : null,
    deadlineSlot: isGranted ? u64(words, at + OPERATION.DEADLINE) : null,
    retireAfterSlot: u64(words, at + OPERATION.RETIRE_AFTER),
  };
}

function u64(words: Int32Array, at: number): bigint {
  return bigintOfU64(words[at] ?? 0, words[at + 1] ?? 0);
}

function nameOf(names: readonly string[], code: number | undefined): string {
  return (code === undefined ? '' : names[code]) || `unknown (${code})`;
}
