/**
 * The one way in which answers, errors and metrics become JSON, so that no printer meets a bigint unprepared: integers
 * of 64 and more bits are strings of decimal digits, bytes are lower-case hex, everything else is as in JSON.
 */

function plain(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Array.from(value, byte => byte.toString(16).padStart(2, '0')).join('');
  if (value instanceof Error) return {...value, name: value.name, message: value.message};
  return value;
}

/** JSON text of any answer, failure or metrics; `space` indents as in JSON.stringify. undefined and functions: 'null'. */
export function toJson(value: unknown, space: number = 0): string {
  return JSON.stringify(value, plain, space) ?? 'null';
}
