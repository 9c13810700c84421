/**
 * The process of `pnpm campaign kill`, as its caller sees it: counts after each cycle, and when its input ends, the end of
 * the cycle that it is in, judged as a whole series would be. Not here: what a series finds (`kill.test.ts`), and the loop
 * over seeds (`@allocdb/campaign`).
 */
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {addCounts, type Counts} from '@allocdb/campaign';
import {afterEach, expect, test} from 'vitest';
import {cleanUp, startScript} from '../command.ts';

const WORKER = fileURLToPath(new URL('kill_worker.ts', import.meta.url));
/** As in `kill.test.ts`: beside other suites a start of the server takes seconds. */
const LONG_MS = 240_000;

interface Line {
  readonly counts?: {readonly kills: Readonly<Counts>};
  readonly violation?: {readonly message: string};
  readonly done?: boolean;
}

afterEach(cleanUp);

test('told to end after its first cycle: a cycle is brought to its end, the history judged, and all of it told', {
  timeout: LONG_MS,
}, async () => {
  const order = JSON.stringify({only: null, first: 7, index: 0, step: 1, count: null, milliseconds: null});
  const worker = startScript(WORKER, [order]);
  const lines: Line[] = [];
  const reader = createInterface({input: worker.stdout});
  reader.on('line', line => lines.push(JSON.parse(line) as Line));
  let stderr = '';
  worker.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const end = once(worker, 'close');
  await Promise.race([once(reader, 'line'), end]);
  worker.stdin.end();
  const status = await end;
  expect(stderr).toBe('');
  expect(lines.flatMap(({violation}) => violation?.message ?? [])).toEqual([]);
  expect(status).toEqual([0, null]);
  expect(lines.at(-1)).toEqual({done: true});
  const sum: Counts = {};
  for (const {counts} of lines) addCounts(sum, counts?.kills ?? {});
  // The first cycle, and at most the one that it was in when it was told; then the judgement.
  expect(lines[0]?.counts?.kills['cycles']).toBe(1);
  expect([1, 2]).toContain(sum['cycles']);
  expect(sum['attempts']).toBeGreaterThan(100);
  expect(sum['findings']).toBe(0);
});
