import {expect, test} from 'vitest';
import {PreImages} from './pre_images.ts';

/** Saves a record of the row's number repeated, as long as the row says. */
function save(images: PreImages, row: number, words: number): void {
  const page = images.save(row, words);
  page.fill(row, images.at, images.at + words);
}

function read(images: PreImages, row: number, words: number): number[] {
  const page = images.pageOf(row);
  return [...page.subarray(images.at, images.at + words)];
}

test('every saved record is found again, over many pages and in any order', () => {
  const lengths = Array.from({length: 9_000}, (_, row) => 16 + ((row * 7) % 11));
  const images = new PreImages(lengths.length, 26);
  const order = lengths.map((_, i) => (i * 4_001) % lengths.length);
  for (const row of order) {
    expect(images.isSaved(row)).toBe(false);
    if (row % 5 === 0) images.saveAbsent(row);
    else save(images, row, lengths[row]);
  }
  const wrong = lengths.filter((words, row) => {
    if (!images.isSaved(row) || images.isAbsent(row) !== (row % 5 === 0)) return true;
    return row % 5 !== 0 && read(images, row, words).some(word => word !== row);
  });
  expect(wrong).toEqual([]);
});

test('a record that is one word too long for the rest of its page begins a new one', () => {
  const images = new PreImages(4, 100_000);
  const lengths = [60_000, 40_001, 59_999, 100_000];
  for (const [row, words] of lengths.entries()) save(images, row, words);
  for (const [row, words] of lengths.entries()) {
    const record = read(images, row, words);
    expect(record).toHaveLength(words);
    expect(new Set(record)).toEqual(new Set([row]));
  }
});
