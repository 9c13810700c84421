import {spawnSync} from 'node:child_process';
import fc from 'fast-check';
import {expect, test} from 'vitest';
import {joinWords, splitWords} from './words.ts';

test('words, as a shell takes them', () => {
  expect(splitWords('  get  name:a\t--json ')).toEqual(['get', 'name:a', '--json']);
  expect(splitWords(`a'b c'"d e"\\ f ''`)).toEqual(['ab cd e f', '']);
  expect(splitWords(`"a\\"b\\\\c\\d" 'e\\'`)).toEqual(['a"b\\c\\d', 'e\\']);
  expect(splitWords('get a # and a comment')).toEqual(['get', 'a']);
  expect(splitWords('get a#b')).toEqual(['get', 'a#b']);
  expect(['', '   ', '# nothing'].map(splitWords)).toEqual([[], [], []]);
});

test('what is not closed is no line', () => {
  expect([`get 'a`, 'get "a', 'get a\\', `'a' "b\\"`].map(splitWords)).toEqual([null, null, null, null]);
});

const word = fc.oneof(
  fc.string({unit: fc.constantFrom(...`ab1 '"\\$\`#~*!;&|<>(){}=-`), maxLength: 12}),
  fc.string({unit: 'grapheme', maxLength: 12}).filter(text => !/[\0\n\r]/.test(text)),
);

test('joined words are the same words again, for the repl', () => {
  fc.assert(
    fc.property(fc.array(word), words => {
      expect(splitWords(joinWords(words))).toEqual(words);
    }),
  );
});

test('and for a shell', () => {
  const samples = fc.sample(word, {numRuns: 300, seed: 7});
  const line = `printf '%s\\n' ${joinWords(samples)}`;
  const {stdout, status} = spawnSync('bash', ['-c', line], {encoding: 'utf8'});
  expect([status, stdout]).toEqual([0, samples.map(sample => `${sample}\n`).join('')]);
});
