/**
 * What the stepper needs of the log: room and order in memory, nothing of files. `Wal` is one; a replicated log could be
 * another. How an open frame becomes durable is the driver's business, and the stepper only hears that it did.
 */
import type {Status} from '@allocdb/wal';

/**
 * Types of the records in an engine's log. Both are required: a reader that does not know them must refuse. The note of a
 * record is the result code of its command, so that the log tells what was answered; 0 where it was not noted yet.
 */
export const RECORD_TYPE = {CLIENT_COMMAND: 1, INTERNAL_COMMAND: 2} as const;

/** The log as the stepper sees it. */
export interface CommandLog {
  /** Records in the frame that is being filled. */
  readonly openRecords: number;
  /** Copies a record into the open frame; its lsn is the next one. A status other than OK has consumed nothing. */
  append(
    type: number,
    flags: number,
    stampLo: number,
    stampHi: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Status;
  /** Sets the note of the record appended last, 8 bits; only while its frame is open. */
  annotate(note: number): void;
  /** Whether so many records with so many payload bytes in all would be taken into the open frame. */
  room(records: number, payloadBytes: number): Status;
}
