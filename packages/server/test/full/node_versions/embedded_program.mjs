// A program with the embedded database as it is built, run under each version of Node: the log's checksums are a native
// module, and the directory's lock and syncs are the system's. Argument: the directory, which is new. It is left open for
// the test to look at, closed, and opened once more.
import assert from 'node:assert/strict';
import {holderIdFrom, resourceIdFrom} from '@allocdb/api';
import {openDb} from '@allocdb/node';
import {converse} from './conversation.mjs';
import {errorOf, say, scopes} from './said.mjs';

const [dir] = process.argv.slice(2);
const {within, syntax} = await scopes();
const limits = {maxResources: 100, maxReservations: 100, maxOperations: 1_000, maxTtlSlots: 2_000};
const ids = ['a', 'b', 'c'].map(name => resourceIdFrom(name));

const last = await within(
  () => openDb({dir, limits}),
  async db => {
    say('connected', {version: process.version, syntax, module: import.meta.resolve('@allocdb/node')});
    await converse(db, {ids, holder: holderIdFrom('somebody'), within});
    assert.equal((await errorOf(openDb({dir, limits}))).code, 'locked');
    return db.lastLsn;
  },
);
await within(
  () => openDb({dir}),
  async db => {
    const kinds = [];
    for await (const {kind, lsn} of db.changes({from: 1n})) {
      kinds.push(kind);
      if (lsn === last) break;
    }
    assert.equal(kinds.length, Number(last));
    say('opened again', {lsn: String(last)});
  },
);
