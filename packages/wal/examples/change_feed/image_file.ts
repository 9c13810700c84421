/**
 * A small file that is replaced as a whole: written beside, synced, renamed, and the directory synced.
 */

import {closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import type {TableImage} from './key_table.ts';

export function saveImage(path: string, image: TableImage): void {
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, 'w');
  try {
    writeFileSync(file, JSON.stringify(image));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const dir = openSync(dirname(path), 'r');
  try {
    fsyncSync(dir);
  } finally {
    closeSync(dir);
  }
}

export function loadImage(path: string): TableImage | null {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}
