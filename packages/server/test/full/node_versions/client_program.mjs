// A program with the client as it is built, run under each version of Node against a server of another one. Arguments: the
// server's address, and where it is by TLS the file of the certificate that is trusted. Each step tells the test that it
// went well; on the way the server is killed and started again under the program's hands.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {connect, isAllocDbError, newHolderId, resourceIdFrom} from '@allocdb/client';
import {converse} from './conversation.mjs';
import {ask, errorOf, hangUp, say, scopes} from './said.mjs';

const [url, caFile] = process.argv.slice(2);
const {within, syntax} = await scopes();
const tls = caFile === undefined ? {} : {tls: {ca: readFileSync(caFile)}};
// No machine is too slow: what ends a step is its answer, or the test.
const db = await connect(url, {...tls, retry: {budgetMs: 300_000, maxBackoffMs: 200}});
say('connected', {version: process.version, syntax, module: import.meta.resolve('@allocdb/client')});

const holder = newHolderId();
const ids = ['a', 'b', 'c'].map(name => resourceIdFrom(name));
await converse(db, {ids, holder, within});
await leases();
await loss();

// A call that nobody has answered when the client is closed, and then nothing is left that keeps the process going.
await ask('kill the server');
const pending = errorOf(db.createResource({resource: resourceIdFrom('never')}));
await db.close();
const closed = await pending;
assert.ok(isAllocDbError(closed), String(closed));
assert.equal(closed.code, 'closed');
say('closed');
hangUp();

async function leases() {
  const acquire = () => db.acquire({resources: ids.slice(0, 2), holder, ttlSlots: 1_000});
  let given;
  await within(acquire, async lease => {
    given = lease;
    assert.equal(lease.signal.aborted, false);
    assert.equal(lease.fence, lease.id);
    assert.equal(await acquire(), null);
  });
  assert.equal(given.signal.reason.code, 'lease_lost');
  await within(acquire, async lease => {
    assert.ok(lease.fence > given.fence);
    assert.equal((await lease.confirm()).result, 'confirmed');
    given = lease;
  });
  assert.equal(given.signal.aborted, false);
  assert.equal((await db.getLease(given.id)).lease.state, 'confirmed');
  assert.equal((await given.release()).result, 'released');
  const {signal} = await db.acquire({resources: ids, holder, ttlSlots: 3});
  await new Promise(resolve => signal.addEventListener('abort', resolve));
  assert.equal(signal.reason.code, 'lease_lost');
  say('leases');
}

/** Calls and a feed over a server that is killed and comes back: each is answered once, and nothing is told twice. */
async function loss() {
  const from = db.lastLsn + 1n;
  const told = [];
  const feed = db.changes({from});
  const reading = (async () => {
    for await (const change of feed) if (change.kind === 'create_resource') told.push(change.operation);
  })();
  const operations = [];
  const create = async () => {
    const answer = await db.createResource({resource: resourceIdFrom(`thing ${operations.length}`)});
    assert.equal(answer.result, 'created');
    operations.push(answer.operation);
  };
  for (let i = 0; i < 20; i++) await create();
  const killed = ask('kill the server and start it again');
  let isOver = false;
  void killed.then(() => {
    isOver = true;
  });
  while (!isOver || db.status.reconnects === 0) await create();
  await create();
  while (told.length < operations.length) await new Promise(resolve => setTimeout(resolve, 5));
  await feed.return();
  await reading;
  assert.deepEqual(told, operations);
  say('loss', {reconnects: db.status.reconnects, calls: operations.length});
}
