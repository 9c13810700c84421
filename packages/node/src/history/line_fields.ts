/**
 * Typed fields of one line: each is read once, with its name in the error. What was read is remembered, so that a line
 * with a field nobody asked for is refused: a misspelt field would otherwise be taken for one that is absent.
 * Not here: which fields a line has (`history_line.ts`).
 */
import {U64_MAX, U128_MAX} from '@allocdb/core';
import {HistoryError} from './history_error.ts';

export class LineFields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #line: number;
  readonly #path: string;
  #taken: number = 0;

  constructor(value: unknown, line: number, path: string = '') {
    this.#line = line;
    this.#path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new HistoryError(line, path === '' ? 'is no JSON object' : `${path.slice(0, -1)} must be an object`);
    }
    this.#values = value as Record<string, unknown>;
  }

  fail(name: string, must: string): never {
    const value = this.#values[name];
    const got = value === undefined ? 'nothing' : JSON.stringify(value);
    throw new HistoryError(this.#line, `${this.#path}${name} must be ${must}, got ${got}`);
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  u64(name: string): bigint {
    return this.#whole(name, U64_MAX, 'a decimal string below 2^64');
  }

  u128(name: string): bigint {
    return this.#whole(name, U128_MAX, 'a decimal string below 2^128');
  }

  u64OrNull(name: string): bigint | null {
    return this.#isNull(name) ? null : this.u64(name);
  }

  u128OrNull(name: string): bigint | null {
    return this.#isNull(name) ? null : this.u128(name);
  }

  ids(name: string): bigint[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) this.fail(name, 'a list of decimal strings');
    return value.map(each => wholeOf(each, U128_MAX) ?? this.fail(name, 'a list of decimal strings below 2^128'));
  }

  time(name: string): number {
    const value = this.#take(name);
    return typeof value === 'number' && Number.isFinite(value) ? value : this.fail(name, 'a number');
  }

  timeOrNull(name: string): number | null {
    return this.#isNull(name) ? null : this.time(name);
  }

  count(name: string): number {
    const value = this.#take(name);
    return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : this.fail(name, 'a whole number');
  }

  flag(name: string): boolean {
    const value = this.#take(name);
    return typeof value === 'boolean' ? value : this.fail(name, 'true or false');
  }

  text(name: string): string {
    const value = this.#take(name);
    return typeof value === 'string' && value !== '' ? value : this.fail(name, 'a text');
  }

  oneOf<Name extends string>(name: string, names: readonly Name[]): Name {
    const value = this.#take(name);
    const found = names.find(each => each !== '' && each === value);
    return found ?? this.fail(name, `one of ${names.filter(each => each !== '').join(', ')}`);
  }

  object(name: string): LineFields {
    return new LineFields(this.#take(name), this.#line, `${this.#path}${name}.`);
  }

  raw(name: string): unknown {
    return this.#take(name);
  }

  /** To be called when all was read: what is left over is no field. */
  end(): void {
    const names = Object.keys(this.#values);
    if (names.length === this.#taken) return;
    throw new HistoryError(this.#line, `${this.#path || 'the line '}has a field too many among ${names.join(', ')}`);
  }

  #take(name: string): unknown {
    if (this.#values[name] !== undefined) this.#taken++;
    return this.#values[name];
  }

  #isNull(name: string): boolean {
    if (this.#values[name] !== null) return false;
    this.#taken++;
    return true;
  }

  #whole(name: string, most: bigint, must: string): bigint {
    return wholeOf(this.#take(name), most) ?? this.fail(name, must);
  }
}

function wholeOf(value: unknown, most: bigint): bigint | null {
  if (typeof value !== 'string' || !/^(?:0|[1-9]\d{0,38})$/.test(value)) return null;
  const whole = BigInt(value);
  return whole <= most ? whole : null;
}
