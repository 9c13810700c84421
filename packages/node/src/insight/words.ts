/**
 * Numbers as people read them: durations, sizes, counts. For text that tools print; what programs read has plain numbers.
 */

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** A length of time in one unit, such as "300 ms", "12.5 s" or "3 d". */
export function durationText(ms: number): string {
  for (const [unit, length] of UNITS)
    if (ms >= 2 * length || (unit === 's' && ms >= length)) return `${short(ms / length)} ${unit}`;
  return `${short(ms)} ms`;
}

const SIZES: readonly (readonly [string, number])[] = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
];

/** A number of bytes in one unit, such as "113 MiB". */
export function sizeText(bytes: number): string {
  for (const [unit, size] of SIZES) if (bytes >= size) return `${short(bytes / size)} ${unit}`;
  return `${Math.round(bytes)} B`;
}

/** A count with its thousands apart. */
export function countText(value: number | bigint): string {
  return String(typeof value === 'number' ? Math.round(value) : value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Three digits that matter, without zeros behind them. */
function short(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
