/**
 * Sorts rows by a u64 in their records: least significant byte first, skipping bytes in which all keys agree. Linear, no
 * comparison callback; used when a snapshot is loaded.
 */

/** `rows` ordered by the u64 at word `offset` of each row's record of `stride` words, ascending. */
export function sortRowsByU64(rows: ArrayLike<number>, words: Int32Array, stride: number, offset: number): Int32Array {
  let from = Int32Array.from(rows);
  let to = new Int32Array(from.length);
  const counts = new Int32Array(257);
  for (let byte = 0; byte < 8; byte++) {
    const lane = offset + (byte >> 2);
    const shift = 8 * (byte & 3);
    counts.fill(0);
    for (let i = 0; i < from.length; i++) counts[((words[from[i] * stride + lane] >>> shift) & 255) + 1]++;
    if (counts.includes(from.length, 1)) continue;
    for (let value = 0; value < 256; value++) counts[value + 1] += counts[value];
    for (let i = 0; i < from.length; i++) {
      const row = from[i];
      to[counts[(words[row * stride + lane] >>> shift) & 255]++] = row;
    }
    [from, to] = [to, from];
  }
  return from;
}
