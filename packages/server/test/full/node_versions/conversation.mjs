// What every database of AllocDB answers, whether behind a connection or in this process: commands, a retry, a bundle, a
// batch, pages, and the changes of all that. Used by both programs; `db` is open and empty, and its handle the only one.
import assert from 'node:assert/strict';
import {errorOf, say} from './said.mjs';

/** Talks with `db` about things with these ids; `within` is the end of a scope. Leaves all of them free. */
export async function converse(db, {ids, holder, within}) {
  const [first, second, third] = ids;
  for (const resource of ids) assert.equal((await db.createResource({resource})).result, 'created');
  say('commands');

  const operationId = db.newOperationId();
  const input = {resource: first, holder, ttlSlots: 1_000, operationId};
  const granted = await db.reserve(input);
  const again = await db.reserve(input);
  assert.equal(granted.result, 'reserved');
  assert.deepEqual(again, {...granted, fromRetryCache: true});
  assert.equal((await db.reserve({...input, resource: second})).result, 'operation_conflict');
  say('retry');

  const bundle = await db.reserveBundle({resources: [second, third], holder, ttlSlots: 1_000});
  assert.deepEqual([bundle.result, bundle.lease.resources], ['reserved', [second, third]]);
  assert.equal((await db.reserve({resource: third, holder, ttlSlots: 1})).result, 'resource_busy');
  const reservation = bundle.lease.id;
  assert.equal((await db.confirm({reservation, holder, epoch: bundle.lease.epoch})).result, 'confirmed');
  assert.equal((await db.getLease(reservation)).lease.state, 'confirmed');
  assert.equal((await db.release({reservation, holder})).result, 'released');
  say('bundle');

  const answers = await db.batch([
    {command: 'release', reservation: granted.lease.id, holder},
    {command: 'create_resource', resource: first},
  ]);
  assert.deepEqual(
    answers.map(({result}) => result),
    ['released', 'already_exists'],
  );
  const seen = [];
  for await (const {id, state} of db.resources()) seen.push([id, state]);
  assert.deepEqual(
    seen,
    ids.map(id => [id, 'available']),
  );
  say('batch and pages');

  await readChanges(db, within);
  await signals(db, first);
}

async function readChanges(db, within) {
  const last = db.lastLsn;
  const lsns = [];
  for await (const {lsn} of db.changes({from: 1n})) {
    lsns.push(lsn);
    if (lsn === last) break;
  }
  assert.deepEqual(
    lsns,
    Array.from({length: Number(last)}, (_, i) => BigInt(i + 1)),
  );
  // One that waits for what does not come, left by hand, by the end of a scope, and by a signal.
  const feed = db.changes({from: last + 1n});
  const step = feed.next();
  await feed.return();
  assert.deepEqual(await step, {value: undefined, done: true});
  let left = null;
  await within(
    async () => db.changes({from: last + 1n}),
    async scoped => {
      left = scoped.next();
    },
  );
  assert.deepEqual(await left, {value: undefined, done: true});
  const controller = new AbortController();
  const aborted = errorOf(db.changes({from: last + 1n, signal: controller.signal}).next());
  const reason = new Error('enough');
  controller.abort(reason);
  assert.equal(await aborted, reason);
  say('changes');
}

async function signals(db, resource) {
  const error = await errorOf(db.getResource(resource, {signal: AbortSignal.abort(new Error('enough'))}));
  assert.deepEqual([error.code, error.failure.certainty], ['aborted', 'definite']);
  const {signal} = new AbortController();
  const warnings = [];
  const onWarning = warning => warnings.push(warning.name);
  process.on('warning', onWarning);
  await Promise.all(Array.from({length: 30}, () => db.getResource(resource, {signal})));
  await new Promise(resolve => setImmediate(resolve));
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  say('signals');
}
