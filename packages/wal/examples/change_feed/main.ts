/**
 * `node main.ts DIR [forever]`: fills an engine, mirrors it, checkpoints it, and prints what happened. With `forever` it
 * goes on until it is killed and prints each acknowledged lsn with the number of keys.
 */

import {join} from 'node:path';
import type {Command} from './commands.ts';
import {KeyEngine} from './engine.ts';
import {Mirror} from './mirror.ts';

const BATCHES = 200;

function batchOf(number: number): Command[] {
  return Array.from({length: 10}, (_, i) => {
    const key = `key-${(number * 7 + i) % 500}`;
    return {kind: 'set', key, value: `value ${number}.${i}`, ttlTicks: 5 + (i % 20)};
  });
}

async function goOn(engine: KeyEngine, batch: number): Promise<bigint> {
  await engine.submit(batchOf(batch));
  return await engine.advance(1);
}

async function main(dir: string, forever: boolean): Promise<void> {
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  const engine = KeyEngine.open(dir);
  const first = engine.table.lsn;
  say(`opened at lsn ${first} with ${engine.table.entries.size} keys`);
  for (let batch = 0; forever; batch++) {
    say(`acknowledged ${await goOn(engine, batch)}`);
    if (batch % 50 === 49) engine.checkpoint();
  }
  const mirror = new Mirror(join(dir, 'mirror.json'));
  for (let batch = 0; batch < BATCHES / 2; batch++) await goOn(engine, batch);
  await mirror.catchUp(engine, engine.table.lsn);
  say(`the mirror applied ${mirror.applied} changes and is at lsn ${mirror.table.lsn}`);
  for (let batch = 0; batch < BATCHES / 2; batch++) await goOn(engine, batch);
  say(`a checkpoint gave up ${engine.checkpoint()} segments; the log begins at lsn ${engine.wal.firstLsn}`);
  await mirror.catchUp(engine, await goOn(engine, BATCHES));
  const isEqual = JSON.stringify(mirror.table.toImage().entries) === JSON.stringify(engine.snapshot().entries);
  say(`the mirror started again ${mirror.restarts} time and is ${isEqual ? 'equal' : 'DIFFERENT'}`);
  await engine.close();
}

const [dir, mode] = process.argv.slice(2);
if (dir === undefined) {
  process.stderr.write('usage: main.ts DIR [forever]\n');
  process.exitCode = 64;
} else {
  await main(dir, mode === 'forever');
}
