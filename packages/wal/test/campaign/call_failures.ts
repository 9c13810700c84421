/**
 * Every single call of a random script fails, in every way, once or from then on.
 *
 * The log says so with its own error, stays failed, settles every promise, and what it had acknowledged is there when it
 * is opened again, after a loss of power too. A short write is no failure at all: it is continued.
 */

import {isWalError} from '../../src/index.ts';
import {type DiskFault, SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {openSmall} from '../support.ts';
import {History, Violation} from './history.ts';
import {checkStaysFailed, type Life, newLife, settle, step} from './life.ts';

const STEPS = 24;
const LIVES = 2;

type Fault = Pick<DiskFault, 'kind'> & {readonly forever: boolean};

const FAULTS: readonly Fault[] = [
  {kind: 'EIO', forever: false},
  {kind: 'EIO', forever: true},
  {kind: 'ENOSPC', forever: false},
  {kind: 'ENOSPC', forever: true},
  {kind: 'short', forever: false},
  {kind: 'short', forever: true},
];

export type CallFailureCounts = {
  scripts: number;
  callFailures: number;
  /** How many of them the log reported as an error. */
  reported: number;
};

/** One script, with each fault at each of its calls. */
export async function runCallFailureSeed(seed: number): Promise<CallFailureCounts> {
  const counts = {scripts: 1, callFailures: 0, reported: 0};
  const model = new SimDisk({seed});
  if (await runScript(model, new History(), seed, false)) throw new Violation('the script fails without a fault');
  const {calls} = model;
  for (const fault of FAULTS) {
    for (let call = 1; call <= calls; call++) {
      try {
        if (await runWith(seed, call, fault)) counts.reported++;
      } catch (error) {
        const what = `${fault.kind} ${fault.forever ? 'from' : 'at'} call ${call}`;
        throw new Violation(`${what}: ${error instanceof Error ? error.message : String(error)}`, {cause: error});
      }
      counts.callFailures++;
    }
  }
  return counts;
}

async function runWith(seed: number, call: number, {kind, forever}: Fault): Promise<boolean> {
  const disk = new SimDisk({seed});
  const history = new History();
  disk.arm({call, kind, forever});
  const hasFailed = await runScript(disk, history, seed, kind === 'ENOSPC');
  if (hasFailed && kind === 'short') throw new Violation('a short write was not continued');
  disk.arm(null);
  if (call % 2 === 0) disk.restart();
  else disk.endProcess();
  checkReopened(disk, history);
  return hasFailed;
}

/** What is acknowledged now must not lean on anything that the failed process left unsynced. */
function checkReopened(disk: SimDisk, history: History): void {
  const wal = openSmall(disk, {floor: BigInt(history.acknowledged)});
  history.check(wal);
  const lsn = wal.nextLsnLo;
  history.appended(lsn, 0, 9);
  wal.appendRecord({type: 1, payload: new Uint8Array(0)});
  wal.commitSync();
  history.acknowledge(wal);
  disk.restart();
  const again = openSmall(disk, {floor: BigInt(lsn)});
  history.check(again);
  again.abandon();
}

/** The lives that a seed stands for, up to the first error; whether there was one. */
async function runScript(disk: SimDisk, history: History, seed: number, mayBeFull: boolean): Promise<boolean> {
  const random = new SimRandom(seed);
  const counts = {asyncFrames: 0, reads: 0};
  for (let number = 1; number <= LIVES; number++) {
    let life: Life | null = null;
    let hasFailed = false;
    try {
      const commitMode = random.chance(0.5) ? 'inline' : 'async';
      const wal = openSmall(disk, {commitMode, background: random.chance(0.3)});
      life = newLife(wal, history, random, counts, {number, mayBeFull});
      history.check(wal);
      for (let left = STEPS; left > 0; left--) await step(life);
      await wal.close();
    } catch (error) {
      if (!isWalError(error) || !['failed', 'io', 'storage_full'].includes(error.code)) throw error;
      hasFailed = true;
      const failure = life?.wal.failure ?? null;
      if (error.code === 'failed' && failure !== error) throw new Violation('a failure was thrown and not kept');
      if (life !== null && failure !== null) checkStaysFailed(life.wal, failure);
    }
    await settle(disk, life);
    if (!hasFailed) continue;
    life?.wal.abandon();
    return true;
  }
  return false;
}
