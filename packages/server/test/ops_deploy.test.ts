/**
 * What deploy/ says of metrics is true: alerts and dashboard ask for what a real scrape has, and every alert leads to a
 * section of docs/operations.md, and has been tried. The tools that the files are for read them in the full tests.
 */
import {afterEach, describe, expect, test} from 'vitest';
import {LOG_EVENTS} from '../src/ops/log_events.ts';
import {METRICS} from '../src/ops/metric_table.ts';
import {cleanUp} from './command.ts';
import {alerts, metricsIn, panels, realScrape, rootText} from './ops_deploy_files.ts';
import {closeEngines} from './ops_fixture.ts';

afterEach(async () => {
  await closeEngines();
  await cleanUp();
});

const RUNBOOK = rootText('docs/operations.md');

/** Names of all metrics of a scrape. */
async function scraped(): Promise<Set<string>> {
  const types = (await realScrape()).matchAll(/^# TYPE (\S+) /gm);
  return new Set([...types].map(([, name]) => name ?? ''));
}

/** Values of a label that an expression picks. */
function picked(expr: string): [label: string, value: string][] {
  return [...expr.matchAll(/(\w+)=~?"([\w|]+)"/g)].flatMap(([, label = '', values = '']) =>
    values.split('|').map(value => [label, value] as [string, string]),
  );
}

describe('alerts', () => {
  test.each(alerts().map(alert => [alert.name, alert] as const))('%s', async (name, {expr, text}) => {
    const known = await scraped();
    for (const metric of metricsIn(expr)) expect(known, metric).toContain(metric);
    for (const [label, value] of picked(expr)) {
      if (label === 'job') continue;
      const metrics = METRICS.filter(metric => metricsIn(expr).includes(metric.name));
      const sets = metrics.flatMap(metric => {
        const set = metric.labels?.[label] ?? [];
        return typeof set === 'function' ? [] : set;
      });
      expect(sets, `${label}="${value}"`).toContain(value);
    }
    expect(text).toMatch(/labels: \{ severity: (critical|warning) \}/);
    expect(text).toMatch(/summary: ".*\{\{ \$labels\.instance \}\}.*"/);
    expect(text).toMatch(/description: ".{20,}\."/);
    expect(text).toContain(
      `runbook_url: "{{ with $externalLabels.allocdb_docs }}{{ . }}{{ else }}docs{{ end }}/operations.md#${name.toLowerCase()}"`,
    );
    expect(RUNBOOK).toContain(`\n### ${name}\n`);
  });

  test('each is tried: when it fires, and when it does not', () => {
    const cases = rootText('deploy/prometheus/allocdb.rules.test.yml')
      .split(/^ {2}- name: /m)
      .slice(1);
    for (const {name} of alerts()) {
      const own = cases.filter(text => new RegExp(`alertname: ${name}$`, 'm').test(text));
      expect(
        own.some(text => text.includes('exp_alerts: []')),
        `${name} is quiet`,
      ).toBe(true);
      expect(
        own.some(text => text.includes('exp_labels:')),
        `${name} fires`,
      ).toBe(true);
    }
  });

  test('there is one for each section of the runbook', () => {
    const sections = [...RUNBOOK.matchAll(/^### (AllocDB\w+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(alerts().map(({name}) => name));
  });
});

describe('the dashboard', () => {
  test.each(panels().map(panel => [panel.title, panel] as const))('%s', async (_title, panel) => {
    const known = await scraped();
    expect(panel.description).toMatch(/\.$/);
    expect(panel.fieldConfig?.defaults.unit).toBeTruthy();
    for (const {expr} of panel.targets ?? []) {
      expect(metricsIn(expr).length).toBeGreaterThan(0);
      for (const metric of metricsIn(expr)) expect(known, metric).toContain(metric);
      expect(expr).toContain('{job="$job", instance=~"$instance"}');
    }
  });

  test('shows what an operator asks first', () => {
    const all = panels()
      .flatMap(({targets = []}) => targets.map(({expr}) => expr))
      .join('\n');
    for (const asked of [
      'histogram_quantile(0.5, sum by (le) (rate(allocdb_commit_latency_seconds_bucket',
      'histogram_quantile(0.99, sum by (le) (rate(allocdb_commit_latency_seconds_bucket',
      'histogram_quantile(0.99, sum by (le) (rate(allocdb_sync_latency_seconds_bucket',
      'sum by (result) (rate(allocdb_commands_total',
      'allocdb_table_used',
      'allocdb_checkpoint_age_seconds',
      'allocdb_connections{',
      'allocdb_feed_lag_records',
    ]) {
      expect(all).toContain(asked);
    }
  });
});

describe('the runbook', () => {
  test('names every event that is logged', () => {
    for (const name of new Set(Object.values(LOG_EVENTS).flat())) expect(RUNBOOK).toContain(`\`${name}\``);
  });

  test('names every metric, and none that there is not', async () => {
    const known = await scraped();
    for (const {name} of METRICS) expect(RUNBOOK).toContain(`\`${name}`);
    for (const [name] of RUNBOOK.matchAll(/\ballocdb_[a-z_]+/g)) {
      if (/^allocdb_(?:docs|tokens?)$/.test(name)) continue;
      expect(known, name).toContain(name.replace(/_(?:bucket|sum|count)$/, ''));
    }
  });
});
