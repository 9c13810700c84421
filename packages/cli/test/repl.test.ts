/**
 * The repl, from a pipe and on a terminal: a real one, which `script` of util-linux makes. What it prints is waited for,
 * never a time.
 */
import {spawnSync} from 'node:child_process';
import {readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {resourceIdFrom} from '@allocdb/client';
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';
import {cleanUp, MAIN, PATIENTLY, Running, run, Server, start, tempDir} from './command.ts';
import {SwallowingProxy} from './swallowing_proxy.ts';

const A = resourceIdFrom('a');
const op = (n: number): string => n.toString(16).padStart(32, '0');

let server: Server;
beforeAll(async () => {
  server = await Server.start();
});
afterAll(cleanUp);

describe('from a pipe', () => {
  test('lines run one after the other on one connection, and the last failure is the exit code', async () => {
    const lines = [
      `create name:a --operation ${op(1)}`,
      '',
      '# a comment',
      `create 'name:a' --operation ${op(2)} --json`,
      'get name:a --frob',
      "get 'name:a",
      'get name:a',
      'serve ./data',
      'get name:b --url allocdb://elsewhere',
      'get name:b',
      'exit',
      'get name:c',
    ];
    const {code, stdout, stderr} = await server.run(['repl'], {input: lines.join('\n')});
    expect(stdout.split('\n')).toEqual([
      `created  resource=${A} lsn=1 operation=${op(1)}`,
      `{"result":"already_exists","resource":"${A}","lsn":"2","operation":"${op(2)}","fromRetryCache":false}`,
      `found  resource=${A} state=available version=0 lsn=2`,
      `resource_not_found  resource=${resourceIdFrom('b')} lsn=2`,
      '',
    ]);
    expect(stderr.split('\n').filter(line => line.startsWith('allocdb: '))).toEqual([
      "allocdb: unknown option '--frob'",
      'allocdb: a quote is not closed, or a backslash stands at the end of the line',
      "allocdb: unknown command 'serve'",
      "allocdb: unknown option '--url'",
    ]);
    expect(code).toBe(2);
  });

  test('without a failure it is 0; with --json every line is JSON', async () => {
    const {code, stdout, stderr} = await server.run(['repl', '--json'], {input: 'get name:a\r\nhelp\nquit'});
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\{"result":"found",.*\}\nUsage: \[options\] \[command\]\n/);
    expect(stdout).toMatch(/^ {2}reserve \[options\] <id\.\.\.> /m);
    expect(stdout).not.toMatch(/^ {2}serve /m);
  });

  test('no server: the exit code of any command', async () => {
    const {code, stderr} = await run(['repl', '--url', 'allocdb://127.0.0.1:1'], {input: 'get name:a'});
    expect([code, stderr.startsWith('allocdb: connect_failed: ')]).toEqual([1, true]);
  });

  test('an interrupt ends the call, and the lines behind it are not run', async () => {
    const repl = start(['repl', '--url', server.url, '--timeout', '60s']);
    repl.child.stdin.write('get name:a\nwatch --from 1\ncreate name:never\n');
    await expect.poll(() => repl.stdout.includes('already_exists'), PATIENTLY).toBe(true);
    repl.child.kill('SIGINT');
    const {code, stdout, stderr} = await repl.ended;
    expect([code, stdout.split('\n').length]).toEqual([0, 4]);
    expect(stderr).toContain('next is lsn 3\n');
    expect((await server.run(['get', 'name:never'])).code).toBe(2);
  });

  test('stdin of the repl is not a file of ids', async () => {
    const {code, stderr} = await server.run(['repl'], {input: 'create --from-file -\n'});
    expect([code, stderr]).toEqual([64, 'allocdb: --from-file -: stdin is where the repl reads lines\n']);
  });
});

describe.skipIf(spawnSync('script', ['--version']).status !== 0)('on a terminal', () => {
  let state: string;
  let proxy: SwallowingProxy;
  let terminal: Running;
  beforeAll(() => {
    state = tempDir();
  });

  /** Resolves when the terminal shows a text behind what it showed when it was last waited for. */
  let from = 0;
  async function shown(text: string): Promise<void> {
    await expect.poll(() => terminal.stdout.indexOf(text, from), PATIENTLY).toBeGreaterThanOrEqual(0);
    from = terminal.stdout.indexOf(text, from) + text.length;
  }
  const type = (keys: string): boolean => terminal.child.stdin.write(keys);
  const PROMPT = 'allocdb> ';

  async function open(): Promise<void> {
    proxy = await SwallowingProxy.start(server.port);
    const line = `exec '${process.execPath}' '${MAIN}' repl --timeout 60s --url ${proxy.url}`;
    from = 0;
    terminal = new Running('script', ['-qec', line, '/dev/null'], {env: {XDG_STATE_HOME: state, TERM: 'xterm'}});
    await shown(`${proxy.url}; help shows the commands`);
    await shown(PROMPT);
  }
  afterEach(async () => {
    terminal.child.kill('SIGKILL');
    await proxy.close();
  });

  test('tab completes commands, flags and ids that were seen; ^D ends it with 0', async () => {
    await open();
    for (const [keys, completed] of [
      ['rese', 'reserve'],
      [' name:a --holde', '--holder'],
      [' name:me --ttl', '--ttl-slots'],
    ] as const) {
      type(keys);
      await shown(keys.trimStart().slice(-4));
      type('\t');
      await shown(completed.slice(keys.trimStart().split(' ').at(-1)?.length));
    }
    type(' 5\r');
    await shown('reserved  lease=');
    const lease = /lease=([0-9a-f]{32})/.exec(terminal.stdout)?.[1] ?? '';
    await shown(PROMPT);
    type('get --reservation 0000');
    await shown('0000');
    type('\t');
    await shown(lease.slice(4));
    type('\r');
    await shown('state=reserved');
    await shown(PROMPT);
    type('\u0004');
    expect((await terminal.ended).code).toBe(0);
  });

  test('^C clears a line, and ends a call but not the repl; certainty is said', async () => {
    await open();
    type('create name:b');
    await shown('create name:b');
    type('\u0003');
    await shown(PROMPT);
    proxy.mode = 'swallow answers';
    const lost = proxy.lost();
    type(`create name:c --operation ${op(77)}\r`);
    await lost;
    type('\u0003');
    await shown('allocdb: outcome unknown: aborted: interrupted by ^C');
    await shown(`  create name:c --operation ${op(77)}`);
    await shown(PROMPT);
    proxy.heal(server.port);
    type(`create name:c --operation ${op(77)}\r`);
    await shown('created  resource=');
    await shown('fromRetryCache=true');
    await shown(PROMPT);
    type('exit\r');
    expect((await terminal.ended).code).toBe(0);
    expect((await server.run(['get', 'name:b'])).code).toBe(2);
  });

  test('the lines of earlier sessions are there again, in a file of the owner alone', async () => {
    const file = join(state, 'allocdb', 'repl_history');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain(`create name:c --operation ${op(77)}\n`);
    await open();
    // Twice up: behind `exit`.
    type('\u001b[A');
    await shown('exit');
    type('\u001b[A');
    await shown('create name:c');
    type('\r');
    await shown('fromRetryCache=true');
    await shown(PROMPT);
    type('\u0004');
    expect((await terminal.ended).code).toBe(0);
  });

  test('lines that are typed ahead run in order, or are given up by ^C; SIGTERM ends the repl', async () => {
    await open();
    type('get name:a\rget name:nowhere\r');
    await shown('found  resource=');
    await shown('resource_not_found  resource=');
    await shown(PROMPT);
    type('watch --from 1\r');
    await shown('create_resource');
    type('create name:never\r\u0003');
    await shown('next is lsn');
    await shown(PROMPT);
    type('get name:never\r');
    await shown('resource_not_found');
    await shown(PROMPT);
    const {pid} = terminal.child;
    process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()), 'SIGTERM');
    expect((await terminal.ended).code).toBe(0);
  });
});
