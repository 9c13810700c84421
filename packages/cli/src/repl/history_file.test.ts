import {chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, expect, test} from 'vitest';
import {HistoryFile, historyPath} from './history_file.ts';

const dir = mkdtempSync(join(tmpdir(), 'allocdb-history-'));
afterAll(() => rmSync(dir, {recursive: true}));

test('it lies where the XDG rules say', () => {
  expect(historyPath({XDG_STATE_HOME: '/state'})).toBe('/state/allocdb/repl_history');
  const fallback = join(homedir(), '.local', 'state', 'allocdb', 'repl_history');
  expect([historyPath({}), historyPath({XDG_STATE_HOME: 'relative'})]).toEqual([fallback, fallback]);
});

test('lines are kept from session to session, for the owner alone', () => {
  const path = join(dir, 'new', 'allocdb', 'repl_history');
  const first = new HistoryFile(path);
  expect(first.read()).toEqual([]);
  first.add('get name:a');
  first.add('list');
  const second = new HistoryFile(path);
  expect(second.read()).toEqual(['get name:a', 'list']);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(dir, 'new', 'allocdb')).mode & 0o777).toBe(0o700);
  expect([first.problem, second.problem]).toEqual([null, null]);
});

test('a file that others could read is made the own one, and one that has grown too long is cut', () => {
  const path = join(dir, 'long');
  writeFileSync(path, Array.from({length: 2001}, (_, i) => `line ${i}\n`).join(''));
  chmodSync(path, 0o644);
  expect(new HistoryFile(path).read()).toEqual(Array.from({length: 1000}, (_, i) => `line ${i + 1001}`));
  expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(1001);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('where none can be kept, that is said and nothing else', () => {
  const history = new HistoryFile(join('/dev/null', 'repl_history'));
  expect(history.read()).toEqual([]);
  history.add('get name:a');
  expect(history.problem).toMatch(/EEXIST|ENOTDIR/);
});
