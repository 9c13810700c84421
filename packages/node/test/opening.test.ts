/**
 * Opening and creating a directory on a disk that fails or loses power at any call: it is refused for that reason, or it
 * comes up with everything that was acknowledged. And the lock, which is the file system's.
 */
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {digestOf} from '@allocdb/core';
import {nodeFileIo} from '@allocdb/wal';
import {SimDisk} from '@allocdb/wal/testing';
import {afterEach, beforeEach, describe, expect, test} from 'vitest';
import {verifyDirectory} from '../src/index.ts';
import {createDirectoryAt} from '../src/testing/index.ts';
import {
  afterPowerCut,
  batch,
  CONFIG,
  configWith,
  create,
  DIR,
  openErrorOf,
  openOn,
  reserve,
  SNAPSHOT_DIR,
  said,
  tick,
} from './support.ts';

describe('creating', () => {
  function callsOfCreating(): number {
    const disk = new SimDisk();
    openOn(disk);
    return disk.calls;
  }

  test('power is lost at any call: it can be created again, empty', () => {
    const calls = callsOfCreating();
    for (let call = 1; call <= calls; call++) {
      for (let seed = 1; seed <= 4; seed++) {
        const disk = new SimDisk({seed});
        disk.arm({call, kind: 'power_cut'});
        expect(openErrorOf(() => openOn(disk)).code).toBe('io');
        disk.restart();
        const engine = openOn(disk);
        expect(said(engine.handleApiRequest(create(1n)))).toBe('ok@1');
        expect(openOn(afterPowerCut(disk, seed), {config: null}).durableLsn).toBe(1n);
      }
    }
  });

  test.each(['EIO', 'ENOSPC', 'short'] as const)(
    'any call fails with %s: refused or done, and never in between',
    kind => {
      const calls = callsOfCreating();
      let refused = 0;
      for (let call = 1; call <= calls; call++) {
        const disk = new SimDisk({seed: call});
        disk.arm({call, kind});
        try {
          openOn(disk).closeNow();
        } catch (error) {
          expect(error).toMatchObject({name: 'OpenError', code: 'io'});
          refused++;
        }
        disk.arm(null);
        expect(said(openOn(disk).handleApiRequest(create(1n)))).toBe('ok@1');
      }
      expect(refused > 0).toBe(kind !== 'short');
    },
  );

  test('at a position, whatever is lost on the way', async () => {
    const probe = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn: 5n, slot: 2n}, probe, 32 * 1024);
    for (let call = 1; call <= probe.calls; call++) {
      const disk = new SimDisk({seed: call});
      disk.arm({call, kind: 'power_cut'});
      await expect(createDirectoryAt(DIR, CONFIG, {lsn: 5n, slot: 2n}, disk, 32 * 1024)).rejects.toThrow();
      disk.restart();
      // Without CONFIG it is no database yet; with it, it is whole.
      if (!disk.list('/').includes('data') || !disk.list(DIR).includes('CONFIG')) continue;
      expect(openOn(disk).durableLsn).toBe(5n);
    }
  });

  test('at a position that there is not, or with limits that no frame holds: refused, and nothing is written', async () => {
    const disk = new SimDisk();
    const last = 2n ** 64n - 1n;
    for (const [lsn, slot] of [
      [last, 0n],
      [last + 1n, 0n],
      [-1n, 0n],
      [0n, last + 1n],
      [0n, -1n],
    ] as const) {
      await expect(createDirectoryAt(DIR, CONFIG, {lsn, slot}, disk, 32 * 1024)).rejects.toThrow(RangeError);
    }
    const much = configWith({maxExpirationsPerTick: 1 << 20}, {maxReservations: 1 << 20});
    const refused = createDirectoryAt(DIR, much, {lsn: 5n, slot: 2n}, disk);
    await expect(refused).rejects.toMatchObject({code: 'invalid_config'});
    expect(disk.list('/')).toEqual([]);
  });

  test.each([
    [2n ** 64n - 2n, 0n, 'ok@18446744073709551615'],
    // No operation can be remembered beyond the last slot.
    [2n ** 64n - 2n, 2n ** 64n - 1n, 'slot_overflow'],
    [0n, 2n ** 64n - 1n, 'slot_overflow'],
  ])('at the outermost positions: lsn %d, slot %d', async (lsn, slot, answer) => {
    const disk = new SimDisk();
    await createDirectoryAt(DIR, CONFIG, {lsn, slot}, disk, 32 * 1024);
    const engine = openOn(disk);
    expect(said(engine.handleApiRequest(create(1n, 1n, slot)))).toBe(answer);
    engine.closeNow();
    expect(verifyDirectory(DIR, disk).problems).toEqual([]);
    openOn(disk).closeNow();
  });
});

describe('opening', () => {
  async function written(): Promise<{disk: SimDisk; digest: bigint}> {
    const disk = new SimDisk();
    const engine = openOn(disk, {segmentBytes: 16 * 1024, maxFrameBytes: 4096});
    for (let i = 0; i < 8; i++) engine.handleApiRequest(batch(20, BigInt(i)));
    await engine.checkpoint();
    for (let i = 1n; i < 9n; i++) engine.handleApiRequest(reserve(i, 3n));
    await engine.checkpoint();
    engine.handleApiRequest(tick(50n));
    return {disk, digest: digestOf(engine.db)};
  }

  test.each(['EIO', 'ENOSPC', 'short', 'power_cut'] as const)('any call fails with %s', async kind => {
    const {disk: original, digest} = await written();
    const probe = afterPowerCut(original);
    const before = probe.calls;
    openOn(probe);
    for (let call = 1; call <= probe.calls - before; call++) {
      const disk = afterPowerCut(original, call);
      disk.arm({call, kind});
      try {
        const engine = openOn(disk);
        expect(digestOf(engine.db)).toBe(digest);
        disk.arm(null);
        if (!disk.isDown) engine.closeNow();
      } catch (error) {
        // A failed call is never taken for damage.
        expect(error).toMatchObject({name: 'OpenError', code: 'io'});
      }
      disk.arm(null);
      if (disk.isDown) disk.restart();
      const engine = openOn(disk);
      expect(digestOf(engine.db)).toBe(digest);
      engine.closeNow();
      expect(verifyDirectory(DIR, disk).problems).toEqual([]);
    }
  });

  test('an unfinished snapshot is removed', async () => {
    const {disk} = await written();
    disk.endProcess();
    disk.replaceContent(`${SNAPSHOT_DIR}/snapshot-00000000000000000409.snap.tmp`, new Uint8Array(99));
    openOn(disk);
    expect(disk.list(SNAPSHOT_DIR).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('limits that do not fit the log', () => {
  const small = {segmentBytes: 16 * 1024, maxFrameBytes: 2048};

  test.each([
    [configWith({maxExpirationsPerTick: 48}), null],
    [configWith({maxExpirationsPerTick: 49}), /max_expirations_per_tick: too_large: .* 2009 bytes.* at most 48/],
    [configWith({maxExpirationsPerTick: 1_000_000}, {maxReservations: 48, maxExpirationBucketLen: 48}), null],
    [configWith({maxCommandBytes: 2048 - 64}), null],
    [configWith({maxCommandBytes: 2048 - 63}), /max_command_bytes: too_large: .* at most 1984/],
  ])('%#', (config, issue) => {
    const disk = new SimDisk();
    if (issue === null) return expect(openOn(disk, {...small, config}).state).toBe('running');
    const error = openErrorOf(() => openOn(disk, {...small, config}));
    expect([error.code, error.issues.length]).toEqual(['invalid_config', 1]);
    expect(error.issues[0]).toMatch(issue);
    expect(disk.list(DIR)).toEqual([]);
  });

  test('the longest command there is fits whatever max_command_bytes says', () => {
    const bundle = 65_535;
    const config = configWith(
      {maxCommandBytes: 0xffff_ffff},
      {maxResources: bundle, maxReservations: 1, maxBundleSize: bundle, maxExpirationBucketLen: 1},
    );
    const engine = openOn(new SimDisk(), {config, segmentBytes: 4 << 20, maxFrameBytes: 2 << 20});
    const bytes = new Uint8Array(59 + 16 * bundle);
    bytes[32] = 16;
    bytes.fill(0xff, 57, 59);
    const view = new DataView(bytes.buffer);
    view.setUint32(49, 1, true);
    for (let i = 0; i < bundle; i++) view.setUint32(59 + 16 * i, i + 1, true);
    expect(said(engine.handleApiRequest({type: 'submit', requestSlot: 1n, payload: bytes}))).toBe(
      'resource_not_found@1',
    );
  });
});

describe('the lock', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'allocdb-node-'));
  });
  afterEach(() => rmSync(dir, {recursive: true}));

  test('a directory in use is refused by the name of its holder', () => {
    const engine = openOn(nodeFileIo, {dir});
    for (const attempt of [() => openOn(nodeFileIo, {dir}), () => verifyDirectory(dir)]) {
      const error = openErrorOf(attempt);
      expect(error.code).toBe('locked');
      expect(error.message).toContain(`process ${process.pid}`);
    }
    engine.handleApiRequest(create(1n));
    engine.closeNow();
    expect(openOn(nodeFileIo, {dir, config: null}).durableLsn).toBe(1n);
  });
});
