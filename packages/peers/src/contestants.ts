/**
 * Who is compared, and how each is loaded with so many commands outstanding. A run is a fresh directory, a fresh server,
 * the loop, and at the end what it holds against what its answers said, AllocDB as everybody else.
 *
 * Connections are chosen for the peer: as many as serve it best at that number.
 */
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {
  EngineSubject,
  engineHoldings,
  type Holdings,
  type LoadShape,
  serverHoldings,
  startDatabase,
} from '@allocdb/bench';
import {EmbeddedLoop} from './allocdb/embedded_loop.ts';
import {TcpLoop} from './allocdb/tcp_loop.ts';
import type {Peer} from './connection.ts';
import {type LoopRun, measureLoop, type RunTimes} from './measure.ts';
import {PeerLoop} from './peer_loop.ts';
import {PostgresPeer} from './postgres/postgres_server.ts';
import {RedisPeer} from './redis/redis_server.ts';
import {SqlitePeer} from './sqlite/sqlite_peer.ts';

/** Commands of a batched transaction of PostgreSQL. */
export const POSTGRES_BATCH = 64;
/** Commands on one connection to Redis; about as many as it reads in a turn. */
const REDIS_PIPELINE = 64;

/** A run and what it was of. */
export interface ContestantRun extends LoopRun {
  readonly shape: LoadShape;
  readonly about: string;
}

/** Something that takes the loop. */
export interface Contestant {
  readonly name: string;
  shapeOf(outstanding: number): LoadShape;
  /** Runs the loop on `dir`, which is not there yet and is gone afterwards. */
  run(dir: string, outstanding: number, times: RunTimes): Promise<ContestantRun>;
}

/** Also while a server that was ended at once is still going. */
function removeDirectory(dir: string): void {
  rmSync(dir, {recursive: true, force: true, maxRetries: 20, retryDelay: 50});
}

function oneConnection(outstanding: number): LoadShape {
  return {connections: 1, outstanding};
}

function connectionsOf(each: number): (outstanding: number) => LoadShape {
  return outstanding => ({connections: Math.ceil(outstanding / each), outstanding: Math.min(outstanding, each)});
}

/** AllocDB over TCP, as `allocdb serve`. */
export const ALLOCDB: Contestant = {
  name: 'AllocDB',
  shapeOf: oneConnection,
  async run(dir, outstanding, times) {
    try {
      const server = await startDatabase(dir, null);
      try {
        const shape = oneConnection(outstanding);
        const before = await serverHoldings(server.port);
        const loop = await TcpLoop.connect(server.port, shape);
        const run = await measureLoop(loop, times);
        await loop.close();
        compareHoldings(await serverHoldings(server.port), loop.expectedHoldings(before));
        await server.stop();
        return {...run, shape, about: 'AllocDB as allocdb serve, TCP'};
      } finally {
        server.kill();
      }
    } finally {
      removeDirectory(dir);
    }
  },
};

/** AllocDB in process. */
export const EMBEDDED: Contestant = {
  name: 'AllocDB embedded',
  shapeOf: oneConnection,
  async run(dir, outstanding, times) {
    try {
      const subject = await EngineSubject.open(dir);
      try {
        const before = await engineHoldings(subject.engine);
        const loop = new EmbeddedLoop(subject, outstanding);
        const run = await measureLoop(loop, times);
        compareHoldings(await engineHoldings(subject.engine), loop.expectedHoldings(before));
        return {...run, shape: oneConnection(outstanding), about: 'AllocDB in process'};
      } finally {
        await subject.close();
      }
    } finally {
      removeDirectory(dir);
    }
  },
};

function peer(
  name: string,
  shapeOf: (outstanding: number) => LoadShape,
  start: (dir: string) => Promise<Peer>,
): Contestant {
  return {
    name,
    shapeOf,
    async run(dir, outstanding, times) {
      try {
        const running = await start(dir);
        try {
          const run = await runPeer(running, shapeOf(outstanding), times);
          await running.stop();
          return {...run, about: running.about};
        } finally {
          running.kill();
        }
      } finally {
        removeDirectory(dir);
      }
    },
  };
}

/** Runs the loop against a peer that was prepared, and compares its holdings. Throws Error where they differ. */
export async function runPeer(running: Peer, shape: LoadShape, times: RunTimes): Promise<LoopRun & {shape: LoadShape}> {
  const before = await running.holdings();
  const loop = new PeerLoop(await running.connect(shape), shape);
  const run = await measureLoop(loop, times);
  await loop.close();
  compareHoldings(await running.holdings(), loop.expectedHoldings(before));
  return {...run, shape};
}

/** Throws Error where they differ. */
export function compareHoldings(actual: Holdings, expected: Holdings): void {
  for (const what of ['operations', 'reservations', 'held'] as const) {
    if (actual[what] === expected[what]) continue;
    throw new Error(`there are ${actual[what]} ${what}, and the answers make ${expected[what]}`);
  }
}

export const REDIS: Contestant = peer('Redis', connectionsOf(REDIS_PIPELINE), RedisPeer.start);

export const POSTGRES: Contestant = peer('PostgreSQL', connectionsOf(1), dir => PostgresPeer.start(dir, 'single'));

export const POSTGRES_BATCHED: Contestant = peer('PostgreSQL batched', connectionsOf(POSTGRES_BATCH), dir =>
  PostgresPeer.start(dir, 'batched'),
);

export const SQLITE: Contestant = peer('SQLite', oneConnection, dir => SqlitePeer.start(dir));

/** A directory for the next run, below one that exists. */
export function runDirectory(dir: string, contestant: Contestant): string {
  return join(dir, contestant.name.toLowerCase().replaceAll(' ', '-'));
}
