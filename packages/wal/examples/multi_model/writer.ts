/**
 * The process that gets killed: runs the operations from a number on, one after the other, and prints a line for each once
 * it is acknowledged: its number, and the surrogate where it got one. Run by `kill_run.ts`: directory, first number.
 */

import {MultiModelStore} from './store.ts';
import {type Operation, operationAt} from './workload.ts';

const [dir = '', first = '0'] = process.argv.slice(2);
const store = MultiModelStore.open(dir);

for (let n = Number(first); ; n++) {
  const surrogate = await run(operationAt(n));
  process.stdout.write(`${n} ${surrogate ?? ''}\n`);
}

async function run(operation: Operation): Promise<number | null> {
  const {kind, scope} = operation;
  if (kind === 'embed') return store.addVector(scope, operation.id, operation.vector);
  if (kind === 'order') await store.addOrder(scope, operation.id, operation.total);
  else if (kind === 'cancel') await store.cancelOrder(scope, operation.id);
  else await store.dropCollection(scope, operation.collection);
  return null;
}
