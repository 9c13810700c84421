/**
 * What the store is told to do, and what it must hold afterwards: operation n is the same in every process, so a parent can
 * say what a child that was killed must have left behind.
 */

import type {DataScope, State} from './store.ts';

/** One thing a client asks for. */
export type Operation =
  | {readonly kind: 'order'; readonly scope: DataScope; readonly id: string; readonly total: number}
  | {readonly kind: 'cancel'; readonly scope: DataScope; readonly id: string}
  | {readonly kind: 'embed'; readonly scope: DataScope; readonly id: string; readonly vector: readonly number[]}
  | {readonly kind: 'drop'; readonly scope: DataScope; readonly collection: string};

const TENANTS = [10n, 20n, 30n];
const DATABASES = [1n, 2n];

/** The n-th operation, from 0. Every fifth order is cancelled, and now and then a tenant's images are dropped. */
export function operationAt(n: number): Operation {
  const tenant = TENANTS[n % TENANTS.length] as bigint;
  const database = DATABASES[n % DATABASES.length] as bigint;
  const scope = {tenant, database};
  if (n % 50 === 49) return {kind: 'drop', scope, collection: 'images'};
  if (n % 5 === 4) return {kind: 'embed', scope, id: `image-${n}`, vector: [n, n / 2, -n]};
  if (n % 30 === 18) return {kind: 'cancel', scope, id: `order-${n - 18}`};
  return {kind: 'order', scope, id: `order-${n}`, total: n * 100};
}

/** The state after the first `count` operations, without surrogates: those differ from run to run. */
export function stateAfter(count: number): State {
  const state: State = {};
  for (let n = 0; n < count; n++) {
    const operation = operationAt(n);
    const {tenant, database} = operation.scope;
    const set = (collection: string, id: string, value: unknown): void => {
      state[`${tenant}/${database}/${collection}/${id}`] = value;
    };
    const totals = `${tenant}/${database}/totals/all`;
    if (operation.kind === 'order') {
      set('orders', operation.id, {total: operation.total});
      const {orders} = (state[totals] ?? {orders: 0}) as {orders: number};
      state[totals] = {orders: orders + 1};
    } else if (operation.kind === 'cancel') delete state[`${tenant}/${database}/orders/${operation.id}`];
    else if (operation.kind === 'embed') set('images', operation.id, operation.vector);
    else {
      const prefix = `${tenant}/${database}/${operation.collection}/`;
      for (const key of Object.keys(state)) if (key.startsWith(prefix)) delete state[key];
    }
  }
  return state;
}
