/**
 * What every key index must satisfy: each occupied cell points to a row that its owner counts as stored, no row is
 * pointed to twice, and the number of occupied cells is the index's own count.
 */
import type {KeyIndex} from '../table/key_index.ts';

/** First violation, or null. `isStored` says whether a row holds a record that belongs in the index. */
export function checkIndexCells(name: string, index: KeyIndex, isStored: (row: number) => boolean): string | null {
  const seen = new Uint8Array(index.mask + 1);
  let occupied = 0;
  for (let cell = 0; cell <= index.mask; cell++) {
    const row = index.cells[2 * cell + 1] - 1;
    if (row < 0) continue;
    occupied++;
    if (!isStored(row)) return `${name}: cell ${cell} points to row ${row}, which is not stored`;
    if (seen[row] === 1) return `${name}: row ${row} is in the index twice`;
    seen[row] = 1;
  }
  return occupied === index.count ? null : `${name}: ${occupied} cells are occupied, counted are ${index.count}`;
}
