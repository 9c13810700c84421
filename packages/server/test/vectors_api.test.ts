/**
 * Every conformance stream through the built `allocdb api`: bytes in, bytes out, the state at the end, and restarts in
 * the middle, clean and by force.
 */
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {encodeRequest} from '@allocdb/api';
import {verifyDirectory} from '@allocdb/node';
import {joinFrames, readVectorStream, splitFrames, type VectorRun, type VectorStream, vectorNames} from '@allocdb/sim';
import {afterAll, describe, expect, test} from 'vitest';
import {cleanUp, runCommand, startCommand, tempDir, until, withDeadline} from './command.ts';
import {dumpDirectory} from './state_dump.ts';

afterAll(cleanUp);

const NAMES = vectorNames();
const RESTARTED = NAMES.filter(name => readVectorStream(name).restart !== null);

function apiArgs(stream: VectorStream, dir: string): string[] {
  const {start} = stream;
  const position = start === null ? [] : ['--start-lsn', String(start.lsn), '--start-slot', String(start.slot)];
  return ['api', dir, '--config', stream.configPath, ...position];
}

function expectState(dir: string, run: VectorRun): void {
  expect(verifyDirectory(dir).problems).toEqual([]);
  expect(dumpDirectory(dir)).toEqual(run.finalState);
}

/** Where two byte strings differ first, by frame; null when they are equal. A diff of megabytes helps nobody. */
function firstDifference(actual: Uint8Array, expected: readonly Uint8Array[]): string | null {
  const frames = splitFrames(actual);
  const at = expected.findIndex((frame, i) => Buffer.compare(frame, frames[i] ?? new Uint8Array(0)) !== 0);
  const hex = (bytes: Uint8Array | undefined): string =>
    bytes === undefined ? 'nothing' : Buffer.from(bytes).toString('hex');
  if (at >= 0) return `answer ${at}: ${hex(frames[at])} instead of ${hex(expected[at])}`;
  return frames.length === expected.length ? null : `${frames.length} answers instead of ${expected.length}`;
}

describe.concurrent('a whole stream through the pipes', () => {
  test.each(NAMES.filter(name => !RESTARTED.includes(name)))('%s', async name => {
    const stream = readVectorStream(name);
    const [run] = stream.runs as [VectorRun];
    const dir = join(tempDir(), 'data');
    const result = await runCommand(apiArgs(stream, dir), joinFrames(run.requests));
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);
    expect(firstDifference(result.stdout, run.responses)).toBe(null);
    expectState(dir, run);
  });

  test('in chunks that cut frames and their lengths anywhere', async () => {
    const stream = readVectorStream('06-malformed');
    const [run] = stream.runs as [VectorRun];
    const requests = run.requests.slice(0, 1500);
    const child = startCommand(apiArgs(stream, join(tempDir(), 'data')));
    const stdout: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    const ended = new Promise<number | null>(resolve => child.once('close', resolve));
    const input = joinFrames(requests);
    const sizes = [1, 2, 3, 5, 7, 61, 997, 4099, 65_537];
    for (let at = 0, i = 0; at < input.length; i++) {
      const size = sizes[i % sizes.length] ?? 1;
      await new Promise<void>(resolve => child.stdin.write(input.subarray(at, at + size), () => resolve()));
      at += size;
    }
    child.stdin.end();
    expect(await withDeadline(ended, 'the end of api')).toBe(0);
    expect(firstDifference(Buffer.concat(stdout), run.responses.slice(0, requests.length))).toBe(null);
  });
});

describe.concurrent('a stream cut in two', () => {
  test.each(RESTARTED)('%s, with a clean end between its halves', async name => {
    const stream = readVectorStream(name);
    const [a, b] = stream.runs as [VectorRun, VectorRun];
    const dir = join(tempDir(), 'data');
    const first = await runCommand(apiArgs(stream, dir), joinFrames(a.requests));
    expect(firstDifference(first.stdout, a.responses)).toBe(null);
    expect(dumpDirectory(dir)).toEqual(a.finalState);
    await expectSecondHalf(stream, b, dir);
  });

  test.each(RESTARTED)('%s, with SIGKILL between its halves', async name => {
    const stream = readVectorStream(name);
    const [a, b] = stream.runs as [VectorRun, VectorRun];
    const dir = join(tempDir(), 'data');
    const child = startCommand(apiArgs(stream, dir));
    const expectedBytes = joinFrames(a.responses).length;
    const stdout: Buffer[] = [];
    let received = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      stdout.push(chunk);
      received += chunk.length;
    });
    child.stdin.write(joinFrames(a.requests));
    await until(() => received >= expectedBytes, `${expectedBytes} bytes of answers`);
    const closed = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGKILL');
    await withDeadline(closed, 'the killed process to be gone');
    expect(firstDifference(Buffer.concat(stdout), a.responses)).toBe(null);
    expect(existsSync(join(dir, 'wal', 'clean'))).toBe(false);
    expect(verifyDirectory(dir).problems).toEqual([]);
    await expectSecondHalf(stream, b, dir);
  });
});

/** Reopens; the metrics must say what was recovered, and the rest of the stream go on as if nothing had happened. */
async function expectSecondHalf(stream: VectorStream, b: VectorRun, dir: string): Promise<void> {
  const {restart} = stream;
  if (restart === null) throw new Error(`${stream.name} has no restart`);
  const getMetrics = encodeRequest({type: 'get_metrics', currentWallClockSlot: restart.metricsAtSlot});
  const result = await runCommand(apiArgs(stream, dir), joinFrames([getMetrics, ...b.requests]));
  expect(result.stderr).toBe('');
  expect(result.code).toBe(0);
  expect(firstDifference(result.stdout, [restart.metricsAfterRestart, ...b.responses])).toBe(null);
  const verified = await runCommand(['verify', dir, '--json']);
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.stdout.toString())).toMatchObject({ok: true, lsn: b.finalState.last_applied_lsn});
  expectState(dir, b);
}
