/**
 * The format of a history: what is written is read back, a line that is no entry is an error with its number and field,
 * and a file is read in pieces of any size.
 */
import {SimDisk} from '@allocdb/wal/testing';
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';
import {
  type HistoryEntry,
  HistoryError,
  historyHeaderLine,
  historyLine,
  isHistoryError,
  parseHistoryHeader,
  parseHistoryLine,
  readHistoryFile,
  readHistoryText,
} from '../src/history/index.ts';
import {runWorld} from './history_world.ts';
import {CORE} from './support.ts';

const HEADER = '{"type":"history","version":1,"begins":"empty"}';
const ATTEMPT = {
  type: 'attempt',
  operation: '1',
  command: {kind: 'reserve', resource_id: '2', holder_id: '3', ttl_slots: '4'},
  client: '5',
  sent: 1,
  came: 2,
  answer: {type: 'committed', lsn: '6', result: 'ok', reservation_id: '6', deadline_slot: '7', from_retry_cache: false},
};

test('every entry of a real history is read back as it was', async () => {
  const world = await runWorld(3);
  for (const entry of world.entries) expect(parseHistoryLine(historyLine(entry), entry.line)).toEqual(entry);
  expect(parseHistoryHeader(historyHeaderLine(world.header))).toEqual(world.header);
  expect(parseHistoryHeader(historyHeaderLine({begins: 'unknown', core: null})).core).toBeNull();
});

test('numbers of 64 and 128 bits are read back, whatever they are', () => {
  const u64 = fc.bigInt({min: 0n, max: (1n << 64n) - 1n});
  const u128 = fc.bigInt({min: 0n, max: (1n << 128n) - 1n});
  fc.assert(
    fc.property(u128, u128, u128, u64, fc.double({noNaN: true, noDefaultInfinity: true}), (a, b, c, d, sent) => {
      const entry: HistoryEntry = {
        type: 'attempt',
        operation: a,
        command: {kind: 'release_fenced', reservationId: b, holderId: c, leaseEpoch: d},
        client: c,
        sent,
        came: null,
        connection: 'x',
        place: 3,
        line: 9,
        answer: {type: 'nothing'},
      };
      expect(parseHistoryLine(historyLine(entry), 9)).toEqual({...entry, sent: sent === 0 ? 0 : sent});
    }),
  );
});

test('any text is an entry or a HistoryError with its line', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), text => {
      try {
        parseHistoryLine(text, 12);
      } catch (error) {
        expect(error).toBeInstanceOf(HistoryError);
        expect((error as HistoryError).line).toBe(12);
      }
    }),
  );
});

function tickSaying(count: number, lastLsn: string | null): object {
  const answer = {type: 'applied', count, last_lsn: lastLsn};
  return {type: 'tick', slot: '4', client: '1', sent: 1, came: 2, answer};
}

describe('refused with its line and field', () => {
  test.each<[unknown, RegExp]>([
    ['not JSON', /is no JSON object/],
    [[], /is no JSON object/],
    [{...ATTEMPT, type: 'try'}, /type must be one of attempt, read, tick, got "try"/],
    [{...ATTEMPT, operation: 1}, /operation must be a decimal string below 2\^128, got 1/],
    [{...ATTEMPT, operation: '01'}, /operation must be/],
    [{...ATTEMPT, operation: '-1'}, /operation must be/],
    [{...ATTEMPT, operation: String(1n << 128n)}, /operation must be/],
    [{...ATTEMPT, operation: undefined}, /operation must be .* got nothing/],
    [{...ATTEMPT, sent: '1'}, /sent must be a number/],
    [{...ATTEMPT, sent: 3}, /came must not be before sent/],
    [{...ATTEMPT, came: null}, /came must be null exactly where/],
    [{...ATTEMPT, answer: {type: 'nothing'}}, /came must be null exactly where/],
    [{...ATTEMPT, extra: 1}, /a field too many .*extra/],
    [{...ATTEMPT, connection: 'a'}, /place must be a whole number/],
    [{...ATTEMPT, place: 1}, /a field too many/],
    [{...ATTEMPT, command: {...ATTEMPT.command, kind: 'expire'}}, /command\.kind must be one of/],
    [{...ATTEMPT, command: {...ATTEMPT.command, lease_epoch: '1'}}, /command\.has a field too many/],
    [{...ATTEMPT, command: {kind: 'reserve_bundle', resource_ids: ['1', 2]}}, /command\.resource_ids must be a list/],
    [{...ATTEMPT, answer: {...ATTEMPT.answer, result: ''}}, /answer\.result must be one of ok/],
    [{...ATTEMPT, answer: {...ATTEMPT.answer, lsn: '0'}}, /answer\.lsn must be at least 1/],
    [{...ATTEMPT, answer: {...ATTEMPT.answer, from_retry_cache: 1}}, /answer\.from_retry_cache must be true or false/],
    [{...ATTEMPT, answer: {type: 'definite'}}, /answer\.code must be a text/],
    [tickSaying(10, '9'), /answer\.count must be at most last_lsn, got 10/],
    [tickSaying(1, null), /answer\.count must be at most last_lsn, got 1/],
  ])('%j', (line, reason) => {
    const text = typeof line === 'string' ? JSON.stringify(line) : JSON.stringify(line);
    const source = readHistoryText(`${HEADER}\n${JSON.stringify(ATTEMPT)}\n${text}\n`);
    expect(() => [...source.entries]).toThrow(reason);
    expect(() => [...readHistoryText(`${HEADER}\n${text}\n`).entries]).toThrow(/^line 2: /);
  });

  test.each([
    ['', /is no JSON/],
    ['{"type":"attempt"}', /line 1: type must be one of history/],
    ['{"type":"history","version":2,"begins":"empty"}', /version must be 1/],
    ['{"type":"history","version":1,"begins":"late"}', /begins must be one of empty, unknown/],
    ['{"type":"history","version":1,"begins":"empty","core":{}}', /core is no configuration: .*shard_id/s],
  ])('header %s', (text, reason) => {
    expect(() => readHistoryText(text)).toThrow(reason);
  });
});

describe('a file', () => {
  const disk = new SimDisk();
  disk.makeDir('/h');
  const put = (text: string | Uint8Array): string => {
    disk.replaceContent('/h/file', typeof text === 'string' ? new TextEncoder().encode(text) : text);
    return '/h/file';
  };

  test('is read line by line, with or without an end of the last line', () => {
    const line = JSON.stringify(ATTEMPT);
    for (const end of ['', '\n']) {
      const {header, entries} = readHistoryFile(put(`${HEADER}\n${line}\n${line}${end}`), disk);
      expect(header.begins).toBe('empty');
      expect([...entries].map(entry => entry.line)).toEqual([2, 3]);
    }
  });

  test('may be longer than the buffer, in lines and in all', () => {
    const ids = Array.from({length: 60_000}, () => String((1n << 128n) - 1n));
    const command = {kind: 'reserve_bundle', holder_id: '1', ttl_slots: '1', resource_ids: ids};
    const long = JSON.stringify({...ATTEMPT, command});
    const lines = [HEADER, ...Array.from({length: 9000}, () => JSON.stringify(ATTEMPT)), long, JSON.stringify(ATTEMPT)];
    const entries = [...readHistoryFile(put(lines.join('\n')), disk).entries];
    expect(entries.length).toBe(9002);
    expect(entries[9000]).toMatchObject({command: {resourceIds: {length: 60_000}}});
  });

  test('that is no history is refused', () => {
    const refusal = (text: string | Uint8Array): unknown => {
      try {
        return [...readHistoryFile(put(text), disk).entries];
      } catch (error) {
        return isHistoryError(error) ? error.message : error;
      }
    };
    expect(refusal('')).toBe('/h/file is empty');
    expect(refusal(`${HEADER}\n\n`)).toBe('line 2: is no JSON');
    expect(refusal(Uint8Array.of(0xff, 10))).toBe('line 1: is no UTF-8');
    expect(refusal('x'.repeat((4 << 20) + 1))).toMatch(/^line 1: is longer than/);
  });
});

test('a configuration in the header is read as in a file', () => {
  const {core} = parseHistoryHeader(historyHeaderLine({begins: 'empty', core: CORE}));
  expect(core).toEqual(CORE);
});
