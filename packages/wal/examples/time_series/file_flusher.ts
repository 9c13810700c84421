/**
 * Flushes deltas to files that are never changed, and names those that count in a manifest.
 *
 * Invariant: the manifest names only files whose content and names are durable, so everything it names is there after any
 * crash. A file that it does not name was written and never reported durable; opening removes it.
 */

import {mkdir, readdir, readFile, rm} from 'node:fs/promises';
import {join} from 'node:path';
import type {EpochRange, Flusher} from '@allocdb/wal';
import {syncDirectory, writeWhole} from './durable_file.ts';
import type {Point, PointsBySeries} from './points.ts';

const MANIFEST = 'MANIFEST';

/** One flushed delta. */
export interface DataFile {
  readonly name: string;
  readonly epochs: EpochRange;
  readonly series: readonly string[];
}

/** The files that hold everything flushed so far, oldest first. */
export type FileSet = readonly DataFile[];

export class FileFlusher implements Flusher<PointsBySeries, FileSet> {
  readonly #dir: string;
  #files: FileSet;

  constructor(dir: string, files: FileSet) {
    this.#dir = dir;
    this.#files = files;
  }

  async flushDelta(frozen: PointsBySeries, epochs: EpochRange): Promise<FileSet> {
    const name = `points-${String(epochs.start).padStart(12, '0')}.json`;
    await writeWhole(this.#dir, name, JSON.stringify([...frozen]));
    this.#files = [...this.#files, {name, epochs, series: [...frozen.keys()]}];
    return this.#files;
  }

  async flushStorage(): Promise<void> {
    const files = this.#files;
    await syncDirectory(this.#dir);
    await writeWhole(this.#dir, MANIFEST, JSON.stringify(files));
    await syncDirectory(this.#dir);
  }
}

/** The files that the manifest of a directory names; what else is there is removed. A new directory has none. */
export async function openFiles(dir: string): Promise<FileSet> {
  await mkdir(dir, {recursive: true});
  const present = await readdir(dir);
  const files: FileSet = present.includes(MANIFEST) ? JSON.parse(await readFile(join(dir, MANIFEST), 'utf8')) : [];
  const wanted = new Set([MANIFEST, ...files.map(({name}) => name)]);
  for (const name of present) if (!wanted.has(name)) await rm(join(dir, name));
  return files;
}

export async function readPoints(dir: string, {name}: DataFile): Promise<PointsBySeries> {
  const entries: [string, Point[]][] = JSON.parse(await readFile(join(dir, name), 'utf8'));
  return new Map(entries);
}
