/**
 * Numbers, durations and ids as people read them. Pure; what the page shows in more than one place is written the same way.
 */

/** With separators: 12,345. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Seconds as the unit that fits: 240 µs, 1.2 ms, 3.4 s. */
export function seconds(value: number): string {
  if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
  return value < 1 ? `${upToTenths(value * 1000)} ms` : `${upToTenths(value)} s`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
];

/** A span: 3 min, 2 h. */
export function span(ms: number): string {
  const inSeconds = ms / 1000;
  for (const [unit, name] of UNITS) if (inSeconds >= unit) return `${Math.round(inSeconds / unit)} ${name}`;
  return `${Math.round(inSeconds)} s`;
}

function upToTenths(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}

/** The end of an id, which tells reservations apart: their beginnings are zeros. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
