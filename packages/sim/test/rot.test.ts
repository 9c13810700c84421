/**
 * Rot, through the whole database: whatever is changed in a data directory is detected with a typed error, costs a longer
 * replay, or changes nothing that can be seen; it is never served. A share of the bits and edits here, every one of them in
 * `pnpm campaign rot`.
 */
import {expect, test} from 'vitest';
import {
  bitChunks,
  damageAtRandom,
  editChunks,
  editFiles,
  fixedDirectories,
  flipBits,
  noCounts,
  type RotCounts,
} from './rot_damages.ts';
import {filesOf} from './rot_directory.ts';
import {judge} from './rot_judge.ts';

/** Odd, so that every bit of a byte has its turn. */
const SMALL_FILE_STRIDE = 61;
const SEGMENT_STRIDE = 409;
const EDIT_STRIDE = 61;
const RANDOM_SEEDS = 8;
const SUBMIT_TAG = 1;

/** Counts by file of the directory, under names that all directories have. */
class Tally {
  readonly byFile: Map<string, RotCounts> = new Map();

  of(path: string): RotCounts {
    const name = path.replace(/^.*\/(CONFIG|clean|snapshot|wal)/, '$1').replace(/-\d+/, '');
    const counts = this.byFile.get(name) ?? noCounts();
    this.byFile.set(name, counts);
    return counts;
  }

  print(what: string): void {
    for (const [name, counts] of this.byFile) {
      const parts = Object.entries(counts).filter(([, count]) => count > 0);
      process.stdout.write(`${what}: ${name} ${parts.map(([verdict, count]) => `${verdict} ${count}`).join(', ')}\n`);
    }
  }
}

test('the directories have what is to be damaged, and something to ask', async () => {
  for (const {disk, asks} of await fixedDirectories()) {
    const files = filesOf(disk);
    expect(files.filter(path => path.endsWith('.snap')).length).toBe(2);
    expect(files.filter(path => path.endsWith('.seg')).length).toBeGreaterThan(1);
    expect(asks.filter(ask => ask[0] === SUBMIT_TAG).length).toBeGreaterThan(2);
    expect(asks.length).toBeGreaterThan(8);
  }
});

test('bits flipped one at a time, in every file', {timeout: 300_000}, async () => {
  const tally = new Tally();
  for (const chunk of await bitChunks()) {
    flipBits(chunk, /\.(?:seg|tmp)$/.test(chunk.path) ? SEGMENT_STRIDE : SMALL_FILE_STRIDE, tally.of(chunk.path));
  }
  tally.print('bits');
  const config = tally.of('CONFIG');
  expect(config.refused).toBe(config.damages);
  const snapshot = tally.of('snapshot.snap');
  expect(snapshot.set_aside).toBeGreaterThan(100);
  // The older one is not needed while the newer is sound.
  expect(snapshot.set_aside + snapshot.unneeded).toBe(snapshot.damages);
  const log = tally.of('wal.seg');
  expect(log.refused).toBeGreaterThan(300);
  expect(log.harmless).toBeGreaterThan(50);
  expect(log.unneeded).toBeGreaterThan(10);
  expect(log.cut).toBeGreaterThan(5);
});

test('every bit of the frame that nothing proves costs this frame at most', async () => {
  const open = (await fixedDirectories()).find(({ending}) => ending === 'open');
  const unproven = open?.unproven ?? null;
  if (open === undefined || unproven === null) return expect.unreachable('the open directory has such a frame');
  const counts = noCounts();
  const bits = 8 * (unproven.end - unproven.start);
  flipBits({directory: open, path: unproven.path, first: 8 * unproven.start, count: bits}, 5, counts);
  expect(counts.cut).toBe(counts.damages);
  expect(counts.damages).toBeGreaterThan(500);
});

test('small files cut, zeroed and swapped', {timeout: 300_000}, async () => {
  const tally = new Tally();
  for (const chunk of await editChunks()) editFiles(chunk, EDIT_STRIDE, tally.of(chunk.path));
  tally.print('edits');
  const config = tally.of('CONFIG');
  expect(config.refused).toBe(config.damages);
  const snapshot = tally.of('snapshot.snap');
  expect(snapshot.set_aside).toBeGreaterThan(50);
  expect(snapshot.set_aside + snapshot.unneeded).toBe(snapshot.damages);
});

test('the newest snapshot cut at every length', {timeout: 300_000}, async () => {
  const [directory] = await fixedDirectories();
  if (directory === undefined) return expect.unreachable();
  const counts = noCounts();
  const chunks = (await editChunks()).filter(
    ({path, directory: {ending}}) => ending === 'sealed' && /\.snap$/.test(path),
  );
  const newest = chunks.at(-1)?.path;
  // Every fifth edit is a cut.
  for (const chunk of chunks) if (chunk.path === newest) editFiles(chunk, 5, counts);
  expect(counts.set_aside).toBe(counts.damages);
  expect(counts.damages).toBe(directory.disk.contentOf(newest ?? '').length);
});

test('where both snapshots are damaged, opening is refused', async () => {
  const [directory] = await fixedDirectories();
  if (directory === undefined) return expect.unreachable();
  const snapshots = filesOf(directory.disk).filter(path => path.endsWith('.snap'));
  expect(snapshots.length).toBe(2);
  const place = {path: snapshots[0] ?? '', start: 0, end: 0};
  for (let step = 0; step < 60; step++) {
    const disk = directory.disk.fork();
    for (const path of snapshots) {
      const bit = (step * 1237 * 8 + step) % (8 * disk.contentOf(path).length);
      disk.flipBit(path, bit >> 3, bit & 7);
    }
    expect([step, judge(directory, disk, place, false)]).toEqual([step, 'refused']);
  }
});

test('sectors damaged in any way, in directories of any history', {timeout: 300_000}, async () => {
  const total = noCounts();
  for (let seed = 1; seed <= RANDOM_SEEDS; seed++) {
    const counts = await damageAtRandom(seed);
    for (const verdict of Object.keys(total) as (keyof RotCounts)[]) total[verdict] += counts[verdict];
  }
  process.stdout.write(`sectors: ${JSON.stringify(total)}\n`);
  for (const verdict of ['refused', 'set_aside', 'unneeded', 'harmless'] as const) {
    expect([verdict, total[verdict] > 10]).toEqual([verdict, true]);
  }
});
