/**
 * What an online command loads before it can run: the client, and neither engine nor server. They would double the time
 * that `allocdb get` takes, of which nearly all is loading.
 */
import {readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';

const SOURCE = fileURLToPath(new URL('../src', import.meta.url));

/** Packages that a file needs to load, itself or through others; imports of types are erased. */
function packagesOf(file: string, seen: Set<string> = new Set(), found: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return found;
  seen.add(file);
  for (const [, names = '', from = ''] of readFileSync(file, 'utf8').matchAll(/^import (.*?) ?from '([^']+)';$/gms)) {
    const isErased = names.startsWith('type ') || /^\{(?:\s*type [\w ]+,?)+\s*\}$/.test(names);
    if (isErased) continue;
    if (from.startsWith('.')) packagesOf(join(dirname(file), from), seen, found);
    else if (!from.startsWith('node:')) found.add(from);
  }
  return found;
}

test('main.ts and the online commands load the client alone', () => {
  const allowed = ['@allocdb/api', '@allocdb/client', 'cli-progress', 'commander'];
  expect([...packagesOf(join(SOURCE, 'main.ts'))].sort()).toEqual(allowed);
  // The same walk finds what the other commands need, so it would have found it here.
  expect([...packagesOf(join(SOURCE, 'all_commands.ts'))]).toEqual(
    expect.arrayContaining(['@allocdb/server', '@allocdb/node']),
  );
});
