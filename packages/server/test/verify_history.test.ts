/**
 * `allocdb verify --history`: what is printed, as text and as JSON, and the exit codes: 0 sound, 1 findings or a directory
 * that is not sound, 64 for a command line or a history that cannot be read. The directory is left as it was.
 */
import {cpSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {type ApiRequest, encodeClientRequest} from '@allocdb/api';
import {
  type Attempt,
  answerOf,
  type HistoryEntry,
  historyHeaderLine,
  historyLine,
  type Read,
  readAnswerOf,
} from '@allocdb/node/history';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, fingerprintOf, runCommand, tempDir, tempFile} from './command.ts';
import {SMALL, startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';

afterAll(async () => {
  await stopServers();
  await cleanUp();
});

/** A directory, cleanly closed, and what its only client was told; reserves of one resource that is held. */
let dir = '';
const entries: HistoryEntry[] = [];

function attemptOf(operation: bigint, command: Attempt['command']): [ApiRequest, Omit<Attempt, 'line'>] {
  const payload = encodeClientRequest({operationId: operation, clientId: 7n, command});
  const span = {client: 7n, sent: performance.now(), came: null, connection: 'one', place: Number(operation)};
  return [
    {type: 'submit', requestSlot: 0n, payload},
    {type: 'attempt', operation, command, ...span, answer: {type: 'nothing'}},
  ];
}

async function ask(peer: Peer, request: ApiRequest, draft: Omit<Attempt, 'line'> | Omit<Read, 'line'>): Promise<void> {
  const [response] = await peer.ask(request);
  if (response === undefined) throw new Error('it was answered');
  const answer = draft.type === 'attempt' ? answerOf(response) : readAnswerOf(response);
  entries.push({...draft, came: performance.now(), answer, line: entries.length + 2} as HistoryEntry);
}

beforeAll(async () => {
  const started = await startServer();
  dir = started.dir;
  const peer = await Peer.open(started.port);
  for (let operation = 1n; operation <= 5n; operation++) {
    await ask(peer, ...attemptOf(operation, {kind: 'create_resource', resourceId: operation}));
  }
  for (let operation = 6n; operation <= 30n; operation++) {
    const resourceId = 1n + (operation % 5n);
    await ask(peer, ...attemptOf(operation, {kind: 'reserve', resourceId, holderId: 7n, ttlSlots: 5000n}));
  }
  const span = {client: 7n, sent: performance.now(), came: null, connection: 'one', place: 99};
  const read = {type: 'read', kind: 'get_resource', id: 3n, requiredLsn: null, slot: null} as const;
  await ask(
    peer,
    {type: 'get_resource', requiredLsn: null, resourceId: 3n},
    {...read, ...span, answer: {type: 'nothing'}},
  );
  // Sent and never heard of: an operation that the server has not seen, and one that it has.
  entries.push({...attemptOf(40n, {kind: 'create_resource', resourceId: 40n})[1], line: entries.length + 2});
  const [request, lost] = attemptOf(41n, {kind: 'create_resource', resourceId: 41n});
  await peer.ask(request);
  entries.push({...lost, line: entries.length + 2});
  await peer.close();
  await started.server.stop();
});

function fileOf(changed: readonly HistoryEntry[] = entries): string {
  const header = historyHeaderLine({begins: 'empty', core: SMALL.core});
  return tempFile('history.jsonl', [header, ...changed.map(historyLine), ''].join('\n'));
}

/** The history with a grant that was told the reservation of another lsn, and with a read that shows another version. */
function spoilt(): HistoryEntry[] {
  return entries.map(entry => {
    if (entry.type === 'read' && entry.answer.type === 'resource') {
      return {...entry, answer: {...entry.answer, version: 9n}};
    }
    const isFirst = entry.type === 'attempt' && entry.operation === 6n && entry.answer.type === 'committed';
    return isFirst ? {...entry, answer: {...entry.answer, reservationId: 3n}} : entry;
  });
}

describe('a sound history', () => {
  test('with the directory: 0, each check with what it looked at, and nothing touched', async () => {
    const before = fingerprintOf(dir);
    const {code, stdout, stderr} = await runCommand(['verify', dir, '--history', fileOf()]);
    expect(stdout.toString().replace(/^ok {2}lsn.*$/m, 'ok  the directory')).toMatchInlineSnapshot(`
      "ok  the directory
      history: 32 attempts of 32 operations, 1 reads, 0 ticks
        log: lsn 1 to 31; outcomes are known from lsn 1 on
        without an answer: 1 had happened, 1 had not
        at_most_once        30 checked, 0 found
        in_log              32 checked, 0 found
        replay              30 checked, 0 found
        real_time_order     31 checked, 0 found
        pipelined_order     31 checked, 0 found
        disjoint_ownership  nothing to check
        nothing_early       nothing to check
        reads               1 checked, 0 found
      ok  history
      "
    `);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(fingerprintOf(dir)).toEqual(before);
  });

  test('without: 0, and what needs the log is said to be unchecked', async () => {
    const {code, stdout} = await runCommand(['verify', '--history', fileOf()]);
    expect(stdout.toString()).toMatch(/no log: .*\n[\s\S]* in_log {14}nothing to check\n[\s\S]*\nok {2}history\n$/);
    expect(code).toBe(0);
  });

  test('as JSON: the report of the directory as ever, and the history beside it', async () => {
    const plain = JSON.parse((await runCommand(['verify', dir, '--json'])).stdout.toString());
    const {code, stdout} = await runCommand(['verify', dir, '--history', fileOf(), '--json']);
    const {history, ...directory} = JSON.parse(stdout.toString());
    expect(directory).toEqual(plain);
    expect(history).toMatchObject({
      attempts: 32,
      operations: 32,
      reads: 1,
      found: 0,
      findings: [],
      log: {firstLsn: '1', replayedFrom: '1', lastLsn: '31'},
      unanswered: {happened: 1, not: 1},
    });
    expect(history.checks.length).toBe(8);
    expect(code).toBe(0);
    const alone = JSON.parse((await runCommand(['verify', '--history', fileOf(), '--json'])).stdout.toString());
    expect(alone).toMatchObject({ok: true, history: {found: 0, log: null}});
    expect(Object.keys(alone)).toEqual(['ok', 'history']);
  });
});

describe('findings', () => {
  test('are printed with their lines and checks, and the exit code is 1', async () => {
    const {code, stdout} = await runCommand(['verify', dir, '--history', fileOf(spoilt())]);
    const [, findings = ''] = stdout.toString().split('not sound  ');
    expect(findings.replace(/deadline \d+/g, 'deadline _').replace(/lsn \d+ to/g, 'lsn _ to')).toMatchInlineSnapshot(`
      "history: 2 findings
        line 7: operation 6 at lsn 6: answered ok (3, deadline _), the log makes it ok (6, deadline _) [replay: every answer is what the state machine says at its place in the order]
        line 32: get_resource of 3 was so at no lsn from 30 to the end [reads: what a read showed was so at some lsn between what was known before it and what came after it]
      "
    `);
    expect(code).toBe(1);
  });

  test('are counted beyond those that are printed', async () => {
    const all = entries.map(entry => {
      const isBusy =
        entry.type === 'attempt' && entry.answer.type === 'committed' && entry.answer.result === 'resource_busy';
      return isBusy ? {...entry, answer: {...entry.answer, result: 'resource_not_found' as const}} : entry;
    });
    const {code, stdout} = await runCommand(['verify', dir, '--history', fileOf(all), '--findings', '3', '--json']);
    const {ok, history} = JSON.parse(stdout.toString());
    expect([ok, history.found, history.findings.length]).toEqual([false, 20, 3]);
    expect(history.findings[0]).toMatchObject({check: 'replay', lines: [12]});
    expect(code).toBe(1);
  });

  test('without a directory too', async () => {
    const {code, stdout} = await runCommand(['verify', '--history', fileOf(spoilt())]);
    expect(stdout.toString()).toMatch(/not sound {2}history: \d+ findings\n {2}line 7: .*\[replay: /);
    expect(code).toBe(1);
  });
});

describe('what cannot be checked', () => {
  test('a directory that is not sound: its problems, 1, and no word on the history', async () => {
    const copy = join(tempDir(), 'data');
    cpSync(dir, copy, {recursive: true});
    const path = join(copy, 'wal', 'wal-00000000000000000001.seg');
    const bytes = readFileSync(path);
    bytes[4096 + 150] = (bytes[4096 + 150] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const {code, stdout} = await runCommand(['verify', copy, '--history', fileOf()]);
    expect(stdout.toString()).toMatch(/^not sound [\s\S]*\nthe history was not checked\n$/);
    expect(code).toBe(1);
  });

  test.each<[string, string, RegExp]>([
    [
      'a line that is none',
      `${'{"type":"history","version":1,"begins":"empty"}'}\n{"type":"attempt"}\n`,
      /line 2: command/,
    ],
    ['no header', '{}\n', /line 1: type must be one of history/],
    ['nothing', '', /is empty/],
  ])('a history with %s: 64', async (_what, text, reason) => {
    const {code, stdout, stderr} = await runCommand(['verify', dir, '--history', tempFile('bad.jsonl', text)]);
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/\n {4}at /);
    expect(stdout.length).toBe(0);
    expect(code).toBe(64);
  });

  test('neither directory nor history: 64; no such file: 1', async () => {
    const none = await runCommand(['verify']);
    expect([none.code, none.stderr]).toEqual([64, expect.stringContaining('--history')]);
    const missing = await runCommand(['verify', '--history', join(tempDir(), 'missing')]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('ENOENT')]);
  });
});
