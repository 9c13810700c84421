import {resourceIdFrom} from '@allocdb/client';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {duration, idParsers, listenAddress, size, timeout, u64, whole} from './arguments.ts';

const refused = (parse: (text: string) => unknown, texts: readonly string[]): void => {
  for (const text of texts) expect(() => parse(text), text).toThrow(/must be|must have/);
};

test('lengths of time', () => {
  expect(['1ms', '500ms', '30s', '10m', '2h', '90d'].map(duration)).toEqual([
    1, 500, 30_000, 600_000, 7_200_000, 7_776_000_000,
  ]);
  refused(duration, ['', '10', 's', '0s', '-1s', '1.5h', '1 h', '1M', '1h30m', '999999999999d', '1e3s']);
  expect(timeout('24d')).toBe(24 * 86_400_000);
  refused(timeout, ['25d']);
});

test('sizes', () => {
  expect(['1', '4096', '64KiB', '64MiB', '1GiB', '2TiB'].map(size)).toEqual([
    1,
    4096,
    65_536,
    64 * 2 ** 20,
    2 ** 30,
    2 ** 41,
  ]);
  refused(size, ['', '0', '0MiB', '1.5GiB', '1 MiB', '1MB', '1k', '-1', '9999999999999TiB']);
});

test('numbers', () => {
  expect([u64('0'), u64('18446744073709551615')]).toEqual([0n, 0xffff_ffff_ffff_ffffn]);
  refused(u64, ['', '-1', '1e3', '0x1', '18446744073709551616', '1n', ' 1']);
  expect([whole(1, 3)('1'), whole(1, 3)('3')]).toEqual([1, 3]);
  refused(whole(1, 3), ['0', '4', '1.0', '', 'one']);
});

test('addresses to listen on', () => {
  expect(listenAddress('127.0.0.1:0')).toEqual({host: '127.0.0.1', port: 0});
  expect(listenAddress('[::1]:7433')).toEqual({host: '::1', port: 7433});
  refused(listenAddress, ['7433', ':7433', '127.0.0.1', '127.0.0.1:65536', '::1:7433', 'host:port']);
});

describe('ids', () => {
  const names: string[][] = [];
  const ids = idParsers((...name) => names.push(name));

  test('a UUID and 32 hex digits, in either case', () => {
    const id = '018f6c1e00007000800000000000002a';
    expect(ids.resource(id)).toBe(id);
    expect(ids.resource('018F6C1E-0000-7000-8000-00000000002A')).toBe(id);
    expect(names).toEqual([]);
  });

  test('a name only when it says so, and what it became is told', () => {
    expect(ids.resources('name:seat 12', ['a' as never])).toEqual(['a', resourceIdFrom('seat 12')]);
    expect(names).toEqual([['name:seat 12', resourceIdFrom('seat 12')]]);
    expect(() => ids.holder('name:')).toThrow('a name follows name:');
  });

  test('no text without name: becomes an id by its hash, whatever it looks like', () => {
    fc.assert(
      fc.property(
        fc.string({minLength: 0, maxLength: 40}).filter(text => !text.startsWith('name:')),
        text => {
          const isId = /^[0-9a-f]{32}$/i.test(text.replace(/^(.{8})-(.{4})-(.{4})-(.{4})-(.{12})$/, '$1$2$3$4$5'));
          if (isId) expect(ids.operation(text)).toHaveLength(32);
          else expect(() => ids.operation(text)).toThrow('a name is written name:');
        },
      ),
    );
    for (const typo of ['018f6c1e00007000800000000000002', '018f6c1e-0000-7000-8000-00000000002g', 'seat-12']) {
      expect(() => ids.resource(typo)).toThrow('must be a UUID or 32 hex digits');
    }
  });
});
