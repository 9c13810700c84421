/**
 * What a server tells those who run it, put together: health, metrics, and the counts of its ports. The server makes one when
 * its engine is open, lets its ports count into `traffic`, and mounts the rest on its HTTP port.
 */
import {performance} from 'node:perf_hooks';
import type {SingleNodeEngine} from '@allocdb/node';
import {packageVersion} from '../version.ts';
import {Health} from './health.ts';
import type {ServerMetrics} from './prometheus.ts';
import type {ServerFacts} from './scrape.ts';
import {Traffic} from './traffic.ts';

/** What only the server knows about itself. */
export type OperationsOptions = Omit<ServerFacts, 'version' | 'traffic' | 'health'> & {
  /** Its HTTP routes, such as `GET /readyz`. */
  readonly routes: readonly string[];
};

export interface Operations {
  readonly health: Health;
  readonly traffic: Traffic;
  readonly metrics: ServerMetrics;
}

/** For the server of this engine. */
export function createOperations(engine: SingleNodeEngine, options: OperationsOptions): Operations {
  const {routes, ...facts} = options;
  const traffic = new Traffic(routes);
  const health = new Health({
    state: () => engine.state,
    metrics: () => engine.metrics(options.currentSlot()),
    now: () => performance.now(),
  });
  const all = {...facts, version: packageVersion(), traffic, health};
  let made: Promise<ServerMetrics> | null = null;
  // Loaded when somebody asks for the first time: a server without HTTP has no use for it.
  const render = async (): ReturnType<ServerMetrics['render']> => {
    made ??= import('./prometheus.ts').then(({createMetrics}) => createMetrics(engine, all));
    made.catch(() => {
      made = null;
    });
    return (await made).render();
  };
  const metrics = {render};
  return {health, traffic, metrics};
}
