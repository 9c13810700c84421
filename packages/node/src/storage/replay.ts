/**
 * The log back into the state: every record after the state's lsn, in order, through the same apply code as the first
 * time. A log holds only what had passed every check before it was written, so whatever would not pass now is an error
 * of the log, named with its lsn; nothing is skipped or guessed.
 *
 * At each snapshot marker that is passed the state must be sound and have the marker's digest.
 */
import {
  type AllocDb,
  bigintOfU64,
  bigintOfU128,
  checkInvariants,
  DECODE,
  digestOf,
  historyOverflows,
  ltU64,
  Outcome,
  overflowOf,
  RESULT_NAMES,
  SlotOverflow,
} from '@allocdb/core';
import {FRAME_HEADER_BYTES, type LogCursor, READ, RECORD_HEADER_BYTES, type RecordView} from '@allocdb/wal';
import {RECORD_TYPE} from '../engine/command_log.ts';
import {OpenError} from '../errors.ts';
import {NO_PROGRESS, type Progress, runSteps, type Steps} from './steps.ts';

const {CLIENT_COMMAND, INTERNAL_COMMAND} = RECORD_TYPE;
const {NONE} = DECODE;
const {END, RECORD, FRAME_END} = READ;

/** Frames begin on multiples of this, as the engine opens its log. */
const BLOCK_BYTES = 512;

/** Records of a piece of replay. */
const RECORDS_A_STEP = 256;

export class Replayer {
  /** Records applied. */
  records: number = 0;
  /** Bytes of log that they took, frames and padding included. */
  logBytes: number = 0;
  private readonly markers: Map<bigint, bigint> = new Map();
  private readonly watched: Map<bigint, (digest: bigint) => void> = new Map();
  private readonly db: AllocDb;
  private readonly outcome: Outcome = new Outcome();
  private readonly overflow: SlotOverflow = new SlotOverflow();
  /** Records of the frame, behind the present one, for which memory was read ahead. */
  private seen: number = 0;
  private readonly note = (record: RecordView): boolean =>
    record.type !== CLIENT_COMMAND || this.db.lookahead.note(record.view, record.offset, record.length);

  constructor(db: AllocDb) {
    this.db = db;
  }

  private apply(cursor: LogCursor): void {
    const {db, outcome, overflow} = this;
    const {lsnLo, lsnHi, stampLo, stampHi} = cursor;
    if (ltU64(stampLo, stampHi, db.lastSlotLo, db.lastSlotHi)) {
      const [slot, last] = [bigintOfU64(stampLo, stampHi), bigintOfU64(db.lastSlotLo, db.lastSlotHi)];
      throw new OpenError('rewound_slot', `lsn ${lsnOf(cursor)} is of slot ${slot}, behind slot ${last} before it`);
    }
    if (this.seen > 0) this.seen--;
    else this.lookAhead(cursor);
    if (cursor.type === CLIENT_COMMAND) {
      this.expect(db.decodeClient(cursor.view, cursor.offset, cursor.length) === NONE, cursor);
      this.expect(!overflowOf(db, stampLo, stampHi, overflow), cursor);
      db.applyClient(lsnLo, lsnHi, stampLo, stampHi, outcome);
    } else {
      this.expect(cursor.type === INTERNAL_COMMAND, cursor);
      this.expect(db.decodeInternal(cursor.view, cursor.offset, cursor.length) === NONE, cursor);
      this.expect(!historyOverflows(db, stampLo, stampHi, overflow), cursor);
      db.applyInternal(lsnLo, lsnHi, stampLo, stampHi, outcome);
    }
    if (cursor.note !== 0 && cursor.note !== outcome.code) {
      const [now, then] = [outcome.code, cursor.note].map(code => RESULT_NAMES[code] ?? String(code));
      throw new OpenError('outcome_mismatch', `lsn ${lsnOf(cursor)} gives ${now}, and was answered ${then}`);
    }
    this.records++;
    if (this.markers.size + this.watched.size > 0) this.onLsn();
  }

  private lookAhead(cursor: LogCursor): void {
    const {lookahead} = this.db;
    lookahead.begin();
    this.seen = cursor.ahead(this.note);
    if (this.seen > 0) lookahead.load();
  }

  /**
   * Reads the snapshot markers of the log ahead, so that the state can be compared with each as replay passes its lsn: a
   * marker stands behind the records that came in while its snapshot was written.
   */
  expectMarkers(cursor: LogCursor): void {
    runSteps(this.markerSteps(cursor));
  }

  /** {@link Replayer.expectMarkers} in pieces of a frame. */
  *markerSteps(cursor: LogCursor): Steps<void> {
    const digest = new Int32Array(4);
    try {
      for (let event = cursor.next(); event !== END; event = cursor.next()) {
        if (event === FRAME_END) yield;
        if (event !== READ.SNAPSHOT_MARKER) continue;
        new Uint8Array(digest.buffer).set(cursor.payload());
        this.markers.set(cursor.lsn, bigintOfU128(digest, 0));
      }
    } finally {
      cursor.close();
    }
  }

  /** Applies every record from the cursor on. Throws OpenError `undecodable_command`, `rewound_slot` or as above. */
  replay(cursor: LogCursor): void {
    runSteps(this.replaySteps(cursor));
  }

  /** {@link Replayer.replay} in pieces, each told to `progress` as records. */
  *replaySteps(cursor: LogCursor, progress: Progress = NO_PROGRESS): Steps<void> {
    let body = 0;
    let told = this.records;
    try {
      for (let event = cursor.next(); event !== END; event = cursor.next()) {
        if (event === RECORD) {
          body += RECORD_HEADER_BYTES + cursor.length;
          this.apply(cursor);
          if (this.records - told < RECORDS_A_STEP) continue;
          progress.add(this.records - told);
          told = this.records;
          yield;
        } else if (event === FRAME_END) {
          this.logBytes += BLOCK_BYTES * Math.ceil((FRAME_HEADER_BYTES + body) / BLOCK_BYTES);
          body = 0;
        }
      }
      progress.add(this.records - told);
    } finally {
      cursor.close();
    }
  }

  /** Compares the state as it is with the marker of its lsn, if there is one: for a state that was not replayed to. */
  compareHere(): void {
    this.onLsn();
  }

  /** Calls back with the state's digest when replay has reached an lsn. */
  watch(lsn: bigint, onReached: (digest: bigint) => void): void {
    this.watched.set(lsn, onReached);
  }

  private onLsn(): void {
    const {db} = this;
    const lsn = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
    const digest = this.markers.get(lsn);
    const watched = this.watched.get(lsn);
    if (digest === undefined && watched === undefined) return;
    checkSound(db);
    const actual = digestOf(db);
    watched?.(actual);
    if (digest === undefined) return;
    if (actual !== digest) {
      const [found, marked] = [actual.toString(16), digest.toString(16)];
      throw new OpenError('digest_mismatch', `at lsn ${lsn} the state has digest ${found}, the log says ${marked}`);
    }
  }

  private expect(condition: boolean, cursor: LogCursor): void {
    if (condition) return;
    throw new OpenError(
      'undecodable_command',
      `lsn ${lsnOf(cursor)} (type ${cursor.type}) is no command of this database`,
    );
  }
}

/** Throws OpenError `invariant_violation` when the state is not sound. */
export function checkSound(db: AllocDb): void {
  const violations = checkInvariants(db);
  if (violations.length === 0) return;
  const lsn = bigintOfU64(db.lastLsnLo, db.lastLsnHi);
  throw new OpenError('invariant_violation', `at lsn ${lsn} the state is not sound:`, violations);
}

function lsnOf(cursor: LogCursor): bigint {
  return bigintOfU64(cursor.lsnLo, cursor.lsnHi);
}
