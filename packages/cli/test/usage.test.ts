/**
 * What is said to a command line that is wrong, and to one that asks for help: exit codes, that the message names what is
 * wrong, and that every command explains itself with examples that parse.
 */
import {PassThrough} from 'node:stream';
import type {Command} from 'commander';
import {afterAll, describe, expect, test} from 'vitest';
import {ALL_COMMANDS} from '../src/all_commands.ts';
import {isOnline, ONLINE_COMMANDS} from '../src/online_commands.ts';
import {buildProgram, type Register} from '../src/program.ts';
import {SETTING_GROUPS} from '../src/settings.ts';
import {splitWords} from '../src/words.ts';
import {cleanUp, objectOf, run, shell, tempFile} from './command.ts';
import {runHere, sessionOn} from './in_process.ts';

afterAll(cleanUp);

const ID = '018f6c1e-0000-7000-8000-00000000002a';

describe('wrong usage exits 64 and names what is wrong', () => {
  test.each([
    [['reserve', 'seat-12', '--holder', ID, '--ttl-slots', '1'], 'name:seat-12'],
    [['reserve', `${ID}0`, '--holder', ID, '--ttl-slots', '1'], 'must be a UUID or 32 hex digits'],
    [['reserve', ID, '--holder', 'bob', '--ttl-slots', '1'], '--holder'],
    [['reserve', ID, '--holder', 'name:', '--ttl-slots', '1'], 'a name follows name:'],
    [['reserve', ID, '--holder', ID], '--ttl-slots'],
    [['reserve', ID, '--holder', ID, '--ttl-slots', '0'], '--ttl-slots'],
    [['reserve', ID, '--holder', ID, '--ttl-slots', '1', '--hold', '1s'], "cannot be used with option '--ttl-slots"],
    [['reserve', ID, '--holder', ID, '--hold', '10'], '30s'],
    [['reserve', ID, '--ttl-slots', '1'], '--holder'],
    [['reserve', '--holder', ID, '--ttl-slots', '1'], "argument 'id'"],
    [['confirm', 'name:lease', '--holder', ID], 'a reservation id'],
    [['confirm', ID, '--holder', ID, '--epoch', '-1'], '--epoch'],
    [['revoke', ID, '--operation', '12'], '--operation'],
    [['reclaim', ID, ID], 'too many arguments'],
    [['get', 'name:a', '--reservation'], 'a reservation id'],
    [['get', ID, '--lsn', '18446744073709551616'], '--lsn'],
    [['get', ID, '--url', 'http://localhost'], '--url'],
    [['get', ID, '--url', 'allocdb://me:secret@localhost'], 'a token is an option'],
    [['get', ID, '--token', 'secret'], "unknown option '--token'"],
    [['get', ID, '--timeout', '0s'], '--timeout'],
    [['get', ID, '--timeout', '90d'], 'at most 24d'],
    [['get', ID, '--ca', 'ca.pem'], 'allocdbs://'],
    [['list', '--state', 'sold'], 'Allowed choices'],
    [['list', '--state', 'expired'], '--reservations'],
    [['list', '--holder', ID, '--state', 'available'], 'leases are reserved'],
    [['watch', '--from', '0'], '--from'],
    [['create'], '--from-file'],
    [['create', ID, '--count', '3', '--prefix', 'a'], 'one of these'],
    [['create', '--count', '3'], '--prefix'],
    [['init', 'DIR', '--config', 'x', '--max-resources', '3'], '--config'],
    [['init', 'DIR', '--max-hold', 'forever'], '--max-hold'],
    [['backup'], "argument 'name'"],
    [['backup', './data'], 'backup DIR TARGET'],
    [['backup', 'DIR', 'TARGET', '--http', '127.0.0.1:1'], 'leave out the target'],
    [['backup', 'today', '--http', 'ftp://localhost'], '--http'],
    [['backup', 'today', '--ca', 'ca.pem'], 'https://'],
    [['why', ID, '--dir', 'DIR', '--http', '127.0.0.1:1'], 'exclude each other'],
    [['why', ID, '--limit', '1001'], '--limit'],
    [['why', ID, '--slot-ms', '5'], '--dir'],
    [['why', '--operation', ID], '--dir'],
    [['api', 'DIR', '--config', 'x', '--start-lsn', '18446744073709551615'], 'below 2^64 - 1'],
    [['api', 'DIR', '--config', 'x', '--start-slot', '18446744073709551616'], '--start-slot'],
    [['why', 'seat-12'], 'name:seat-12'],
    [['restore', 'BACKUP'], "argument 'dir'"],
    [['restore', 'BACKUP', 'DIR', '--at-lsn', '-1'], '--at-lsn'],
    [['replay'], "argument 'dir'"],
    [['replay', 'DIR', '--until', 'now'], '--until'],
    [['reconfigure', 'DIR'], '--max-resources'],
    [['reconfigure', 'DIR', '--max-resources', '0'], '--max-resources'],
    [['reconfigure', 'DIR', '--config', 'x', '--remember', '3m'], '--config'],
    [['token', 'shop'], '--role'],
    [['token', 'shop', '--role', 'admin'], 'read, write, operate'],
    [['token', 'a shop', '--role', 'read'], 'letters, digits'],
    [['completion', 'tcsh'], 'bash, zsh, fish'],
    [['frobnicate'], 'frobnicate'],
  ])('%j', async (args, said) => {
    const {code, stdout, stderr} = await runHere(args);
    expect([code, stdout, stderr.startsWith('allocdb: ')]).toEqual([64, '', true]);
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(/\n {4}at /);
    const json = await runHere(['--json', ...args]);
    expect([json.code, json.stdout, objectOf(json.stderr)]).toEqual([
      64,
      '',
      {error: {code: 'usage', certainty: 'definite', message: expect.stringContaining(said), operation: null}},
    ]);
  });

  test('a variable of the environment is named as such', async () => {
    const {code, stderr} = await run(['get', ID], {env: {ALLOCDB_URL: 'nowhere'}});
    expect([code, stderr.includes('ALLOCDB_URL')]).toEqual([64, true]);
    // An empty one counts as not set.
    const empty = await run(['get', ID, '--help'], {env: {ALLOCDB_URL: ''}});
    expect([empty.code, empty.stderr]).toEqual([0, '']);
  });
});

/** A tree in which nothing is done. */
function treeOf(commands: readonly Register[]): Command {
  return buildProgram(sessionOn(new PassThrough(), new PassThrough()), commands);
}

describe('help', () => {
  const commands = treeOf(ALL_COMMANDS).commands.map(command => command.name());

  test.each(commands)('%s: what it does, its flags, and at least two examples that parse', async name => {
    const {code, stdout} = await runHere([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Usage: allocdb ${name} `));
    expect(stdout).toContain('--json');
    const examples = (stdout.split('\nExamples:\n')[1] ?? '').trimEnd().split('\n');
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const example of examples) {
      const [prompt, program, ...words] = splitWords(example.replace(/ (?:2?>+|<) \S+/g, '')) ?? [];
      expect([prompt, program, words[0]]).toEqual(['$', 'allocdb', name]);
      const tree = treeOf(ALL_COMMANDS);
      let ran = '';
      for (const command of tree.commands) {
        command.action(() => {
          ran = command.name();
        });
      }
      await tree.parseAsync(words, {from: 'user'});
      expect(ran).toBe(name);
    }
  });

  test('of all: every command, in one line', async () => {
    const {code, stdout} = await runHere(['help']);
    expect(code).toBe(0);
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^ {2}${name} \\S.*\\w$`, 'm'));
    expect(await runHere(['--help'])).toEqual({code: 0, stdout, stderr: ''});
    expect((await runHere(['help', 'reserve'])).stdout).toContain('Usage: allocdb reserve');
  });

  test('the flag of the token says why a token is not an argument', async () => {
    expect((await runHere(['get', '--help'])).stdout.replace(/\s+/g, ' ')).toContain(
      'never an argument, because ps and',
    );
  });

  test('of serve: every flag in its group, and help behind the settings', async () => {
    const {stdout} = await runHere(['serve', '--help']);
    const groups = [...stdout.matchAll(/^([A-Z][\w ]+):$/gm)].map(([, name]) => name);
    expect(groups).toEqual(['Arguments', ...SETTING_GROUPS, 'Settings', 'Options', 'Global Options', 'Examples']);
  });

  test('the version', async () => {
    expect(await runHere(['--version'])).toMatchObject({code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/)});
  });

  test('no command at all', async () => {
    const human = await run([]);
    expect([human.code, human.stdout]).toEqual([64, '']);
    expect(human.stderr).toContain('Usage: allocdb');
    expect(objectOf((await runHere(['--json'])).stderr)).toMatchObject({error: {code: 'usage'}});
  });
});

test('a line is taken for an online command only when it is one', () => {
  const online = treeOf(ONLINE_COMMANDS).commands.map(command => command.name());
  for (const command of treeOf(ALL_COMMANDS).commands) {
    const name = command.name();
    expect([name, isOnline(['--json', name, '--help'])]).toEqual([name, online.includes(name)]);
  }
  expect([isOnline([]), isOnline(['help', 'get']), isOnline(['toString'])]).toEqual([false, false, false]);
});

describe('completion', () => {
  test('bash takes the script, and completes with it', async () => {
    const {code, stdout: script} = await runHere(['completion', 'bash']);
    expect(code).toBe(0);
    expect(await shell('bash -n', {input: script})).toEqual({code: 0, stdout: '', stderr: ''});
    const file = tempFile('completion.bash', script);
    const complete = async (...words: string[]): Promise<string[]> => {
      const list = words.map(word => `'${word}'`).join(' ');
      const line = `source ${file}; COMP_WORDS=(allocdb ${list}); COMP_CWORD=${words.length}; _allocdb; echo "\${COMPREPLY[*]}"`;
      const {stdout, stderr} = await shell(line);
      expect(stderr).toBe('');
      return stdout.trimEnd().split(' ');
    };
    const re = ['reserve', 'release', 'revoke', 'reclaim', 'repl', 'restore', 'reconfigure', 'replay'];
    expect(await complete('re')).toEqual(re);
    expect(await complete('reserve', '--ho')).toEqual(['--holder', '--hold']);
    expect(await complete('--json', 'list', '--state', 're')).toEqual(['reserved', 'revoking', 'released', 'revoked']);
    expect(await complete('token', 'shop', '--role', '')).toEqual(['read', 'write', 'operate']);
    expect(await complete('help', 'ver')).toEqual(['verify']);
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('init', '/de')).toEqual(['/dev']);
    expect(await complete('serve', 'data', '--config', '/etc/passw')).toContain('/etc/passwd');
    expect(await complete('reserve', '--hold', '')).toEqual(['']);
  });

  test.each(['bash', 'zsh', 'fish'])('%s: every command and every flag is in the script', async name => {
    const {code, stdout} = await runHere(['completion', name, '--json']);
    expect(code).toBe(0);
    const script = String(objectOf(stdout)['script']);
    for (const command of treeOf(ALL_COMMANDS).commands) {
      expect(script).toContain(command.name());
      const shown = command.options.filter(({hidden}) => !hidden);
      for (const {long} of shown) expect(script).toContain(name === 'fish' ? `-l ${long?.slice(2)} ` : long);
    }
    // Quotes are closed: single ones, in all three, but for those behind a backslash.
    expect((script.replaceAll("\\'", '').match(/'/g) ?? []).length % 2).toBe(0);
  });
});
