import {PassThrough} from 'node:stream';
import {describe, expect, test} from 'vitest';
import {Output, OutputClosed} from './output.ts';

function outputOf(): {output: Output; out: PassThrough; err: PassThrough} {
  const [out, err] = [new PassThrough({encoding: 'utf8'}), new PassThrough({encoding: 'utf8'})];
  return {output: new Output(out, err), out, err};
}

describe('an answer', () => {
  const fields = {
    result: 'found',
    lsn: 18_446_744_073_709_551_615n,
    none: null,
    no: false,
    yes: true,
    empty: [],
    ids: ['a', 'b'],
    path: 'my data',
    text: '',
    count: 0,
    held: 'back',
  };

  test('for people: the first value, then pairs; nothing of what is absent or hidden', async () => {
    const {output, out} = outputOf();
    await output.record(fields, ['held']);
    await output.record({result: 'alone', none: null});
    expect(out.read()).toBe('found  lsn=18446744073709551615 yes=true ids=a,b path="my data" text="" count=0\nalone\n');
  });

  test('for programs: all of it, wide numbers as strings, in one line', async () => {
    const {output, out} = outputOf();
    output.json = true;
    await output.record({...fields, path: 'a\nb'}, ['held']);
    expect(out.read()).toBe(`${JSON.stringify({...fields, lsn: '18446744073709551615', path: 'a\nb'})}\n`);
  });
});

test('notes are for people alone; what must be told is told to both', () => {
  const {output, out, err} = outputOf();
  output.note('a note');
  output.tell({next: 7n}, 'next is 7');
  output.json = true;
  output.note('a note');
  output.tell({next: 7n}, 'next is 7');
  expect([out.read(), err.read()]).toEqual([null, 'a note\nnext is 7\n{"next":"7"}\n']);
});

test('a reader that is gone ends it quietly, any other failure says what was lost', async () => {
  for (const [code, expected] of [
    ['EPIPE', OutputClosed],
    ['ENOSPC', /stdout cannot be written: no; the answer was: found {2}lsn=1/],
  ] as const) {
    const out = new PassThrough({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('no'), {code})),
    });
    out.on('error', () => undefined);
    const output = new Output(out, new PassThrough());
    await expect(output.record({result: 'found', lsn: 1n})).rejects.toThrow(expected);
    expect(output.isClosed).toBe(true);
  }
});
