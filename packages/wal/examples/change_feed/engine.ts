/**
 * A deterministic engine on the log: a command is logged, durable, applied, answered. State is snapshot plus replay.
 *
 * The log's snapshot marker carries the digest of what the snapshot held, so a reader of the log can tell that the two
 * belong together; truncation follows the snapshot and stops at whoever still reads.
 */

import {createHash} from 'node:crypto';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {Wal} from '@allocdb/wal';
import {type Change, type Command, changeOf, encodeCommand, recordTypeOf} from './commands.ts';
import {loadImage, saveImage} from './image_file.ts';
import {KeyTable, type TableImage} from './key_table.ts';

export class KeyEngine {
  readonly table: KeyTable;
  readonly wal: Wal;
  readonly #snapshotPath: string;
  #tick: bigint;

  private constructor(table: KeyTable, wal: Wal, snapshotPath: string, tick: bigint) {
    this.table = table;
    this.wal = wal;
    this.#snapshotPath = snapshotPath;
    this.#tick = tick;
  }

  /** Opens or begins the engine of a directory; the state is what was acknowledged, and at most one batch more. */
  static open(dir: string): KeyEngine {
    mkdirSync(dir, {recursive: true});
    const snapshotPath = join(dir, 'snapshot.json');
    const image = loadImage(snapshotPath);
    const table = image === null ? new KeyTable() : KeyTable.fromImage(image);
    const sizes = {segmentBytes: 64 * 1024, maxFrameBytes: 16 * 1024};
    const wal = Wal.open({dir: join(dir, 'wal'), floor: table.lsn, ...sizes});
    let tick = 0n;
    for (const {records} of wal.pages({from: table.lsn + 1n})) {
      for (const record of records) {
        table.apply(changeOf(record));
        tick = record.stamp;
      }
    }
    return new KeyEngine(table, wal, snapshotPath, tick);
  }

  /** Durable and applied when it resolves, with the lsn of the last of them. */
  async submit(commands: readonly Command[]): Promise<bigint> {
    const tick = this.#tick;
    const changes = commands.map((command): Change => ({lsn: this.#log(command, tick), tick, command}));
    await this.wal.commit();
    for (const change of changes) this.table.apply(change);
    return this.table.lsn;
  }

  /** Lets time pass; what is due expires by commands of the engine's own. */
  async advance(ticks: number): Promise<bigint> {
    this.#tick += BigInt(ticks);
    return await this.submit(this.table.due(this.#tick).map(key => ({kind: 'expire', key})));
  }

  /** Saves the state and gives up the log before it, as far as nobody reads there. Returns the segments given up. */
  checkpoint(): number {
    const {lsn} = this.table;
    if (lsn === 0n) return 0;
    const image = this.table.toImage();
    saveImage(this.#snapshotPath, image);
    const digest = createHash('sha256').update(JSON.stringify(image)).digest().subarray(0, 16);
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

  #log(command: Command, tick: bigint): bigint {
    return this.wal.appendRecord({type: recordTypeOf(command), payload: encodeCommand(command), stamp: tick});
  }
}
