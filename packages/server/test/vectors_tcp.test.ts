/**
 * Every conformance stream over TCP, pipelined, against `serve --trust-client-slots`. Where the stream expects a codec
 * error or sends an empty frame the connection ends with an error frame, and the stream goes on over a new one.
 *
 * What is in flight at a time is bounded by what the streams' answers presuppose: queue depth 0 in the metrics, so that
 * nothing is before a get_metrics; and no overload, so that at most the queue's capacity of commands is. Every byte of
 * every answer is compared.
 */
import {join} from 'node:path';
import {CODEC_ERROR_TAG, CONNECTION_ERROR, encodeRequest, REQUEST} from '@allocdb/api';
import {configOfJson, verifyDirectory} from '@allocdb/node';
import {createDirectoryAt} from '@allocdb/node/testing';
import {readVectorStream, type VectorRun, type VectorStream, vectorNames} from '@allocdb/sim';
import {afterAll, describe, expect, test} from 'vitest';
import {cleanUp, ServeProcess, tempDir} from './command.ts';
import {Peer} from './peer.ts';
import {dumpDirectory} from './state_dump.ts';

afterAll(cleanUp);

const BATCH_COUNT_OFFSET = 9;

interface Exchange {
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

function commandsOf(frame: Uint8Array): number {
  if (frame[0] === REQUEST.SUBMIT) return 1;
  return frame[0] === REQUEST.SUBMIT_BATCH
    ? (frame[BATCH_COUNT_OFFSET] ?? 0) | ((frame[BATCH_COUNT_OFFSET + 1] ?? 0) << 8)
    : 0;
}

function endsConnection(exchange: Exchange): boolean {
  return exchange.response[0] === CODEC_ERROR_TAG;
}

/** Cuts a stream into windows that may each be in flight as a whole. */
function windowsOf(run: VectorRun, queueCapacity: number): Exchange[][] {
  const windows: Exchange[][] = [];
  let window: Exchange[] = [];
  let commands = 0;
  const cut = (): void => {
    if (window.length > 0) windows.push(window);
    window = [];
    commands = 0;
  };
  run.requests.forEach((request, i) => {
    const exchange = {request, response: run.responses[i] ?? new Uint8Array(0)};
    const count = endsConnection(exchange) ? 0 : commandsOf(request);
    if (request[0] === REQUEST.GET_METRICS || (commands > 0 && commands + count > queueCapacity)) cut();
    commands += count;
    window.push(exchange);
    if (endsConnection(exchange)) cut();
  });
  cut();
  return windows;
}

/** Runs a stream and returns how many connections it took. */
async function play(port: number, run: VectorRun, queueCapacity: number): Promise<number> {
  let peer = await Peer.open(port);
  let connections = 1;
  let index = 0;
  for (const window of windowsOf(run, queueCapacity)) {
    const last = window.at(-1);
    if (last === undefined) continue;
    peer.send(...window.map(({request}) => request));
    const answered = endsConnection(last) ? window.slice(0, -1) : window;
    const frames = await peer.take(answered.length);
    answered.forEach(({request, response}, i) => {
      if (Buffer.compare(frames[i] ?? new Uint8Array(0), response) === 0) return;
      const [asked, got, expected] = [request, frames[i] ?? [], response].map(bytes =>
        Buffer.from(bytes).toString('hex'),
      );
      throw new Error(`request ${index + i} (${asked}) was answered ${got} instead of ${expected}`);
    });
    if (endsConnection(last)) {
      const error = await peer.error();
      expect(error.code).toBe(
        last.request.length === 0 ? CONNECTION_ERROR.EMPTY_FRAME : CONNECTION_ERROR.MALFORMED_REQUEST,
      );
      await peer.close();
      peer = await Peer.open(port);
      connections++;
    }
    index += window.length;
  }
  await peer.close();
  return connections;
}

async function prepare(stream: VectorStream): Promise<string> {
  const dir = join(tempDir(), 'data');
  if (stream.start !== null) await createDirectoryAt(dir, configOfJson(stream.configJson), stream.start);
  return dir;
}

function serve(stream: VectorStream, dir: string): Promise<ServeProcess> {
  return ServeProcess.start(dir, '--trust-client-slots', '--config', stream.configPath);
}

function expectState(dir: string, run: VectorRun): void {
  expect(verifyDirectory(dir).problems).toEqual([]);
  expect(dumpDirectory(dir)).toEqual(run.finalState);
}

describe.concurrent('over TCP', () => {
  test.each(vectorNames())('%s', {timeout: 120_000}, async name => {
    const stream = readVectorStream(name);
    const dir = await prepare(stream);
    const [first, second] = stream.runs as [VectorRun, VectorRun?];
    const server = await serve(stream, dir);
    await play(server.port, first, stream.config.maxSubmissionQueue);
    if (second === undefined) {
      expect(await server.signal('SIGTERM')).toEqual({code: 0, signal: null});
      expectState(dir, first);
    } else {
      await server.kill();
      await expectSecondHalf(stream, second, dir);
    }
  });
});

async function expectSecondHalf(stream: VectorStream, run: VectorRun, dir: string): Promise<void> {
  const {restart} = stream;
  if (restart === null) throw new Error(`${stream.name} has no restart`);
  const server = await serve(stream, dir);
  const peer = await Peer.open(server.port);
  peer.send(encodeRequest({type: 'get_metrics', currentWallClockSlot: restart.metricsAtSlot}));
  const [metrics] = await peer.take(1);
  expect(Buffer.from(metrics ?? []).toString('hex')).toBe(Buffer.from(restart.metricsAfterRestart).toString('hex'));
  await peer.close();
  await play(server.port, run, stream.config.maxSubmissionQueue);
  await server.kill();
  expectState(dir, run);
}
