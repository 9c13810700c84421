/**
 * What the raw `append` and `room` answer: small integers, because they are asked for each record.
 *
 * Every refusal is definite: nothing was written, no lsn was used, and the log works on.
 */

/**
 * - `OK`: taken; the room on disk for the whole open frame is already there
 * - `FRAME_FULL`: the open frame cannot take it; commit (or freeze) and ask again
 * - `RECORD_TOO_LARGE`: no frame or record of this log can ever take it
 * - `STORAGE_FULL`: the disk has no space for the next segment; works again when space returns
 * - `PENDING_FULL`: `maxPendingBytes` are appended and not yet durable; ask again after the next commit
 * - `TOO_MANY_SEGMENTS`: the log has `maxSegments`; truncate it
 * - `LSN_EXHAUSTED`: not enough lsns are left below 2^64
 */
export const STATUS = {
  OK: 0,
  FRAME_FULL: 1,
  RECORD_TOO_LARGE: 2,
  STORAGE_FULL: 3,
  LSN_EXHAUSTED: 4,
  PENDING_FULL: 5,
  TOO_MANY_SEGMENTS: 6,
} as const;

export type Status = (typeof STATUS)[keyof typeof STATUS];
