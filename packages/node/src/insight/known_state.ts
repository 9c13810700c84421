/**
 * What is known of some resources, reservations and an operation at one lsn, from elsewhere than the log: from a snapshot
 * file, or from the state of a running engine. A history begins with it, because the log may begin later than the things
 * that it is about.
 */
import {
  type HolderId,
  holderIdFromBigint,
  idToBigint,
  RESERVATION_STATE_NAMES,
  RESOURCE_STATE_NAMES,
  type ReservationId,
  type ResourceId,
  reservationIdFromBigint,
  resourceIdFromBigint,
} from '@allocdb/api';
import {
  type AllocDb,
  bigintOfU64,
  bigintOfU128,
  LOOKUP,
  OPERATION,
  RESERVATION,
  RESERVATION_RECORD,
  RESOURCE_RECORD,
  ReservationView,
  ResourceView,
  readMemberId,
  readReservation,
  readResource,
  writeU128,
} from '@allocdb/core';
import type {FileIo} from '@allocdb/wal';
import {reservationOf} from './record_change.ts';
import {SnapshotBlocks} from './snapshot_blocks.ts';
import {
  decodeRecord,
  type OperationRecord,
  type ReservationRecord,
  type ResourceRecord,
  recordWords,
  type SectionName,
  sectionName,
} from './snapshot_records.ts';
import {lowLane, type Subjects} from './subjects.ts';

/** The state of what was asked about, behind the change at `lsn`. */
export interface KnownState {
  readonly lsn: bigint;
  readonly slot: bigint;
  /** Null for one that does not exist; one that is not here was not asked about. */
  readonly resources: ReadonlyMap<ResourceId, ResourceRecord | null>;
  /** Those that were asked about and those that own the resources; from a snapshot also those that owned them lately. */
  readonly reservations: ReadonlyMap<ReservationId, ReservationRecord>;
  /** The remembered answer to the operation that was asked about, if there is one. */
  readonly operation: OperationRecord | null;
}

/**
 * Reads what a snapshot file says about the subjects, without tables: memory is bounded by a block. Null for a file that
 * is not sound in every block. Throws what the system throws.
 */
export function knownInSnapshot(io: FileIo, file: string, subjects: Subjects, shardId: bigint): KnownState | null {
  using blocks = new SnapshotBlocks(io, file);
  const {header} = blocks;
  if (header === null) return null;
  const wanted = new Set<ResourceId>(subjects.resources);
  const asked = new Set<ReservationId>(subjects.reservations);
  const lanes = new SubjectLanes(subjects);
  const resources = new Map<ResourceId, ResourceRecord | null>(subjects.resources.map(id => [id, null]));
  const reservations = new Map<ReservationId, ReservationRecord>();
  let operation: OperationRecord | null = null;
  for (const {section, records, words, isIntact} of blocks.blocks()) {
    const name = sectionName(section);
    if (!isIntact) return null;
    if (name === null || (name === 'operations' && subjects.operation === null)) continue;
    for (let at = 0, left = records; left > 0; left--) {
      const length = recordWords(name, words, at);
      if (length === 0) return null;
      at += length;
      if (!lanes.has(name, words, at - length)) continue;
      const record = decodeRecord(name, words, at - length, shardId);
      if (record.kind === 'resource' && wanted.has(record.id)) resources.set(record.id, record);
      else if (record.kind === 'operation' && record.id === subjects.operation) operation = record;
      else if (record.kind === 'reservation') {
        if (asked.has(record.id) || record.resources.some(id => wanted.has(id))) reservations.set(record.id, record);
      }
    }
  }
  if (blocks.endProblem !== null) return null;
  return {lsn: header.lsn, slot: header.slot, resources, reservations, operation};
}

/** Whether a record can be about the subjects, by the lowest words of its ids: millions are looked at for a few. */
class SubjectLanes {
  private readonly resources: Set<number>;
  private readonly reservations: Set<number>;
  private readonly operation: number | null;

  constructor({resources, reservations, operation}: Subjects) {
    this.resources = new Set(resources.map(lowLane));
    this.reservations = new Set(reservations.map(lowLane));
    this.operation = operation === null ? null : lowLane(operation);
  }

  has(section: SectionName, words: Int32Array, at: number): boolean {
    if (section === 'resources') return this.resources.has(words[at + RESOURCE_RECORD.ID] ?? 0);
    if (section === 'operations') return words[at + OPERATION.ID] === this.operation;
    if (this.reservations.has(words[at + RESERVATION_RECORD.LSN] ?? 0)) return true;
    const end = at + recordWords(section, words, at);
    for (let member = at + RESERVATION_RECORD.MEMBERS; member < end; member += 4) {
      if (this.resources.has(words[member] ?? 0)) return true;
    }
    return false;
  }
}

/** What a state in memory says about the subjects. A remembered operation is not looked up. */
export function knownInState(db: AllocDb, subjects: Subjects): KnownState {
  const resources = new Map<ResourceId, ResourceRecord | null>();
  const reservations = new Map<ReservationId, ReservationRecord>();
  const view = new ResourceView();
  const id = new Int32Array(4);
  const addReservation = (reservation: ReservationId): void => {
    const record = reservationIn(db, reservation);
    if (record !== null) reservations.set(reservation, record);
  };
  for (const resource of subjects.resources) {
    writeU128(id, 0, idToBigint(resource));
    if (!readResource(db, id, 0, view)) {
      resources.set(resource, null);
      continue;
    }
    const owner = reservationOf(db.config.shardId, bigintOfU64(view.reservationLsnLo, view.reservationLsnHi));
    resources.set(resource, {
      kind: 'resource',
      id: resource,
      state: RESOURCE_STATE_NAMES[view.state as 1],
      version: bigintOfU64(view.versionLo, view.versionHi),
      reservation: view.held ? owner : null,
    });
    if (view.held) addReservation(owner);
  }
  for (const reservation of subjects.reservations) addReservation(reservation);
  return {
    lsn: bigintOfU64(db.lastLsnLo, db.lastLsnHi),
    slot: bigintOfU64(db.lastSlotLo, db.lastSlotHi),
    resources,
    reservations,
    operation: null,
  };
}

function reservationIn(db: AllocDb, id: ReservationId): ReservationRecord | null {
  const view = new ReservationView();
  const lanes = new Int32Array(4);
  writeU128(lanes, 0, idToBigint(id));
  if (readReservation(db, lanes, 0, db.lastSlotLo, db.lastSlotHi, view) !== LOOKUP.FOUND) return null;
  const u64 = (at: number): bigint => bigintOfU64(view.words[at] ?? 0, view.words[at + 1] ?? 0);
  const resources = Array.from({length: view.memberCount}, (_, i) => {
    readMemberId(db, view.row, i, lanes, 0);
    return resourceIdFromBigint(bigintOfU128(lanes, 0));
  });
  const holder: HolderId = holderIdFromBigint(bigintOfU128(view.words, RESERVATION.HOLDER));
  return {
    kind: 'reservation',
    id: reservationIdFromBigint(idToBigint(id)),
    lsn: u64(RESERVATION.LSN),
    holder,
    state: RESERVATION_STATE_NAMES[view.state as 1],
    epoch: u64(RESERVATION.EPOCH),
    deadlineSlot: u64(RESERVATION.DEADLINE),
    releasedLsn: view.terminal ? u64(RESERVATION.RELEASED_LSN) : null,
    retireAfterSlot: view.terminal ? u64(RESERVATION.RETIRE_AFTER) : null,
    resources,
  };
}
