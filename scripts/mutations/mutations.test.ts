import {existsSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {expect, test} from 'vitest';
import {MUTATIONS} from './index.ts';
import {applyMutation, type Mutation} from './mutation.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('every mutation still fits its file and changes it, and its test file is there', () => {
  expect(MUTATIONS.length).toBeGreaterThan(50);
  const rotten = MUTATIONS.flatMap(mutation => {
    try {
      const text = readFileSync(root + mutation.file, 'utf8');
      if (applyMutation(text, mutation) === text) return [`${mutation.name}: changes nothing`];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
    const {killedBy} = mutation;
    return killedBy === null || existsSync(root + killedBy.testFile)
      ? []
      : [`${mutation.name}: no ${killedBy.testFile}`];
  });
  expect(rotten).toEqual([]);
});

test('names are unique, and a mutation has either a killer or the reason why there is none', () => {
  expect(new Set(MUTATIONS.map(({name}) => name)).size).toBe(MUTATIONS.length);
  for (const {name, killedBy, equivalent} of MUTATIONS) {
    expect(killedBy === null, name).toBe(equivalent !== undefined);
  }
});

const PLANTED: Mutation = {
  name: 'planted',
  file: 'a.ts',
  find: 'b()',
  replace: '',
  killedBy: null,
  equivalent: 'shown',
};

test('a mutation applies where its text stands, and a rotten one is an error', () => {
  expect(applyMutation('a(); b(); c();', PLANTED)).toBe('a(); ; c();');
  expect(() => applyMutation('a();', PLANTED)).toThrow(/not in a.ts any more/);
  expect(() => applyMutation('b(); b();', PLANTED)).toThrow(/several times/);
  expect(applyMutation('b(); b();', {...PLANTED, occurrence: 2})).toBe('b(); ;');
  expect(() => applyMutation('b(); b();', {...PLANTED, occurrence: 3})).toThrow(/2 times only/);
});
