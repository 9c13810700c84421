/**
 * Redis and PostgreSQL for real, single and batched, each as a server of its own: behaviour, and the loop for a moment.
 * Skipped, and said so, where a server is not installed; `pnpm test:full` installs them before. And that a server which has
 * our port before us is left as it is.
 */
import {existsSync} from 'node:fs';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';
import {askOnce} from '../../src/ask.ts';
import {PEER_NAMES} from '../../src/comparison.ts';
import type {Peer, PeerConnection} from '../../src/connection.ts';
import {absenceText, isInstalled} from '../../src/installed.ts';
import {findPostgres, PostgresPeer} from '../../src/postgres/postgres_server.ts';
import {findRedis, RedisPeer} from '../../src/redis/redis_server.ts';
import {resourceId} from '../../src/setup.ts';
import {describePeer, reserve, type Subject, tryLoop} from '../behaviour.suite.ts';
import {type TestDirectory, testDirectory} from '../directory.ts';

for (const name of PEER_NAMES) if (!(await isInstalled(name))) console.warn(`SKIPPED: ${absenceText(name)}`);

/** Another server on the port of one that runs ends by itself, and the one that runs is as it was. */
async function keepsToItself(
  {peer}: Subject,
  port: number,
  start: (dir: string, port: number) => Promise<Peer>,
): Promise<void> {
  const directory = testDirectory();
  const before = await peer.holdings();
  try {
    await expect(start(`${directory.path}/second`, port)).rejects.toThrow(/ended: it said[\s\S]*in use/i);
  } finally {
    directory.remove();
  }
  expect(await peer.holdings()).toEqual(before);
}

/** Registers the tests of a server that `start` starts; answers where they find it. */
function describeServer(
  start: (dir: string) => Promise<Peer>,
  {takesOver, ...about}: Omit<Subject, 'peer'> & {readonly takesOver: boolean},
): () => Subject {
  let [subject, directory]: [Subject | null, TestDirectory | null] = [null, null];
  const subjectOf = (): Subject => subject as Subject;

  beforeAll(async () => {
    directory = testDirectory();
    subject = {...about, peer: await start(`${directory.path}/server`)};
  });
  afterAll(async () => {
    try {
      await subject?.peer.stop();
    } finally {
      subject?.peer.kill();
      directory?.remove();
    }
    expect(existsSync(directory?.path ?? '')).toBe(false);
  });

  test('the loop: every answer as expected, every command recorded', () => tryLoop(subjectOf(), 1));
  describePeer(subjectOf, {takesOver});
  return subjectOf;
}

describe.skipIf(findRedis() === null)('Redis', () => {
  const subjectOf = describeServer(dir => RedisPeer.start(dir), {
    shape: {connections: 2, outstanding: 32},
    connections: 2,
    takesOver: true,
  });

  test('a server that is not ours is not touched', () =>
    keepsToItself(subjectOf(), (subjectOf().peer as RedisPeer).port, RedisPeer.start));
});

describe.skipIf(findPostgres() === null)('PostgreSQL', () => {
  const subjectOf = describeServer(dir => PostgresPeer.start(dir, 'single'), {
    shape: {connections: 16, outstanding: 1},
    connections: 2,
    takesOver: true,
  });

  test('a server that is not ours is not touched', () =>
    keepsToItself(subjectOf(), (subjectOf().peer as PostgresPeer).port, (dir, port) =>
      PostgresPeer.start(dir, 'single', port),
    ));

  test('one operation sent by two at the same time is done once; whoever failed repeats it and gets the answer', async () => {
    const {peer} = subjectOf();
    const open = await peer.connect({connections: 2, outstanding: 1});
    const before = await peer.holdings();
    for (let i = 0; i < 20; i++) {
      const command = reserve(resourceId(90_000 + i));
      const asked = await Promise.allSettled(open.map(connection => askOnce(connection, command)));
      const answers = asked.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
      for (const each of asked) if (each.status === 'rejected') expect(String(each.reason)).toMatch(/23505/);
      expect(answers.length).toBeGreaterThan(0);
      for (const answer of answers) expect(answer).toEqual(answers[0]);
    }
    for (const connection of open) await connection.close();
    const [again] = await peer.connect({connections: 1, outstanding: 1});
    expect((await peer.holdings()).operations - before.operations).toBe(20);
    expect((await peer.holdings()).reservations - before.reservations).toBe(20);
    await (again as PeerConnection).close();
  });
});

describe.skipIf(findPostgres() === null)('PostgreSQL, batched', () => {
  describeServer(dir => PostgresPeer.start(dir, 'batched'), {
    shape: {connections: 2, outstanding: 64},
    connections: 2,
    takesOver: false,
  });
});
