/**
 * What is written about settings is true: the tables of docs/operations.md are those of the data, its commands and flags are
 * there, and the files of deploy/ say nothing that a server would refuse.
 */
import {existsSync, readFileSync, statSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {Command} from 'commander';
import {describe, expect, test} from 'vitest';
import {ALL_COMMANDS} from '../src/all_commands.ts';
import {ProcessInterrupt} from '../src/interrupt.ts';
import {Output} from '../src/output.ts';
import {buildProgram} from '../src/program.ts';
import {Session} from '../src/session.ts';
import {SETTING_NAMES, variableOf} from '../src/settings.ts';
import {checkTogether} from '../src/settings_checks.ts';
import {settingsMarkdown} from '../src/settings_print.ts';
import {collectSettings, SETTINGS_VARIABLE} from '../src/settings_sources.ts';
import {splitWords} from '../src/words.ts';

function rootPath(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}

const text = (path: string): string => readFileSync(rootPath(path), 'utf8');
const RUNBOOK = text('docs/operations.md');
const DOCKERFILE = text('deploy/Dockerfile');
const UNIT = text('deploy/systemd/allocdb.service');

function program(): Command {
  const output = new Output(process.stdout, process.stderr);
  const session = new Session({output, interrupt: new ProcessInterrupt(), client: null, invocation: 'allocdb '});
  return buildProgram(session, ALL_COMMANDS);
}

describe('docs/operations.md', () => {
  test('has the tables of settings as the data have them', () => {
    const [, shown] = /<!-- settings: begin -->\n\n([\s\S]*?)\n\n<!-- settings: end -->/.exec(RUNBOOK) ?? [];
    expect(shown).toBe(settingsMarkdown());
  });

  const blocks = [...RUNBOOK.matchAll(/^```console\n([\s\S]*?)^```/gm)].map(([, block = '']) => block);
  const lines = blocks.flatMap(block => block.split('\n').flatMap(line => line.replace(/^\$ /, '').split(' && ')));
  const commands = lines.filter(line => line.startsWith('allocdb '));

  test('shows commands', () => {
    expect(commands.length).toBeGreaterThan(5);
  });

  test.each(commands)('%s', line => {
    const words = splitWords(line.replace(/ (?:2?>>?) ?\S+/g, '')) ?? [];
    const command = program().commands.find(each => each.name() === words[1]);
    expect(command, words[1]).toBeDefined();
    const known = command?.options.map(option => option.long) ?? [];
    for (const word of words.slice(2)) if (word.startsWith('--')) expect(known).toContain(word);
  });

  test('names no flag that there is not', () => {
    const known = program().commands.flatMap(command => command.options.map(option => option.long));
    for (const [flag] of RUNBOOK.matchAll(/(?<=[`[ (])--[a-z][a-z-]+/g)) {
      if (flag !== '--max-semi-space-size' && flag !== '--json') expect(known, flag).toContain(flag);
    }
  });

  test('names no variable that there is not', () => {
    const known = [...SETTING_NAMES.map(variableOf), SETTINGS_VARIABLE];
    for (const [name] of RUNBOOK.matchAll(/\bALLOCDB_[A-Z_]+/g)) expect(known).toContain(name);
  });
});

describe('deploy/Dockerfile', () => {
  const instructions = DOCKERFILE.replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter(line => line.trim() !== '')
    .map(line => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)] as const);
  const of = (name: string): string[] => instructions.filter(([each]) => each === name).map(([, rest]) => rest);
  const final = instructions.slice(instructions.findLastIndex(([name]) => name === 'FROM'));
  const ofFinal = (name: string): string[] => final.filter(([each]) => each === name).map(([, rest]) => rest);

  test('has instructions that there are, and two stages of one image', () => {
    const known = ['ARG', 'FROM', 'ENV', 'WORKDIR', 'RUN', 'COPY', 'USER', 'VOLUME', 'EXPOSE', 'STOPSIGNAL'];
    for (const [name] of instructions) expect([...known, 'HEALTHCHECK', 'ENTRYPOINT', 'CMD']).toContain(name);
    expect(of('FROM')).toEqual([
      expect.stringMatching(/^\$\{NODE_IMAGE\} AS build$/),
      expect.stringMatching(/^\$\{NODE_IMAGE\}$/),
    ]);
    expect(of('ARG')).toEqual([expect.stringMatching(/^NODE_IMAGE=node:(?:2[2-9]|[3-9]\d)-\w+-slim$/)]);
  });

  test('copies what there is, and what the build is let to see', () => {
    const ignored = text('deploy/Dockerfile.dockerignore').split('\n');
    expect(ignored.find(line => line !== '' && !line.startsWith('#'))).toBe('*');
    for (const copied of of('COPY')) {
      const words = copied.split(' ');
      if (words[0] === '--from=build') {
        expect(DOCKERFILE).toContain(`deploy --prod --legacy ${words[1]}`);
        continue;
      }
      for (const source of words.slice(0, -1)) {
        expect(existsSync(rootPath(source)), source).toBe(true);
        expect(ignored).toContain(`!${source}`);
      }
    }
    for (const line of ignored.filter(each => each.startsWith('!')))
      expect(existsSync(rootPath(line.slice(1)))).toBe(true);
  });

  test('runs as nobody special, says how it is, and stops in order', () => {
    expect(ofFinal('USER')).toEqual(['1000:1000']);
    expect(ofFinal('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(ofFinal('VOLUME')).toEqual(['/var/lib/allocdb']);
    expect(ofFinal('EXPOSE')).toEqual(['7433 7480']);
    const [health = ''] = ofFinal('HEALTHCHECK');
    const [, script] = JSON.parse(health.slice(health.indexOf('['))) as string[];
    expect(of('COPY')).toContain(`deploy/healthcheck.mjs ${script}`);
    const command = [...JSON.parse(ofFinal('ENTRYPOINT')[0] ?? ''), ...JSON.parse(ofFinal('CMD')[0] ?? '')];
    expect(command).toEqual(['allocdb', 'serve', ...ofFinal('VOLUME')]);
  });

  test('sets what a server takes, and lets nobody in by itself', () => {
    const environment = Object.fromEntries(
      [...DOCKERFILE.matchAll(/^ {2}(ALLOCDB_\w+)=(\S+)/gm)].map(([, k, v]) => [k, v]),
    );
    const {values, ignored} = collectSettings({}, undefined, environment);
    expect(ignored).toEqual([]);
    checkTogether(values);
    expect(() => checkTogether({...values, tokenFile: null})).toThrow('--token-file');
    checkTogether(
      collectSettings({}, undefined, {...environment, ALLOCDB_TOKEN_FILE: '', ALLOCDB_ANONYMOUS_ROLE: 'read'}).values,
    );
  });
});

describe('deploy/systemd', () => {
  const variables = (unit: string): Record<string, string> =>
    Object.fromEntries(
      [...unit.matchAll(/^Environment=(ALLOCDB_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    );

  test('the unit sets what a server takes', () => {
    const {ALLOCDB_SETTINGS: file, ...others} = variables(UNIT);
    expect(file).toBe('%E/allocdb/settings.json');
    const {values, ignored} = collectSettings({}, rootPath('deploy/systemd/settings.json'), others);
    expect(ignored).toEqual([]);
    checkTogether(values);
    const [, stopSeconds = ''] = /^TimeoutStopSec=(\d+)$/m.exec(UNIT) ?? [];
    expect(Number(stopSeconds) * 1000).toBeGreaterThan(2 * values.drain);
  });

  test('the unit reloads by the signal that reloads, and tries no wrong usage again', () => {
    expect(UNIT).toMatch(/^ExecReload=\/bin\/kill -HUP \$MAINPID$/m);
    expect(UNIT).toMatch(/^KillSignal=SIGTERM$/m);
    expect(UNIT).toMatch(/^RestartPreventExitStatus=64$/m);
  });

  test('credentials go where settings look for them', () => {
    const {values, ignored} = collectSettings({}, undefined, variables(text('deploy/systemd/credentials.conf')));
    expect(ignored).toEqual([]);
    checkTogether(values);
    expect([values.tokenFile, values.tlsCert, values.tlsKey]).toEqual(['%d/tokens', '%d/tls.crt', '%d/tls.key']);
  });
});

test('scripts can be run', () => {
  expect(statSync(rootPath('deploy/scripts/install_ops_tools.sh')).mode & 0o111).not.toBe(0);
});
