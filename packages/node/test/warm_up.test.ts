/**
 * The warm-up has seen everything that a snapshot asks of commands: the compiler's own counts of blocks say so. Where a
 * block is added that it does not reach, the first checkpoint of a server would stall at it again.
 */
import {Session} from 'node:inspector/promises';
import {expect, test} from 'vitest';
import {warmUp} from '../src/engine/warm_up.ts';

/** What runs in every command while a snapshot is read, or reads it, by file. */
const FUNCTIONS: Record<string, readonly string[]> = {
  'snapshot_reader.ts': [
    'saveResource',
    'saveReservation',
    'saveOperation',
    'read',
    'next',
    'readResource',
    'readReservation',
    'readOperation',
    'wasThere',
    'copyRecord',
  ],
  'record_codec.ts': ['encodeResource', 'encodeReservation', 'encodeOperation'],
  'pre_images.ts': ['isSaved', 'isAbsent', 'saveAbsent', 'save', 'pageOf'],
  'record_queue.ts': ['push', 'shift'],
  'transitions.ts': ['beginChange', 'moveMembers', 'terminate'],
  'retry_cache.ts': ['remember'],
  'reserve.ts': ['markMembers'],
  'alloc_db.ts': ['sweepReservations'],
};
/** Rooms that end in the middle of a reservation; the next slice takes up what did not fit. */
const RARELY = /^return 0;/;

test('every block of what a snapshot asks of commands was run', async () => {
  using session = Object.assign(new Session(), {
    [Symbol.dispose]() {
      session.disconnect();
    },
  });
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', {callCount: true, detailed: true});
  warmUp();
  const {result} = await session.post('Profiler.takePreciseCoverage');
  await session.post('Debugger.enable');
  const missed: string[] = [];
  let seen = 0;
  for (const {url, scriptId, functions} of result) {
    const names = FUNCTIONS[url.split('/').at(-1) ?? ''];
    if (names === undefined) continue;
    const {scriptSource} = await session.post('Debugger.getScriptSource', {scriptId});
    for (const {functionName, ranges} of functions.filter(each => names.includes(each.functionName))) {
      seen++;
      const cold = ranges.filter(({count}) => count === 0);
      for (const {startOffset, endOffset} of cold) {
        const text = scriptSource.slice(startOffset, endOffset).trim();
        if (!RARELY.test(text)) missed.push(`${functionName}: ${text.slice(0, 80)}`);
      }
    }
  }
  expect(missed).toEqual([]);
  expect(seen).toBe(Object.values(FUNCTIONS).flat().length);
});
