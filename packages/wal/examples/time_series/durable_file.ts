/**
 * A file that appears under its name only as a whole: written under a temporary name, synced, then renamed.
 *
 * The new name itself is certain only after `syncDirectory`.
 */

import {open, rename} from 'node:fs/promises';
import {join} from 'node:path';

export const TEMPORARY = '.tmp';

export async function writeWhole(dir: string, name: string, text: string): Promise<void> {
  const temporary = join(dir, name + TEMPORARY);
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(dir, name));
}

export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
