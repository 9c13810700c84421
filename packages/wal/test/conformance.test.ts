import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll} from 'vitest';
import {nodeFileIo} from '../src/index.ts';
import {SimDisk} from '../src/testing/index.ts';
import {runFileIoSuite} from './file_io.suite.ts';
import {runLogSuite} from './log.suite.ts';
import {runReadingSuite} from './reading.suite.ts';

const root = mkdtempSync(join(tmpdir(), 'wal-test-'));
afterAll(() => rmSync(root, {recursive: true, force: true}));

function onFiles(): {io: typeof nodeFileIo; dir: string} {
  return {io: nodeFileIo, dir: mkdtempSync(join(root, 'case-'))};
}

function inMemory(): {io: SimDisk; dir: string} {
  const io = new SimDisk();
  io.makeDir('/case');
  io.syncDir('/');
  return {io, dir: '/case'};
}

runFileIoSuite('files', onFiles);
runFileIoSuite('simulated disk', inMemory);
runLogSuite('files', onFiles);
runLogSuite('simulated disk', inMemory);
runReadingSuite('files', onFiles);
runReadingSuite('simulated disk', inMemory);
