/**
 * A deterministic engine on the log: a command is logged, durable, applied, answered. State is snapshot plus replay.
 *
 * The log's snapshot marker carries the digest of the state that the snapshot held, and opening compares the two: a snapshot
 * that the log was not told of is refused. Truncation follows the snapshot and stops at whoever still reads.
 */

import {createHash} from 'node:crypto';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {type SnapshotMarker, STATUS, Wal} from '@allocdb/wal';
import {type Change, type Command, changeOf, encodeCommand, recordTypeOf} from './commands.ts';
import {loadImage, saveImage} from './image_file.ts';
import {KeyTable, type TableImage} from './key_table.ts';

export class KeyEngine {
  /** Its tick is the engine's time. */
  readonly table: KeyTable;
  readonly wal: Wal;
  readonly #snapshotPath: string;

  private constructor(table: KeyTable, wal: Wal, snapshotPath: string) {
    this.table = table;
    this.wal = wal;
    this.#snapshotPath = snapshotPath;
  }

  /**
   * Opens or begins the engine of a directory; the state is what was acknowledged, and at most one batch more. Throws for a
   * snapshot that is not the one that the log was told of.
   */
  static open(dir: string): KeyEngine {
    mkdirSync(dir, {recursive: true});
    const snapshotPath = join(dir, 'snapshot.json');
    const image = loadImage(snapshotPath);
    const table = image === null ? new KeyTable() : KeyTable.fromImage(image);
    const sizes = {segmentBytes: 64 * 1024, maxFrameBytes: 16 * 1024};
    const wal = Wal.open({dir: join(dir, 'wal'), floor: table.lsn, ...sizes});
    try {
      checkBelonging(table, wal.recovery.marker);
      for (const {records} of wal.pages({from: table.lsn + 1n})) {
        for (const record of records) table.apply(changeOf(record));
      }
    } catch (error) {
      wal.abandon();
      throw error;
    }
    return new KeyEngine(table, wal, snapshotPath);
  }

  /**
   * Durable and applied when it resolves, with the lsn of the last of them. Throws where the log has no room for all of
   * them together; then none of them is logged, and the engine works on.
   */
  async submit(commands: readonly Command[]): Promise<bigint> {
    const payloads = commands.map(encodeCommand);
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0);
    let status = commands.length === 0 ? STATUS.OK : this.wal.room(commands.length, bytes);
    if (status === STATUS.FRAME_FULL || status === STATUS.PENDING_FULL) {
      await this.wal.commit();
      status = this.wal.room(commands.length, bytes);
    }
    if (status !== STATUS.OK) throw new Error(`no room in the log for this batch (status ${status})`);
    // From the answer to the last append nobody else runs, so the room is still there. The tick is taken here, not before
    // the wait, so that time never falls from record to record.
    const {tick} = this.table;
    const changes = commands.map((command, i): Change => {
      const record = {type: recordTypeOf(command), payload: payloads[i] as Uint8Array, stamp: tick};
      return {lsn: this.wal.appendRecord(record), tick, command};
    });
    await this.wal.commit();
    for (const change of changes) this.table.apply(change);
    return this.table.lsn;
  }

  /** Lets time pass; what is due expires by commands of the engine's own. */
  async advance(ticks: number): Promise<bigint> {
    this.table.tick += BigInt(ticks);
    return await this.submit(this.table.due(this.table.tick).map(key => ({kind: 'expire', key})));
  }

  /** Saves the state and gives up the log before it, as far as nobody reads there. Returns the segments given up. */
  checkpoint(): number {
    const {lsn} = this.table;
    if (lsn === 0n) return 0;
    const image = this.table.toImage();
    saveImage(this.#snapshotPath, image);
    const digest = digestOf(image);
    this.wal.writeSnapshotMarkerSync(Number(BigInt.asIntN(32, lsn)), Number(BigInt.asIntN(32, lsn >> 32n)), digest);
    return this.wal.truncateBefore(lsn + 1n);
  }

  snapshot(): TableImage {
    return this.table.toImage();
  }

  /** Every durable change from this lsn on, as it happens. A feed that yields is told when the log has moved on. */
  async *changes(options: {from: bigint; signal?: AbortSignal; yields?: boolean}): AsyncGenerator<Change, void> {
    for await (const record of this.wal.follow(options)) yield changeOf(record);
  }

  close(): Promise<void> {
    return this.wal.close();
  }
}

/**
 * Of what the log determines, so without the tick: time passes without a record, and a crash between the snapshot and its
 * marker must leave one that the marker before still fits when no change came between.
 */
function digestOf({lsn, entries}: TableImage): Buffer {
  return createHash('sha256').update(JSON.stringify({lsn, entries})).digest().subarray(0, 16);
}

/**
 * The snapshot is saved before its marker is written, so one that is newer than the last marker is what a crash between the
 * two leaves. An older one, or another one for the same lsn, was never this log's last.
 */
function checkBelonging(table: KeyTable, marker: SnapshotMarker | null): void {
  if (marker === null || marker.lsn < table.lsn) return;
  if (marker.lsn === table.lsn && digestOf(table.toImage()).equals(marker.digest)) return;
  throw new Error(`the snapshot at lsn ${table.lsn} is not the one that the log notes at lsn ${marker.lsn}`);
}
