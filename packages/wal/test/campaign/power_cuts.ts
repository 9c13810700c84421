/**
 * Power cuts at any call of a random workload: no refusal, nothing acknowledged lost, nothing invented.
 *
 * Each seed lives several lives on one disk. A life appends, commits in every mode, marks, reads, truncates and closes
 * at random until the power goes at a random call, which may lie in its recovery; then unsynced sectors and names
 * survive by chance, and the next life must find a prefix of what was appended that holds everything acknowledged.
 * Some lives end with the process only. Before some, forks of the disk show that recovery repeated, and recovery
 * interrupted and repeated, end with the same bytes.
 */

import {isWalError, type Wal, type WalOptions} from '../../src/index.ts';
import {SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {DIR, openSmall} from '../support.ts';
import {History, Violation} from './history.ts';
import {type Life, type LifeCounts, newLife, settle, step} from './life.ts';
import {holdSameBytes, holdSameLog} from './log_bytes.ts';

const LIVES = 3;
/** Enough calls to begin and to get through several segments. */
const CALLS_MAX = 150;

/** How often what happened; the endings are those that the recoveries found. */
export type PowerCutCounts = LifeCounts & {
  cuts: number;
  kills: number;
  recoveries: number;
  fresh: number;
  clean: number;
  unclean: number;
  torn: number;
  repeated: number;
  interrupted: number;
  openingsCut: number;
  groups: number;
  groupsLost: number;
};

/** Runs one seed. Throws a `Violation`, or whatever else the log should not have thrown. */
export async function runPowerCutSeed(seed: number): Promise<PowerCutCounts> {
  const counts = noCounts();
  const random = new SimRandom(seed);
  const disk = new SimDisk({seed, asyncTurnsMax: random.below(4)});
  const history = new History();
  for (let life = 1; life <= LIVES; life++) {
    if (life > 1 && random.chance(0.2)) checkRepeatedRecovery(disk, random, counts);
    await live(disk, history, random, life, counts);
  }
  const wal = openSmall(disk, {floor: BigInt(history.acknowledged)});
  recovered(wal, history, counts);
  wal.abandon();
  counts.groups = history.wholeGroups;
  counts.groupsLost = history.lostGroups;
  return counts;
}

function noCounts(): PowerCutCounts {
  return {
    cuts: 0,
    kills: 0,
    recoveries: 0,
    fresh: 0,
    clean: 0,
    unclean: 0,
    torn: 0,
    repeated: 0,
    interrupted: 0,
    openingsCut: 0,
    asyncFrames: 0,
    reads: 0,
    groups: 0,
    groupsLost: 0,
  };
}

/** Lives until the power goes, the process dies or the log is closed; then nothing of the process is left. */
async function live(
  disk: SimDisk,
  history: History,
  random: SimRandom,
  number: number,
  counts: PowerCutCounts,
): Promise<void> {
  let life: Life | null = null;
  disk.syncMs = random.chance(0.5) ? 0.1 : 1;
  disk.arm({call: 1 + random.below(CALLS_MAX), kind: 'power_cut'});
  try {
    const wal = openSmall(disk, randomOptions(random));
    recovered(wal, history, counts);
    life = newLife(wal, history, random, counts, {number, mayBeFull: false});
    const steps = random.chance(0.15) ? random.below(60) : Number.POSITIVE_INFINITY;
    for (let count = 0; count < steps; count++) await step(life);
    await end(life, counts);
  } catch (error) {
    if (!isWalError(error) || (error.code !== 'failed' && error.code !== 'io')) throw error;
    if (!disk.isDown) throw error;
    if (life === null) counts.openingsCut++;
  }
  await settle(disk, life);
  if (disk.isDown) {
    counts.cuts++;
    disk.restart();
  }
  disk.arm(null);
  disk.endProcess();
}

function randomOptions(random: SimRandom): Partial<WalOptions> {
  const commitMode = (['inline', 'async', 'adaptive'] as const)[random.below(3)] as 'inline' | 'async' | 'adaptive';
  return {
    verify: random.chance(0.5) ? 'all' : 'tail',
    commitMode,
    background: random.chance(0.3),
    recycleMax: random.below(3),
  };
}

function recovered(wal: Wal, history: History, counts: PowerCutCounts): void {
  counts.recoveries++;
  counts[wal.recovery.ending]++;
  history.check(wal);
}

/** A clean close, or the end of the process only: what it wrote is there, what it did not sync is not yet durable. */
async function end({wal, random}: Life, counts: PowerCutCounts): Promise<void> {
  if (random.chance(0.3)) counts.kills++;
  else await wal.close();
}

/** Recovery of forks of this disk: once, once more, and cut short at some call before it is repeated. */
function checkRepeatedRecovery(disk: SimDisk, random: SimRandom, counts: PowerCutCounts): void {
  const once = disk.fork();
  const callsBefore = once.calls;
  const wal = openSmall(once);
  const {ending} = wal.recovery;
  wal.abandon();
  const calls = once.calls - callsBefore;
  const twice = once.fork();
  openSmall(twice).abandon();
  if (!holdSameBytes(once, twice, DIR)) throw new Violation(`recovery twice gives other bytes (${ending})`);
  counts.repeated++;
  // A new log has a random uuid; and what only the kernel held may be lost in the cut.
  if (ending === 'fresh' || disk.hasUnsynced) return;
  const cut = disk.fork();
  cut.arm({call: 1 + random.below(calls), kind: 'power_cut'});
  try {
    openSmall(cut);
  } catch (error) {
    if (!isWalError(error) || error.code !== 'io') throw error;
  }
  cut.restart();
  openSmall(cut).abandon();
  if (!holdSameLog(once, cut, DIR))
    throw new Violation(`recovery cut short and repeated gives other bytes (${ending})`);
  counts.interrupted++;
}
