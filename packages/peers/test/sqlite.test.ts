/**
 * SQLite for real, where its library has a binary: behaviour, and the loop for a second. Where it has none, which is so
 * after an ordinary installation, this is skipped; `pnpm test:full` installs it.
 */
import {afterAll, beforeAll, describe, test} from 'vitest';
import {loadSqlite} from '../src/sqlite/sqlite_library.ts';
import {SqlitePeer} from '../src/sqlite/sqlite_peer.ts';
import {describePeer, type Subject, tryLoop} from './behaviour.suite.ts';
import {type TestDirectory, testDirectory} from './directory.ts';

const isThere = (await loadSqlite()) !== null;

describe.skipIf(!isThere)('SQLite', () => {
  let [subject, directory]: [Subject | null, TestDirectory | null] = [null, null];
  const subjectOf = (): Subject => subject as Subject;

  beforeAll(async () => {
    directory = testDirectory();
    const peer = await SqlitePeer.start(`${directory.path}/sqlite`);
    subject = {peer, shape: {connections: 1, outstanding: 64}, connections: 1};
  });
  afterAll(async () => {
    await subject?.peer.stop();
    directory?.remove();
  });

  test('the loop: every answer as expected, every command recorded', () => tryLoop(subjectOf(), 1));
  describePeer(subjectOf, {takesOver: true});
});
