/**
 * The files of deploy/ as tests read them, and the text for Prometheus of a real engine that has done a little of everything.
 */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {ask, openFixture} from './ops_fixture.ts';
import {create, createMany, reserve} from './requests.ts';

/** Path of a file of the repository. */
export function rootPath(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}

/** Text of a file of the repository. */
export function rootText(path: string): string {
  return readFileSync(rootPath(path), 'utf8');
}

/** An alert of the rules, as far as tests look at it. */
export interface Alert {
  readonly name: string;
  readonly expr: string;
  readonly text: string;
}

/** The alerts of the rules file, which is written in one form throughout. */
export function alerts(): Alert[] {
  const [, ...parts] = rootText('deploy/prometheus/allocdb.rules.yml').split(/^ {6}- alert: /m);
  return parts.map(text => ({
    name: /^\w+/.exec(text)?.[0] ?? '',
    expr: /^ {8}expr: (.*)$/m.exec(text)?.[1] ?? '',
    text,
  }));
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly targets?: readonly {readonly expr: string}[];
  readonly fieldConfig?: {readonly defaults: {readonly unit?: string}};
}

/** The panels of the dashboard that show something. */
export function panels(): Panel[] {
  const {panels: all} = JSON.parse(rootText('deploy/grafana/allocdb.json')) as {panels: readonly Panel[]};
  return all.filter(({type}) => type !== 'row');
}

/** Names of metrics in an expression, histograms by their own. */
export function metricsIn(expr: string): string[] {
  const names = expr.match(/\b(?:allocdb|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return names.map(name => name.replace(/_(?:bucket|sum|count)$/, ''));
}

/** What an engine tells that has done a little of everything. */
export async function realScrape(): Promise<string> {
  const {engine, metrics, traffic, connections} = openFixture();
  connections.push({transport: 'tcp', count: 3, most: 1000}, {transport: 'http', count: 1, most: 1000});
  traffic.requestAnswered('/readyz', 200);
  traffic.connectionEnded('tcp', 'unauthorized');
  await ask(engine, createMany(1n, 50));
  await ask(engine, create(1n));
  await ask(engine, reserve(1000n, 1n));
  await engine.checkpoint();
  return (await metrics.render()).body;
}
