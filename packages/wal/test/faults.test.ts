/**
 * Every single call fails, once or from then on: the log says so with its own error, stays failed, and what it had
 * acknowledged is there when it is opened again, after a loss of power too.
 */

import {expect, test} from 'vitest';
import {isWalError, STATUS, type Wal, type WalError} from '../src/index.ts';
import {type DiskFault, SimDisk} from '../src/testing/index.ts';
import {append, DIR, errorOf, openSmall, payloadOf, readAll} from './support.ts';

interface Outcome {
  acknowledged: bigint;
  error: WalError | null;
}

/** Two lives: appends, both ways to commit, a marker, rolls, a truncation, a close. Stops at the first error. */
function script(disk: SimDisk, outcome: Outcome): void {
  let wal: Wal | null = null;
  try {
    for (let life = 0; life < 2; life++) {
      wal = openSmall(disk);
      for (let frame = 0; frame < 12; frame++) {
        for (let i = 0; i < 4; i++) {
          const lsn = wal.nextLsn as bigint;
          const status = wal.append(1, 1, 0, 0, payloadOf(lsn, 400), 0, 400);
          if (status === STATUS.STORAGE_FULL) break;
          expect(status).toBe(STATUS.OK);
        }
        wal.commitSync();
        outcome.acknowledged = wal.durableLsn;
      }
      wal.markIdle();
      wal.writeSnapshotMarkerSync(3, 0, new Uint8Array(16));
      wal.truncateBefore(20n);
      append(wal);
      wal.closeSync();
      outcome.acknowledged = wal.durableLsn;
    }
  } catch (error) {
    if (!isWalError(error)) throw error;
    outcome.error = error;
    if (wal?.failure !== null && wal !== null) checkStaysFailed(wal);
  }
  wal?.abandon();
}

function checkStaysFailed(wal: Wal): void {
  const {failure} = wal;
  const again = [() => wal.commitSync(), () => append(wal), () => wal.room(1, 1), () => wal.truncateBefore(1n)];
  for (const call of again) expect(errorOf(call)).toBe(failure);
}

const KINDS: {kind: DiskFault['kind']; forever: boolean}[] = [
  {kind: 'EIO', forever: false},
  {kind: 'EIO', forever: true},
  {kind: 'ENOSPC', forever: false},
  {kind: 'ENOSPC', forever: true},
  {kind: 'short', forever: true},
];

for (const {kind, forever} of KINDS) {
  test(`${kind} ${forever ? 'from the n-th call on' : 'at the n-th call'}, for every n`, () => {
    const quiet: Outcome = {acknowledged: 0n, error: null};
    const model = new SimDisk();
    script(model, quiet);
    expect(quiet).toEqual({acknowledged: 98n, error: null});
    let failures = 0;
    for (let call = 1; call <= model.calls; call++) {
      const disk = new SimDisk({seed: call});
      const outcome: Outcome = {acknowledged: 0n, error: null};
      disk.arm({call, kind, forever});
      script(disk, outcome);
      disk.arm(null);
      if (outcome.error !== null) {
        failures++;
        expect(['failed', 'io', 'storage_full']).toContain(outcome.error.code);
      }
      if (call % 2 === 0) disk.restart();
      else disk.endProcess();
      const wal = openSmall(disk, {floor: outcome.acknowledged === 0n ? 0n : outcome.acknowledged});
      const first = wal.firstLsn;
      const {lsns, payloads} = readAll(wal.read(first));
      expect(lsns.length).toBe(Number(wal.durableLsn - first + 1n));
      const intact = payloads.every((payload, index) => {
        return Buffer.compare(payload, payloadOf(lsns[index] as bigint, payload.length)) === 0;
      });
      expect(intact).toBe(true);
      // What is acknowledged now must not lean on anything that the failed process left unsynced.
      append(wal);
      wal.commitSync();
      const floor = wal.durableLsn;
      disk.restart();
      expect(openSmall(disk, {floor}).durableLsn).toBe(floor);
    }
    if (kind === 'short') expect(failures, 'a short write is continued').toBe(0);
    else expect(failures).toBeGreaterThan(model.calls / 3);
  });
}

test('a frame that a failed sync left in memory only is on disk after the next opening', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const disk = new SimDisk({seed});
    const wal = openSmall(disk);
    append(wal);
    wal.commitSync();
    for (let i = 0; i < 6; i++) append(wal, 500);
    wal.freeze();
    disk.arm({call: 2, kind: 'EIO'});
    expect(errorOf(() => wal.writeFrozenSync())).toMatchObject({code: 'failed'});
    expect(wal.durableLsn).toBe(1n);
    wal.abandon();
    disk.endProcess();

    const again = openSmall(disk);
    expect(again.durableLsn).toBe(7n);
    disk.restart();
    const last = openSmall(disk, {floor: 7n});
    expect(readAll(last.read(7n)).lsns).toEqual([7n]);
  }
});

test('an asynchronous failure rejects every waiter with the error that later calls throw', async () => {
  const disk = new SimDisk();
  const wal = openSmall(disk, {commitMode: 'async'});
  append(wal);
  disk.arm({call: 2, kind: 'EIO'});
  const first = wal.commit();
  const second = wal.commit();
  await Promise.resolve();
  append(wal);
  const third = wal.commit();
  const results = await Promise.allSettled([first, second, third]);
  for (const result of results) expect(result).toEqual({status: 'rejected', reason: wal.failure});
  expect(wal.failure?.certainty).toBe('indefinite');
  await expect(wal.commit()).rejects.toBe(wal.failure);
  await wal.close();
  expect(disk.list(DIR)).not.toContain('clean');
});
