/**
 * Small parts of the HTTP port by themselves: the pattern of 64-bit numbers, the header Accept, keys and times-to-live.
 */
import {operationIdFrom} from '@allocdb/api';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {accepts} from '../src/http/accept.ts';
import {operationOfKey, reserveCommand} from '../src/http/command_json.ts';
import {decimalPattern} from '../src/http/fields.ts';
import {PROBLEM_CODES, PROBLEMS} from '../src/http/problem_table.ts';
import {id} from './http_in_process.ts';

describe('the pattern of numbers up to a bound', () => {
  test.each([0n, 1n, 9n, 10n, 99n, 100n, 1000n, 65_535n, 2n ** 64n - 1n])('allows those, and no others: %s', max => {
    const pattern = new RegExp(decimalPattern(max), 'u');
    const near = fc.bigInt({min: max - 5n < 0n ? 0n : max - 5n, max: max + 5n});
    fc.assert(
      fc.property(fc.oneof(near, fc.bigInt({min: 0n, max: max * 20n + 20n})), value => {
        expect(pattern.test(String(value))).toBe(value <= max);
      }),
      {numRuns: 500},
    );
    for (const text of ['', '-1', '+1', '00', '01', '1.0', '1e3', ' 1', '1\n', '٣'])
      expect(pattern.test(text)).toBe(false);
  });
});

describe('a time in milliseconds', () => {
  test('becomes slots that last as long and no more than two slots longer', () => {
    fc.assert(
      fc.property(fc.integer({min: 1, max: 2 ** 50}), fc.integer({min: 1, max: 3_600_000}), (ms, slotMs) => {
        const command = reserveCommand({resource: id(1), holder: id(2), ttl_ms: ms}, operationIdFrom('x'), slotMs);
        const slots = Number((command as {ttlSlots: bigint}).ttlSlots);
        // The slot in which the hold begins may be over at once.
        expect((slots - 1) * slotMs).toBeGreaterThanOrEqual(ms);
        expect((slots - 2) * slotMs).toBeLessThan(ms);
      }),
    );
  });

  test('that fits no slot is the longest that there is, and none is none', () => {
    const slotsOf = (ttl: string): unknown =>
      (reserveCommand({resource: id(1), holder: id(2), ttl_ms: ttl}, operationIdFrom('x'), 1) as {ttlSlots: bigint})
        .ttlSlots;
    expect(slotsOf('18446744073709551615')).toBe(2n ** 64n - 1n);
    expect(slotsOf('0')).toBe(0n);
  });
});

describe('a key', () => {
  test('of any text names one operation, the same every time, and different texts different ones', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!-~]{1,256}$/), fc.stringMatching(/^[!-~]{1,256}$/), (one, other) => {
        expect(operationOfKey(one)).toMatch(/^[0-9a-f]{32}$/);
        expect(operationOfKey(one)).toBe(operationOfKey(one));
        expect(operationOfKey(one) === operationOfKey(other)).toBe(one === other);
      }),
    );
    expect(operationOfKey(undefined)).not.toBe(operationOfKey(undefined));
  });
});

describe('the header Accept', () => {
  test.each([
    [undefined, true],
    ['', true],
    ['*/*', true],
    ['application/json', true],
    ['Application/JSON', true],
    ['application/json;charset=utf-8', true],
    ['application/*;q=0.5', true],
    ['text/html,*/*;q=0.8', true],
    ['*/*;q=0, application/json', true],
    ['text/html', false],
    ['application/jsonx', false],
    ['application/json;q=0', false],
    ['application/json; q=0.000', false],
    ['application/*;q=0, */*', false],
    ['nonsense', false],
    [';,;', false],
  ])('%j: %s', (header, admitted) => {
    expect(accepts(header, 'application/json')).toBe(admitted);
  });

  test('is answered whatever it is', () => {
    fc.assert(fc.property(fc.string(), header => typeof accepts(header, 'application/json') === 'boolean'));
  });
});

describe('the table of problems', () => {
  test('has a status of HTTP, words and a time to wait that fit each other', () => {
    for (const code of PROBLEM_CODES) {
      const {status, title, about, indefinite, retryAfter} = PROBLEMS[code];
      expect(status).toBeGreaterThanOrEqual(400);
      expect(title).not.toBe('');
      expect(about).toMatch(/\.$/);
      if (indefinite === true) expect(status).toBeGreaterThanOrEqual(500);
      if (retryAfter !== undefined) expect([429, 503]).toContain(status);
      // What may have happened is asked for with the same key, at once; waiting is for what certainly has not.
      if (retryAfter !== undefined) expect(indefinite).toBeUndefined();
    }
  });
});
