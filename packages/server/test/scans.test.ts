/**
 * The suite of scans (scans.suite.ts) on both ways to a database: embedded in this process, and through a client and a
 * server over TCP. And what a server owes others while one asks for many pages.
 */
import {type Database, decodeResponse, REQUEST} from '@allocdb/api';
import {connect} from '@allocdb/client';
import {configOfLimits, openDb} from '@allocdb/node';
import {describe, expect, test} from 'vitest';
import {cleanUp, tempDir} from './command.ts';
import {startServer, stopServers} from './in_process.ts';
import {Peer} from './peer.ts';
import {create, GET_METRICS, repeated, reserve} from './requests.ts';
import {runScanSuite, SCAN_LIMITS} from './scans.suite.ts';

const SEGMENT_BYTES = 4 << 20;
const SLOT_MS = 1000;

describe('an embedded database', () => {
  const opened: Database[] = [];
  const open = async (): Promise<Database> => {
    const db = await openDb({
      dir: tempDir(),
      limits: SCAN_LIMITS,
      slotMs: SLOT_MS,
      engine: {segmentBytes: SEGMENT_BYTES},
    });
    opened.push(db);
    return db;
  };
  runScanSuite('in process', open, async () => {
    for (const db of opened.splice(0)) await db.close();
    await cleanUp();
  });
});

describe('a server', () => {
  const opened: Database[] = [];
  const open = async (): Promise<Database> => {
    const config = configOfLimits(SCAN_LIMITS, SLOT_MS);
    const {port} = await startServer({config, slotDurationMs: SLOT_MS, segmentBytes: SEGMENT_BYTES});
    const db = await connect(`allocdb://127.0.0.1:${port}`);
    opened.push(db);
    return db;
  };

  test('takes one page of a connection at a time: others are served between them', async () => {
    const {server, port} = await startServer();
    const [greedy, modest] = await Promise.all([Peer.open(port), Peer.open(port)]);
    const {engine} = server;
    const taken: number[] = [];
    const submitBytes = engine.submitBytes.bind(engine);
    engine.submitBytes = (view, bytes, offset, length, answers) => {
      taken.push(view.getUint8(offset));
      return submitBytes(view, bytes, offset, length, answers);
    };
    const page = {type: 'scan_resources', requiredLsn: null, state: 'revoking', position: 0n, limit: 0} as const;
    const count = 3000;
    // They lie in one chunk of the server's socket; the first answer says that it was read.
    greedy.socket.write(repeated(page, count));
    await greedy.take(1);
    await modest.ask(GET_METRICS);
    expect(taken.indexOf(REQUEST.GET_METRICS)).toBeLessThan(count / 2);
    const pages = await greedy.take(count - 1);
    expect(new Set(pages.map(frame => decodeResponse(frame).type))).toEqual(new Set(['resources_page']));
    expect(taken.filter(tag => tag === REQUEST.SCAN_RESOURCES)).toHaveLength(count);
    await Promise.all([greedy.close(), modest.close()]);
  });

  test('answers what is pipelined behind a page, in order', async () => {
    const {port} = await startServer();
    const peer = await Peer.open(port);
    const resources = {type: 'scan_resources', requiredLsn: null, state: null, position: 0n, limit: 0} as const;
    const page = {...resources, type: 'scan_reservations', currentSlot: 0n, holderId: null} as const;
    const answers = await peer.ask(create(1n), resources, create(2n), reserve(3n, 2n), page, resources, GET_METRICS);
    expect(answers.map(({type}) => type)).toEqual([
      'submit_committed',
      'resources_page',
      'submit_committed',
      'submit_committed',
      'reservations_page',
      'resources_page',
      'metrics',
    ]);
    expect(answers).toMatchObject([
      {},
      {lastAppliedLsn: 1n, resources: [{resourceId: 1n}]},
      {appliedLsn: 2n},
      {appliedLsn: 3n},
      {lastAppliedLsn: 3n, leases: [{resourceIds: [2n]}]},
      {resources: [{resourceId: 1n}, {resourceId: 2n, state: 'reserved'}]},
      {},
    ]);
    await peer.close();
  });

  runScanSuite('over TCP', open, async () => {
    for (const db of opened.splice(0)) await db.close();
    await stopServers();
    await cleanUp();
  });
});
