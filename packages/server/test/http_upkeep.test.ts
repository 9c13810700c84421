/**
 * Backups and checkpoints over HTTP: a line for each step and the outcome in the last; and what cannot begin is a problem
 * with a status of its own. What is in a backup is tested where backups are made.
 */
import {existsSync, mkdirSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterEach, expect, test} from 'vitest';
import {tempDir} from './command.ts';
import {type Answer, ask, id, startHttp, stopHttp} from './http_in_process.ts';
import {codeOf} from './http_problems.ts';

afterEach(stopHttp);

/** What a line says. */
interface Line {
  readonly progress?: {readonly phase: string};
  readonly done?: {readonly name?: string; readonly lsn: string | null};
  readonly problem?: {readonly code: string};
}

function linesOf({status, type, text}: Answer): Line[] {
  expect([status, type]).toEqual([200, 'application/x-ndjson']);
  return text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line);
}

test('a backup tells of its steps, and in the end what is in it', async () => {
  const backupDir = tempDir();
  const http = await startHttp({backupDir});
  await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
  const lines = linesOf(await ask(http, 'POST /v1/backups', {body: {name: 'monday'}}));
  expect(lines.at(-1)?.done).toMatchObject({name: 'monday', lsn: '1'});
  expect(lines.slice(0, -1).map(({progress}) => progress?.phase)).toContain('verify');
  expect(existsSync(join(backupDir, 'monday', 'CONFIG'))).toBe(true);
});

test('a checkpoint that is quicker than any step is told of all the same', async () => {
  const http = await startHttp();
  await ask(http, 'POST /v1/resources', {body: {id: id(1)}});
  expect(linesOf(await ask(http, 'POST /v1/checkpoints')).at(-1)?.done).toMatchObject({lsn: '1'});
});

test('a name that is taken is refused for certain, and what is there stays', async () => {
  const backupDir = tempDir();
  const http = await startHttp({backupDir});
  const first = linesOf(await ask(http, 'POST /v1/backups', {body: {name: 'monday'}}));
  expect(first.at(-1)?.done).toBeDefined();
  mkdirSync(join(backupDir, 'notes'));
  writeFileSync(join(backupDir, 'notes', 'a.txt'), 'a');
  for (const name of ['monday', 'notes']) {
    const before = readdirSync(join(backupDir, name));
    const refused = await ask(http, 'POST /v1/backups', {body: {name}});
    expect([refused.status, codeOf(refused), refused.json.category]).toEqual([409, 'backup_exists', 'definite']);
    expect(refused.json.detail).toContain('is not empty');
    expect(readdirSync(join(backupDir, name))).toEqual(before);
  }
});

test('of two that want one name at once one is made', async () => {
  const http = await startHttp({backupDir: tempDir()});
  const answers = await Promise.all([1, 2].map(() => ask(http, 'POST /v1/backups', {body: {name: 'monday'}})));
  expect(answers.map(({status}) => status).sort()).toEqual([200, 409]);
  for (const answer of answers) {
    if (answer.status === 200) expect(linesOf(answer).at(-1)?.done).toBeDefined();
    else expect(codeOf(answer)).toBe('backup_exists');
  }
});

test('a place that is not there is a failure, and says which', async () => {
  const backupDir = join(tempDir(), 'unmounted');
  const http = await startHttp({backupDir});
  const failed = await ask(http, 'POST /v1/backups', {body: {name: 'monday'}});
  expect([failed.status, codeOf(failed), failed.json.category]).toEqual([500, 'upkeep_failed', 'definite']);
  expect(failed.json.detail).toContain(`${backupDir} is not there`);
});
