/**
 * Directories that earlier versions wrote, replayed for ever: each must open, with and without its snapshots, to the state
 * it was written with. A directory that no longer does is a broken promise, not a file to regenerate.
 */
import {readdirSync, readFileSync, statSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {gunzipSync} from 'node:zlib';
import {digestOf} from '@allocdb/core';
import {SimDisk} from '@allocdb/wal/testing';
import {describe, expect, test} from 'vitest';
import {verifyDirectory} from '../src/index.ts';
import {dumpState, type StateDump} from '../src/testing/index.ts';
import {contentOf, create, DIR, metricsAt, openOn, SNAPSHOT_DIR, said} from './support.ts';

const GOLDEN = fileURLToPath(new URL('golden/', import.meta.url));
const VERSIONS = readdirSync(GOLDEN).filter(name => /^v\d+$/.test(name));

interface Expected {
  lsn: string;
  digest: string;
  state: StateDump;
}

function load(version: string): {disk: SimDisk; expected: Expected} {
  const disk = new SimDisk();
  disk.makeDir(DIR);
  for (const dir of ['wal', 'snapshots']) disk.makeDir(`${DIR}/${dir}`);
  const files = readdirSync(`${GOLDEN}${version}`, {recursive: true}).map(String);
  for (const path of files.filter(file => statSync(`${GOLDEN}${version}/${file}`).isFile())) {
    if (path === 'expected.json') continue;
    const content = readFileSync(`${GOLDEN}${version}/${path}`);
    const bytes = path.endsWith('.gz') ? gunzipSync(content) : content;
    disk.replaceContent(`${DIR}/${path.replace(/\.gz$/, '')}`, new Uint8Array(bytes));
  }
  const expected = JSON.parse(readFileSync(`${GOLDEN}${version}/expected.json`, 'utf8')) as Expected;
  return {disk, expected};
}

function expectState(disk: SimDisk, expected: Expected): void {
  const engine = openOn(disk, {config: null});
  expect(String(engine.durableLsn)).toBe(expected.lsn);
  expect(digestOf(engine.db).toString(16).padStart(32, '0')).toBe(expected.digest);
  expect(dumpState(engine.db)).toEqual(expected.state);
}

test('there is a directory of each version', () => {
  expect(VERSIONS).toEqual(['v1']);
});

describe.each(VERSIONS)('%s', version => {
  test('is sound, and looking changes nothing', () => {
    const {disk, expected} = load(version);
    const before = contentOf(disk);
    const report = verifyDirectory(DIR, disk);
    expect(report).toMatchObject({problems: [], lsn: BigInt(expected.lsn), digest: BigInt(`0x${expected.digest}`)});
    expect(report.snapshots.map(snapshot => snapshot.problem)).toEqual([null, null]);
    expect(contentOf(disk)).toEqual(before);
  });

  test('opens from its newest snapshot', () => {
    const {disk, expected} = load(version);
    expectState(disk, expected);
  });

  test('opens from its older snapshot, and from its log alone', () => {
    const {disk, expected} = load(version);
    for (let left = disk.list(SNAPSHOT_DIR).length; left > 0; left--) {
      disk.unlink(`${SNAPSHOT_DIR}/${disk.list(SNAPSHOT_DIR).at(-1)}`);
      expectState(disk.fork(1), expected);
    }
    expect(openOn(disk, {config: null}).handleApiRequest(metricsAt(0n))).toMatchObject({startupKind: 'wal_only'});
  });

  test('goes on from there', async () => {
    const {disk, expected} = load(version);
    const engine = openOn(disk, {config: null});
    const lsn = BigInt(expected.lsn) + 1n;
    expect(said(engine.handleApiRequest(create(1234n)))).toMatch(new RegExp(`@${lsn}$`));
    await engine.checkpoint();
    engine.closeNow();
    expect(verifyDirectory(DIR, disk)).toMatchObject({problems: [], lsn});
  });
});
