/**
 * Puts records into the log's open frame on behalf of a request: makes room once where the frame is full and nothing is
 * in flight, and turns a log that has failed into a halted engine. A request never sees the log throw.
 */
import {RECORD_FLAG, STATUS, type Status} from '@allocdb/wal';
import type {CommandLog} from './command_log.ts';

const {REQUIRED} = RECORD_FLAG;
const {FRAME_FULL, OK, STORAGE_FULL} = STATUS;

/** What is asked of the driver while a request is handled. */
export interface LogHost {
  /** Makes room in the log by committing at once, if nothing is in flight; false when that is not possible now. */
  makeRoom(): boolean;
  /** The log has failed outside a frame: the driver halts the engine. */
  logFailed(error: unknown): void;
}

export class LogAppender {
  private readonly log: CommandLog;
  private readonly host: LogHost;

  constructor(log: CommandLog, host: LogHost) {
    this.log = log;
    this.host = host;
  }

  /** Appends a required record at a slot. The next lsn is taken only with status OK. */
  append(type: number, slot: Int32Array, bytes: Uint8Array, offset: number, length: number): Status {
    const slotLo = slot[0] ?? 0;
    const slotHi = slot[1] ?? 0;
    try {
      const status = this.log.append(type, REQUIRED, slotLo, slotHi, bytes, offset, length);
      if (status !== FRAME_FULL || !this.host.makeRoom()) return status;
      return this.log.append(type, REQUIRED, slotLo, slotHi, bytes, offset, length);
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Asks for room for a group that must be in one frame. */
  room(records: number, payloadBytes: number): Status {
    try {
      const status = this.log.room(records, payloadBytes);
      return status === FRAME_FULL && this.host.makeRoom() ? this.log.room(records, payloadBytes) : status;
    } catch (error) {
      return this.failed(error);
    }
  }

  /** Whether the open frame takes all members of a batch, each behind its length, that begins at `offset`. */
  takesBatch(view: DataView, offset: number, count: number): boolean {
    let bytes = 0;
    for (let i = 0, member = offset; i < count; i++) {
      const length = view.getUint32(member, true);
      bytes += length;
      member += 4 + length;
    }
    const status = this.room(count, bytes);
    return status === OK || status === STORAGE_FULL;
  }

  /** Nothing was taken, and nothing more will be: whoever asked finds the engine halted. */
  private failed(error: unknown): Status {
    this.host.logFailed(error);
    return FRAME_FULL;
  }
}
