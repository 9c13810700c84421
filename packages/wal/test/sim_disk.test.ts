/**
 * What the simulated disk does that a real one does on a bad day: each kind of loss and damage, shown by itself.
 */

import {expect, test} from 'vitest';
import {SimDisk} from '../src/testing/index.ts';

const SECTOR = 512;
const SECTORS = 8;
const SEEDS = 200;

/** A disk with one synced file of ones, opened. */
function diskWithFile(seed: number): {disk: SimDisk; handle: number} {
  const disk = new SimDisk({seed});
  const handle = disk.open('/a', 'create');
  disk.write(handle, new Uint8Array(SECTORS * SECTOR).fill(1), 0, SECTORS * SECTOR, 0);
  disk.datasync(handle);
  disk.syncDir('/');
  return {disk, handle};
}

/** The value of each sector, which must be the same in all its bytes. */
function sectorsOf(disk: SimDisk): number[] {
  const content = disk.contentOf('/a');
  return Array.from({length: content.length / SECTOR}, (_, sector) => {
    const bytes = content.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    expect(new Set(bytes).size, 'a sector tears inside').toBe(1);
    return bytes[0] as number;
  });
}

function rewrite(disk: SimDisk, handle: number, value: number): void {
  disk.write(handle, new Uint8Array(SECTORS * SECTOR).fill(value), 0, SECTORS * SECTOR, 0);
}

test('a power cut keeps what was synced, and of the rest any set of sectors: later ones without earlier ones too', () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {disk, handle} = diskWithFile(seed);
    rewrite(disk, handle, 2);
    disk.restart();
    found.add(sectorsOf(disk).join(''));
  }
  expect(found).toContain('11111111');
  expect(found).toContain('22222222');
  expect([...found].some(sectors => sectors.startsWith('1') && sectors.includes('2'))).toBe(true);
  expect(found.size).toBeGreaterThan(50);
});

test('what was synced is there whatever happens later', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {disk, handle} = diskWithFile(seed);
    rewrite(disk, handle, 2);
    disk.datasync(handle);
    disk.restart();
    expect(sectorsOf(disk).join('')).toBe('22222222');
  }
});

test('names that were not synced are kept or lost, each on its own; a rename is never half done', () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {disk, handle} = diskWithFile(seed);
    disk.close(handle);
    disk.rename('/a', '/b');
    disk.close(disk.open('/c', 'create'));
    disk.restart();
    found.add(disk.list('/').join(''));
  }
  expect([...found].sort()).toEqual(['a', 'ac', 'b', 'bc']);
});

test('a failed sync leaves sectors that read as written, and that no later sync saves', () => {
  let lost = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const {disk, handle} = diskWithFile(seed);
    rewrite(disk, handle, 2);
    disk.arm({call: 1, kind: 'EIO'});
    expect(() => disk.datasync(handle)).toThrow('EIO');
    expect(sectorsOf(disk).join('')).toBe('22222222');
    disk.datasync(handle);
    disk.restart();
    if (sectorsOf(disk).includes(1)) lost++;
    const again = disk.open('/a', 'write');
    rewrite(disk, again, 3);
    disk.datasync(again);
    disk.restart();
    expect(sectorsOf(disk).join('')).toBe('33333333');
  }
  expect(lost).toBeGreaterThan(SEEDS / 2);
});

test('a failing write may have been made in part; a short one is made by half', () => {
  const {disk, handle} = diskWithFile(4);
  disk.arm({call: 1, kind: 'short'});
  expect(disk.write(handle, new Uint8Array(SECTOR).fill(9), 0, SECTOR, 0)).toBe(SECTOR / 2);
  const parts = new Set<number>();
  for (let seed = 1; seed <= 50; seed++) {
    const {disk, handle} = diskWithFile(seed);
    disk.arm({call: 1, kind: 'ENOSPC'});
    expect(() => rewrite(disk, handle, 2)).toThrow('ENOSPC');
    parts.add(disk.contentOf('/a').lastIndexOf(2) + 1);
  }
  expect(parts.size).toBeGreaterThan(10);
});

test('a lost write reads as made until the power goes; a misdirected one is found elsewhere', () => {
  for (const kind of ['lost', 'misdirected'] as const) {
    let moved = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const {disk, handle} = diskWithFile(seed);
      disk.arm({call: 1, kind});
      disk.write(handle, new Uint8Array(SECTOR).fill(5), 0, SECTOR, 3 * SECTOR);
      expect(sectorsOf(disk).join('')).toBe('11151111');
      disk.datasync(handle);
      disk.restart();
      const after = sectorsOf(disk).join('');
      if (kind === 'lost') expect(after).toBe('11111111');
      else if (after !== '11151111') moved++;
    }
    expect(moved > 20).toBe(kind === 'misdirected');
  }
});

test('a flipped bit is on the platter, and flipping it again undoes it', () => {
  const {disk} = diskWithFile(1);
  const before = disk.contentOf('/a');
  disk.flipBit('/a', 700, 3);
  disk.restart();
  expect(disk.contentOf('/a')[700]).toBe(1 ^ 8);
  disk.flipBit('/a', 700, 3);
  expect(disk.contentOf('/a')).toEqual(before);
  expect(() => disk.flipBit('/a', SECTORS * SECTOR, 0)).toThrow(RangeError);
});

test('a fork and its origin share nothing that either changes', () => {
  const {disk, handle} = diskWithFile(2);
  rewrite(disk, handle, 2);
  const fork = disk.fork();
  const forked = fork.open('/a', 'write');
  rewrite(fork, forked, 3);
  fork.datasync(forked);
  fork.flipBit('/a', 0, 0);
  expect(sectorsOf(disk).join('')).toBe('22222222');
  disk.datasync(handle);
  disk.flipBit('/a', 0, 7);
  expect(fork.contentOf('/a')[0]).toBe(2);
  expect(disk.contentOf('/a')[0]).toBe(130);
  disk.flipBit('/a', 0, 7);
  disk.restart();
  expect(sectorsOf(disk).join('')).toBe('22222222');
});

test('after the power went every call fails until it is back, and what was under way does not happen', async () => {
  const disk = new SimDisk({seed: 3, asyncTurnsMax: 5});
  const handle = disk.open('/a', 'create');
  const write = disk.writeAsync(handle, new Uint8Array(SECTOR), 0, SECTOR, 0);
  disk.arm({call: 1, kind: 'power_cut'});
  expect(() => disk.list('/')).toThrow('EPOWER');
  await expect(write).rejects.toThrow('EPOWER');
  expect(() => disk.open('/b', 'create')).toThrow('EPOWER');
  disk.restart();
  const rename = disk.renameAsync('/a', '/b');
  disk.endProcess();
  await expect(rename).rejects.toThrow();
});
