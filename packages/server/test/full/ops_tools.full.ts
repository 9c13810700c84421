/**
 * The files of deploy/ before the tools that they are for: promtool reads metrics, rules, their tests and the configuration of
 * Prometheus; systemd-analyze reads the unit. Skipped, and said so, where a tool is not there; `pnpm test:full` fetches them.
 */
import {spawnSync} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {afterAll, afterEach, describe, expect, test} from 'vitest';
import {cleanUp, INSTALLED_COMMAND, tempDir} from '../command.ts';
import {alerts, panels, realScrape, rootPath, rootText} from '../ops_deploy_files.ts';
import {closeEngines} from '../ops_fixture.ts';

afterEach(closeEngines);
afterAll(cleanUp);

interface Said {
  readonly status: number | null;
  readonly text: string;
}

function run(command: string, args: readonly string[], input: string = ''): Said {
  const {status, stdout, stderr} = spawnSync(command, args, {encoding: 'utf8', input});
  return {status, text: stdout + stderr};
}

function find(name: string): string | null {
  const fetched = rootPath(`node_modules/.cache/allocdb_ops_tools/${name}`);
  if (existsSync(fetched)) return fetched;
  return spawnSync(name, ['--version']).error === undefined ? name : null;
}

const promtool = find('promtool') ?? '';
const systemdAnalyze = find('systemd-analyze') ?? '';
for (const [tool, path] of Object.entries({promtool, 'systemd-analyze': systemdAnalyze})) {
  if (path === '')
    process.stderr.write(`SKIPPED: ${tool} is not there: deploy/scripts/install_ops_tools.sh fetches it\n`);
}

const RULES = 'deploy/prometheus/allocdb.rules.yml';

/** A directory with the rules, changed, beside their tests. */
function rulesWith(change: (text: string) => string): string {
  const dir = tempDir();
  writeFileSync(join(dir, 'allocdb.rules.yml'), change(rootText(RULES)));
  copyFileSync(rootPath('deploy/prometheus/allocdb.rules.test.yml'), join(dir, 'allocdb.rules.test.yml'));
  return join(dir, 'allocdb.rules.test.yml');
}

describe.skipIf(promtool === '')('promtool', () => {
  test('finds nothing wrong with the metrics', async () => {
    const body = await realScrape();
    expect(run(promtool, ['check', 'metrics'], body)).toEqual({status: 0, text: ''});
    const unconventional = `${body}\n# HELP allocdb_x_ms_total x\n# TYPE allocdb_x_ms_total gauge\nallocdb_x_ms_total 1\n`;
    expect(run(promtool, ['check', 'metrics'], unconventional).status).not.toBe(0);
  });

  test('finds nothing wrong with the configuration', () => {
    const dir = tempDir();
    copyFileSync(rootPath(RULES), join(dir, 'allocdb.rules.yml'));
    copyFileSync(rootPath('deploy/prometheus/prometheus.yml'), join(dir, 'prometheus.yml'));
    writeFileSync(join(dir, 'allocdb_token'), 'a token');
    const {status, text} = run(promtool, ['check', 'config', join(dir, 'prometheus.yml')]);
    expect([status, text]).toEqual([0, expect.stringContaining(`${alerts().length} rules found`)]);
  });

  test('the rules fire when they must, and not when they must not', () => {
    const {status, text} = run(promtool, ['test', 'rules', rulesWith(rules => rules)]);
    expect([status, text]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  test.each([
    ['never fire', 'vector(0) > 1'],
    ['always fire', 'vector(1)'],
  ])('their tests find every rule that would %s', (_what, planted) => {
    const changed = rulesWith(rules => rules.replace(/^ {8}expr: .*$/gm, `        expr: '${planted}'`));
    const {status, text} = run(promtool, ['test', 'rules', changed]);
    expect(status).not.toBe(0);
    for (const {name} of alerts()) expect(text).toContain(`alertname: ${name},`);
  });

  test('reads every expression of the dashboard', () => {
    const expressions = panels().flatMap(({targets = []}) => targets.map(({expr}) => expr));
    const rules = expressions.map((expr, i) => {
      const plain = expr.replaceAll('$__rate_interval', '5m');
      return `      - record: dashboard:expression:${i}\n        expr: ${JSON.stringify(plain)}\n`;
    });
    const file = join(tempDir(), 'dashboard.yml');
    writeFileSync(file, `groups:\n  - name: dashboard\n    rules:\n${rules.join('')}`);
    const {status, text} = run(promtool, ['check', 'rules', file]);
    expect([status, text]).toEqual([0, expect.stringContaining(`${expressions.length} rules found`)]);
  });
});

describe.skipIf(systemdAnalyze === '')('systemd-analyze', () => {
  /** The unit with the command of this repository, which is not installed where the unit looks for it. */
  function unitIn(dir: string): string {
    const path = join(dir, 'allocdb.service');
    const text = rootText('deploy/systemd/allocdb.service');
    expect(text).toContain('ExecStart=/usr/bin/allocdb serve ');
    writeFileSync(path, text.replace('ExecStart=/usr/bin/allocdb ', `ExecStart=${INSTALLED_COMMAND} `));
    return path;
  }

  test('finds nothing wrong with the unit', () => {
    expect(run(systemdAnalyze, ['verify', unitIn(tempDir())])).toEqual({status: 0, text: ''});
  });

  test('nor with it and the credentials', () => {
    const dir = tempDir();
    const unit = unitIn(dir);
    mkdirSync(`${unit}.d`);
    copyFileSync(rootPath('deploy/systemd/credentials.conf'), join(`${unit}.d`, 'credentials.conf'));
    expect(run(systemdAnalyze, ['verify', unit])).toEqual({status: 0, text: ''});
    writeFileSync(join(`${unit}.d`, 'planted.conf'), '[Service]\nLoadCredentials=x:/y\n');
    expect(run(systemdAnalyze, ['verify', unit]).text).toContain('LoadCredentials');
  });

  test('finds little that the service could do and need not', () => {
    const {status, text} = run(systemdAnalyze, ['security', '--offline=true', '--threshold=20', unitIn(tempDir())]);
    expect(text).toMatch(/Overall exposure level for allocdb\.service: [01]\.\d OK/);
    expect(status).toBe(0);
  });
});
