/**
 * What a history is about (resources, reservations, one operation), and the cheap question of a record whether it can be
 * about one of them. It is asked of every record of a log, so it is answered from 32-bit lanes and makes no object; a
 * record that it lets pass may still be about something else, one that it stops is not.
 */
import {type Change, idToBigint, type OperationId, type ReservationId, type ResourceId} from '@allocdb/api';
import {COMMAND, CommandRegisters, DECODE, decodeClientCommand, decodeInternalCommand, loOf, REG} from '@allocdb/core';
import type {RecordView} from '@allocdb/wal';
import {RECORD_TYPE} from '../engine/command_log.ts';

const {OPERATION, SUBJECT} = REG;
const {NONE} = DECODE;
const {CREATE_RESOURCE, RESERVE, RESERVE_BUNDLE} = COMMAND;

/** What is asked about. */
export interface Subjects {
  readonly resources: readonly ResourceId[];
  readonly reservations: readonly ReservationId[];
  readonly operation: OperationId | null;
}

/** Which records can be about these subjects. */
export class SubjectFilter {
  private readonly resources: Set<number>;
  private readonly reservations: Set<number>;
  private readonly operation: number | null;
  private readonly registers: CommandRegisters = new CommandRegisters();

  constructor({resources, reservations, operation}: Subjects) {
    this.resources = new Set(resources.map(lowLane));
    this.reservations = new Set(reservations.map(lowLane));
    this.operation = operation === null ? null : lowLane(operation);
  }

  /** From now on records about this reservation pass too. */
  addReservation(id: ReservationId): void {
    this.reservations.add(lowLane(id));
  }

  /** Also true of a record that is no command: whoever decodes it finds out. */
  takes({type, view, offset, length}: RecordView): boolean {
    const {registers} = this;
    const {words} = registers;
    if (type !== RECORD_TYPE.CLIENT_COMMAND) {
      const decoded = decodeInternalCommand(view, offset, length, registers);
      return decoded !== NONE || this.reservations.has(words[SUBJECT] ?? 0);
    }
    if (decodeClientCommand(view, offset, length, registers) !== NONE) return true;
    if (this.operation !== null && words[OPERATION] === this.operation) return true;
    const {tag, memberCount, membersOffset} = registers;
    if (tag === RESERVE_BUNDLE) {
      for (let i = 0; i < memberCount; i++) {
        if (this.resources.has(view.getInt32(membersOffset + 16 * i, true))) return true;
      }
      return false;
    }
    const set = tag === CREATE_RESOURCE || tag === RESERVE ? this.resources : this.reservations;
    return set.has(words[SUBJECT] ?? 0);
  }
}

/** The lowest 32 bits of an id; for a reservation, of the lsn that granted it. */
export function lowLane(id: ResourceId | ReservationId | OperationId): number {
  return loOf(idToBigint(id));
}

/** The resources that a change names. */
export function resourcesOf(change: Change): readonly ResourceId[] {
  if (change.kind === 'create_resource') return [change.resource];
  return 'resources' in change ? change.resources : [];
}

/** The reservation that a change names or granted, or null. */
export function reservationOfChange(change: Change): ReservationId | null {
  if ('reservation' in change) return change.reservation;
  return 'lease' in change ? (change.lease?.id ?? null) : null;
}
