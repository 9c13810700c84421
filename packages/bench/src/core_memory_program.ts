/**
 * Memory of the tables, measured: a state machine is constructed at two sizes that differ in one thing, and what the
 * process holds in array buffers more with the larger one is divided by the difference. Run as a process of its own,
 * `--expose-gc core_memory_program.js`; prints a line of JSON.
 *
 * Indexes have a power of two of cells, at least twice as many as rows: a table of exactly a power of two of rows has the
 * smallest share of them, one of a row more the largest. Both are measured.
 */
import {setTimeout as delay} from 'node:timers/promises';
import {AllocDb, type CoreConfig, memoryBytesOf} from '@allocdb/core';

/** Bytes of one more thing: measured, and by the formula that a configuration is judged by. */
interface Quotient {
  readonly what: string;
  readonly measured: number;
  readonly stated: number;
}

const ROWS: number = 1 << 17;
const SEED = new Int32Array(8);
const SMALL: CoreConfig = {
  shardId: 0n,
  maxResources: 1024,
  maxReservations: 1024,
  maxOperations: 1024,
  maxBundleSize: 1,
  maxTtlSlots: 1023n,
  maxClientRetryWindowSlots: 10n,
  reservationHistoryWindowSlots: 10n,
  maxExpirationBucketLen: 1,
  operationWindowSlots: 10n,
};

function arrayBytes(): number {
  const collect = globalThis.gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** What loading the program left behind is given back in the background: waits until nothing more is. */
async function settled(): Promise<void> {
  for (let still = 0, last = -1; still < 5; await delay(20)) {
    const bytes = arrayBytes();
    still = bytes === last ? still + 1 : 0;
    last = bytes;
  }
}

/** All of them stay: buffers are given back in the background, some time after a collection. */
const built: AllocDb[] = [];

/** What a state machine of this configuration keeps in array buffers. */
function bytesOf(config: CoreConfig): number {
  const before = arrayBytes();
  built.push(new AllocDb(config, SEED));
  return arrayBytes() - before;
}

function quotient(what: string, less: CoreConfig, more: CoreConfig, things: number): Quotient {
  return {
    what,
    measured: (bytesOf(more) - bytesOf(less)) / things,
    stated: (memoryBytesOf(more) - memoryBytesOf(less)) / things,
  };
}

type Count = 'maxResources' | 'maxReservations' | 'maxOperations';

function rows(what: string, field: Count): Quotient[] {
  const between = (extra: number): [CoreConfig, CoreConfig, number] => [
    {...SMALL, [field]: ROWS + extra},
    {...SMALL, [field]: 2 * ROWS + extra},
    ROWS,
  ];
  return [quotient(`${what}, 2^n of them`, ...between(0)), quotient(`${what}, 2^n + 1 of them`, ...between(1))];
}

async function main(): Promise<void> {
  await settled();
  const slots = BigInt(ROWS);
  const members = {...SMALL, maxReservations: 16_384};
  const found = [
    ...rows('resource', 'maxResources'),
    ...rows('reservation', 'maxReservations'),
    ...rows('operation', 'maxOperations'),
    quotient(
      'slot of time-to-live',
      {...SMALL, maxTtlSlots: slots - 1n},
      {...SMALL, maxTtlSlots: 2n * slots - 1n},
      ROWS,
    ),
    quotient(
      'bundle member, each reservation',
      {...members, maxBundleSize: 2},
      {...members, maxBundleSize: 18},
      16 * members.maxReservations,
    ),
  ];
  process.stdout.write(`${JSON.stringify({found})}\n`);
}

await main();
