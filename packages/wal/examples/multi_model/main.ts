/**
 * Runs the example: a store that is killed twenty times and never loses what it acknowledged.
 *
 * From the directory of the package: `tsx --conditions=@allocdb/source examples/multi_model/main.ts`
 */

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {runKills} from './kill_run.ts';

const dir = mkdtempSync(join(tmpdir(), 'multi-model-'));
try {
  const {kills, operations, unheard, surrogates, entries} = await runKills(join(dir, 'wal'), 20, 60);
  process.stdout.write(
    `${kills} kills, ${operations} operations, ${surrogates} surrogates, ${entries} documents and vectors: ` +
      `all as acknowledged (${unheard} times the one under way was there as well)\n`,
  );
} finally {
  rmSync(dir, {recursive: true, force: true});
}
