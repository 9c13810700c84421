// Proves that the linter, with the settings of this repository, catches a promise nobody waits for. The rule needs type
// inference across files and packages, and its group has moved before: if it stops working, this test says so.
import {spawnSync} from 'node:child_process';
import {copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterAll, beforeAll, expect, test} from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
let root = '';

const FILES: Readonly<Record<string, string>> = {
  'packages/far/package.json':
    '{"name": "@allocdb/far", "type": "module", "exports": {".": {"types": "./dist/index.d.ts", "default": "./dist/index.js"}}}',
  'packages/far/dist/index.d.ts': 'export declare function far(): Promise<void>;\n',
  'packages/near/package.json':
    '{"name": "@allocdb/near", "type": "module", "dependencies": {"@allocdb/far": "workspace:*"}}',
  'packages/near/src/save.ts':
    'export function save(row: number): Promise<number> {\n  return Promise.resolve(row);\n}\n',
  'packages/near/src/planted.ts': `import {far} from '@allocdb/far';
import {save} from './save.ts';

async function local(): Promise<void> {
  await Promise.resolve();
}

class Engine {
  async flush(): Promise<void> {
    await local();
  }
}

export function planted(): void {
  local();
  save(1);
  far();
  new Engine().flush();
  [1, 2].forEach(async row => {
    await save(row);
  });
}
`,
  'packages/near/src/clean.ts': `import {far} from '@allocdb/far';
import {save} from './save.ts';

export async function clean(): Promise<number> {
  void far();
  await far();
  save(2).catch(() => 0);
  return save(1);
}
`,
  'packages/near/src/chatty.ts': `export function chatty(): void {\n  console.log('x');\n}\n`,
  'packages/cli/src/main.ts': `export function main(): void {\n  console.log('x');\n}\n`,
};

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'biome-'));
  for (const name of ['biome.json', '.gitignore']) copyFileSync(join(repository, name), join(root, name));
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(root, path)), {recursive: true});
    writeFileSync(join(root, path), text);
  }
  mkdirSync(join(root, 'packages/near/node_modules/@allocdb'), {recursive: true});
  symlinkSync('../../../far', join(root, 'packages/near/node_modules/@allocdb/far'));
});

afterAll(() => {
  rmSync(root, {recursive: true, force: true});
});

function lint(path: string): string[] {
  const biome = join(repository, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--colors=off', '--max-diagnostics=100', path];
  const {stdout, stderr} = spawnSync(process.execPath, args, {cwd: root, encoding: 'utf8'});
  const found = `${stdout}\n${stderr}`.matchAll(/^(\S+:\d+):\d+ lint\/\w+\/(\w+)/gm);
  return [...found].map(match => `${match[1]} ${match[2]}`).sort();
}

test('a floating promise of a local, an imported, another package’s and a method’s call is reported', () => {
  expect(lint('packages/near/src/planted.ts')).toEqual([
    'packages/near/src/planted.ts:15 noFloatingPromises',
    'packages/near/src/planted.ts:16 noFloatingPromises',
    'packages/near/src/planted.ts:17 noFloatingPromises',
    'packages/near/src/planted.ts:18 noFloatingPromises',
    'packages/near/src/planted.ts:19 noMisusedPromises',
  ]);
});

test('a promise that is awaited, returned, handled or left on purpose is not', () => {
  expect(lint('packages/near/src/clean.ts')).toEqual([]);
});

test('the console belongs to command lines, not to libraries', () => {
  expect(lint('packages/near/src/chatty.ts')).toEqual(['packages/near/src/chatty.ts:2 noConsole']);
  expect(lint('packages/cli/src/main.ts')).toEqual([]);
});
