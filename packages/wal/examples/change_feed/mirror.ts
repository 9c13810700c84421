/**
 * A consumer of the change feed that keeps a copy of the state, somewhere else, through crashes of its own.
 *
 * Its position is saved together with what it made of the changes before, so each change counts once. It yields: an
 * engine never keeps its log for a mirror. One that fell behind starts again from a snapshot.
 */

import {isWalError} from '@allocdb/wal';
import type {KeyEngine} from './engine.ts';
import {loadImage, saveImage} from './image_file.ts';
import {KeyTable} from './key_table.ts';

export class Mirror {
  table: KeyTable;
  /** Changes applied one by one, and fresh starts from a snapshot. */
  applied = 0;
  restarts = 0;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    const image = loadImage(path);
    this.table = image === null ? new KeyTable() : KeyTable.fromImage(image);
  }

  /** Follows the engine until it has everything through this lsn, then saves. */
  async catchUp(engine: KeyEngine, through: bigint): Promise<void> {
    while (this.table.lsn < through) {
      try {
        await this.#follow(engine, through);
      } catch (error) {
        if (!isWalError(error) || error.code !== 'missing_segment') throw error;
        this.table = KeyTable.fromImage(engine.snapshot());
        this.restarts++;
      }
    }
    saveImage(this.#path, this.table.toImage());
  }

  async #follow(engine: KeyEngine, through: bigint): Promise<void> {
    for await (const change of engine.changes({from: this.table.lsn + 1n, yields: true})) {
      this.table.apply(change);
      this.applied++;
      if (change.lsn >= through) return;
    }
  }
}
