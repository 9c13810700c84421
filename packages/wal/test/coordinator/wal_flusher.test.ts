/**
 * The flusher over the log, on the simulated disk: what was reported durable is read back after power cuts and failed
 * calls, deltas are whole or absent, and a coordinator goes on where the log ends.
 */

import {expect, test, vi} from 'vitest';
import {
  DELTA_RECORD_TYPE,
  isCoordinatorError,
  isWalError,
  readDeltas,
  STATUS,
  type Ticket,
  type Wal,
  WalFlusher,
  type WalOptions,
  WriteCoordinator,
} from '../../src/index.ts';
import {type DiskFault, SimDisk} from '../../src/testing/index.ts';
import {SimRandom} from '../../src/testing/sim_random.ts';
import {errorOf as logErrorOf, openSmall} from '../support.ts';
import {errorOf, type Handle, type Ids, LIST, put, stateOf, turn, type View} from './support.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Opened {
  readonly wal: Wal;
  readonly coordinator: WriteCoordinator<{id: string}, string, View>;
  readonly main: Handle;
  /** What the log held, oldest first. */
  readonly found: string[];
  readonly nextEpoch: number;
}

function read(wal: Wal): {ids: string[]; ranges: [number, number][]} {
  const ids: string[] = [];
  const ranges: [number, number][] = [];
  for (const {epochs, records} of readDeltas(wal.read())) {
    ranges.push([epochs.start, epochs.end]);
    for (const {payload} of records) ids.push(decoder.decode(payload));
  }
  return {ids, ranges};
}

function open(disk: SimDisk, walOptions: Partial<WalOptions> = {}, flushBytes = 5): Opened {
  const wal = openSmall(disk, walOptions);
  const {ids, ranges} = read(wal);
  ranges.forEach(([start], index) => {
    if (index > 0) expect(start, 'ranges in the log follow each other').toBe(ranges[index - 1]?.[1]);
  });
  const nextEpoch = ranges.at(-1)?.[1] ?? 1;
  let written: Ids = ids;
  const flusher = new WalFlusher<Ids, Ids>({
    wal,
    encode: frozen => frozen.map(id => ({type: 1, payload: encoder.encode(id)})),
    snapshot: frozen => {
      written = [...written, ...frozen];
      return written;
    },
  });
  const coordinator = WriteCoordinator.start({
    ...{delta: LIST, flusher, context: {applied: ids.length}, snapshot: ids},
    ...{firstEpoch: nextEpoch, flushIntervalMs: null, flushBytes},
  });
  return {wal, coordinator, main: coordinator.handle(), found: ids, nextEpoch};
}

test('deltas are read back with their records and epochs, and a restart goes on behind them', async () => {
  const disk = new SimDisk();
  const first = open(disk);
  for (const id of ['a', 'b']) put(first.main, id);
  put(first.main, 'c', {refuse: 'no'});
  await first.main.flush();
  put(first.main, 'd', {refuse: 'no'});
  await first.coordinator.stop();
  await first.wal.close();

  const second = open(disk);
  expect(second).toMatchObject({found: ['a', 'b'], nextEpoch: 5});
  expect(await put(second.main, 'e').epoch()).toBe(5);
  await second.coordinator.stop();
  const deltas = [...readDeltas(second.wal.read())];
  expect(deltas.map(({epochs}) => epochs)).toEqual([
    {start: 1, end: 4},
    {start: 4, end: 5},
    {start: 5, end: 6},
  ]);
  expect(deltas.map(({records}) => records.map(({type, stamp}) => [type, stamp]))).toEqual([
    [
      [1, 1n],
      [1, 1n],
    ],
    [],
    [[1, 5n]],
  ]);
  await second.wal.close();
});

test('written is in memory only, durable is committed', async () => {
  const {wal, main} = open(new SimDisk());
  const ticket = put(main, 'a');
  await main.flush();
  expect(await ticket.wait('written')).toBe('a is number 1');
  expect([wal.openRecords, read(wal).ids]).toEqual([2, []]);
  await main.flush({storage: true});
  expect([wal.openRecords, read(wal).ids]).toEqual([0, ['a']]);
});

test('a frame without room for a delta is committed before it', async () => {
  const {wal, coordinator, main} = open(new SimDisk());
  const ids = ['a', 'b', 'c'].map(id => id.repeat(1500));
  for (const id of ids) {
    put(main, id);
    await main.flush();
  }
  expect(read(wal).ids).toEqual(ids.slice(0, 2));
  await coordinator.stop();
  expect(read(wal).ids).toEqual(ids);
});

test('a delta that no frame or record can take fails, and leaves nothing that is read as a delta', async () => {
  const disk = new SimDisk();
  for (const ids of [Array(4).fill('x'.repeat(1500)) as string[], ['small', 'x'.repeat(2500)]]) {
    const {wal, coordinator, main} = open(disk, {}, 1000);
    const ticket = put(main, 'before');
    await main.flush();
    for (const id of ids) put(main, id);
    const error = await errorOf(main.flush({storage: true}));
    expect(error.code).toBe('flush_failed');
    expect(isWalError(error.cause) && error.cause.code).toBe('too_large');
    expect(await ticket.wait('written')).toMatch('before');
    await coordinator.stop().catch(() => {});
    await wal.close();
  }
  const {wal, coordinator, main, found} = open(disk);
  expect(found).toEqual(['before', 'before']);
  put(main, 'after');
  await coordinator.stop();
  expect(read(wal).ids).toEqual(['before', 'before', 'after']);
});

/** A flusher of one record of 1000 bytes for each delta. */
function thousands(wal: Wal): WalFlusher<null, null> {
  return new WalFlusher({wal, encode: () => [{type: 1, payload: new Uint8Array(1000)}], snapshot: () => null});
}

test('others who keep refilling the frame make a delta wait, and not fail', async () => {
  const wal = openSmall(new SimDisk());
  const fill = (): void => {
    for (let i = 0; i < 2; i++) wal.appendRecord({type: 9, payload: new Uint8Array(1900)});
  };
  fill();
  let refills = 0;
  const busy = (async () => {
    for (; refills < 5; refills++) {
      await wal.commit();
      fill();
    }
  })();
  await thousands(wal).flushDelta(null, {start: 1, end: 2});
  expect([refills, wal.openRecords]).toEqual([5, 2]);
  await busy;
  await wal.close();
});

test('bytes that are not yet durable make a delta wait, also those of a frame frozen by hand', async () => {
  const wal = openSmall(new SimDisk(), {maxPendingBytes: 4096});
  for (let i = 0; i < 2; i++) wal.appendRecord({type: 9, payload: new Uint8Array(1900)});
  wal.freeze();
  await thousands(wal).flushDelta(null, {start: 1, end: 2});
  expect([wal.durableLsn, wal.openRecords]).toEqual([2n, 2]);
  await wal.close();
});

test('a refusal that no commit ends is not waited for', async () => {
  for (const status of [STATUS.FRAME_FULL, STATUS.PENDING_FULL]) {
    const wal = openSmall(new SimDisk());
    const room = vi.spyOn(wal, 'room').mockReturnValue(status);
    const code = status === STATUS.FRAME_FULL ? 'frame_full' : 'pending_full';
    await expect(thousands(wal).flushDelta(null, {start: 1, end: 2})).rejects.toMatchObject({code});
    room.mockRestore();
    await wal.close();
  }
});

test('reading goes on behind each delta, and passes over one that it begins inside of', async () => {
  const {wal, coordinator, main} = open(new SimDisk());
  for (const id of ['a', 'b', 'c']) put(main, id);
  await main.flush({storage: true});
  put(main, 'd', {refuse: 'no'});
  await main.flush();
  put(main, 'e');
  await coordinator.stop();
  const deltas = [...readDeltas(wal.read())];
  expect(deltas.map(({nextLsn}) => nextLsn)).toEqual([5n, 6n, 8n]);
  const rest = (from: bigint): unknown => [...readDeltas(wal.read(from))];
  expect(rest(1n)).toEqual(deltas);
  for (const from of [2n, 3n, 4n, 5n]) expect([from, rest(from)]).toEqual([from, deltas.slice(1)]);
  expect(rest(6n)).toEqual(deltas.slice(2));
  for (const from of [7n, 8n]) expect([from, rest(from)]).toEqual([from, []]);
});

test('records that are missing behind the place where reading began are corruption', () => {
  const closing = new Uint8Array(12).fill(2, 8, 9);
  for (const first of [DELTA_RECORD_TYPE, 1]) {
    const wal = openSmall(new SimDisk());
    for (const type of [1, 1]) wal.appendRecord({type, payload: new Uint8Array(1)});
    wal.appendRecord({type: first, payload: closing});
    if (first !== DELTA_RECORD_TYPE) wal.commitSync();
    wal.appendRecord({type: DELTA_RECORD_TYPE, payload: closing});
    wal.commitSync();
    expect(logErrorOf(() => [...readDeltas(wal.read(2n))])).toMatchObject({code: 'corruption', lsn: 4n});
    wal.abandon();
  }
});

test('the type of the closing record is not for records', async () => {
  const wal = openSmall(new SimDisk());
  const encode = () => [{type: 7, payload: new Uint8Array(1)}];
  const flusher = new WalFlusher<Ids, null>({wal, encode, snapshot: () => null, deltaType: 7});
  await expect(flusher.flushDelta([], {start: 1, end: 2})).rejects.toThrow(RangeError);
  expect(wal.openRecords).toBe(0);
});

test('records of others are passed over, also those in front of a delta in its frame', async () => {
  const {wal, coordinator, main} = open(new SimDisk());
  const other = {type: 9, payload: encoder.encode('other')};
  wal.appendRecord(other);
  put(main, 'a');
  await main.flush();
  wal.appendRecord(other);
  await coordinator.stop();
  expect(read(wal).ids).toEqual(['a']);
});

test('a closing record that contradicts its frame is corruption', () => {
  const oneRecord = new Uint8Array(12).fill(1, 8, 9);
  const payloads = [new Uint8Array(11), oneRecord, new Uint8Array(12).fill(255, 0, 8)];
  for (const payload of payloads) {
    const wal = openSmall(new SimDisk());
    wal.appendRecord({type: 1, payload: new Uint8Array(1)});
    wal.commitSync();
    wal.appendRecord({type: DELTA_RECORD_TYPE, payload, stamp: 1n});
    wal.commitSync();
    expect(logErrorOf(() => [...readDeltas(wal.read())])).toMatchObject({code: 'corruption', lsn: 2n});
    wal.abandon();
  }
});

interface History {
  /** Every id that was ever accepted, in epoch order within each life. */
  readonly durable: string[];
  readonly tickets: Ticket<string>[];
}

/** Writes and flushes at random until something fails, or a clean stop; notes what was reported durable. */
async function live(disk: SimDisk, history: History, random: SimRandom, life: string): Promise<void> {
  const {wal, coordinator, main, found} = open(disk, {commitMode: random.chance(0.5) ? 'inline' : 'async'});
  checkFound(found, history);
  const pending: Promise<unknown>[] = [];
  for (let index = 0; index < 25 && coordinator.failure === null; index++) {
    const id = `${life}.${index}`;
    const outcome = main.tryWrite({id: id + '.'.repeat(random.below(400))});
    if (outcome.accepted) {
      history.tickets.push(outcome.ticket);
      const note = outcome.ticket.wait('durable').then(() => history.durable.push(id));
      pending.push(note.catch(error => expect(isCoordinatorError(error)).toBe(true)));
    }
    if (random.chance(0.2)) pending.push(main.flush({storage: random.chance(0.5)}).catch(() => {}));
    if (random.chance(0.5)) await turn();
  }
  await coordinator.stop({drain: random.chance(0.5)}).catch(() => {});
  await Promise.all(pending);
  await wal.close().catch(error => {
    if (!isWalError(error)) throw error;
  });
}

/** What was reported durable is there, in order, and of each life there is a prefix of what it wrote. */
function checkFound(found: readonly string[], {durable}: History): void {
  const names = found.map(id => id.replace(/\.+$/, ''));
  const wanted = new Set(durable);
  expect(names.filter(name => wanted.has(name))).toEqual(durable);
  const counts = new Map<string, number>();
  for (const name of names) {
    const [life = '', index] = name.split('.');
    expect(Number(index)).toBe(counts.get(life) ?? 0);
    counts.set(life, Number(index) + 1);
  }
}

async function liveWithFault(disk: SimDisk, history: History, random: SimRandom, life: string): Promise<void> {
  try {
    await live(disk, history, random, life);
  } catch (error) {
    if (!isWalError(error)) throw error;
  }
  disk.arm(null);
  for (const state of await Promise.all(history.tickets.splice(0).map(ticket => stateOf(ticket.wait('durable'))))) {
    expect(state).not.toBe('pending');
  }
}

test('power cuts: what was reported durable is read back, over several lives', async () => {
  let cuts = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const random = new SimRandom(seed);
    const disk = new SimDisk({seed});
    const history: History = {durable: [], tickets: []};
    for (let life = 0; life < 4; life++) {
      disk.arm({call: 1 + random.below(60), kind: 'power_cut'});
      await liveWithFault(disk, history, random, `${life}`);
      if (disk.isDown) cuts++;
      disk.restart();
    }
    const last = open(disk);
    checkFound(last.found, history);
    last.wal.abandon();
  }
  expect(cuts).toBeGreaterThan(100);
});

const FAULTS: readonly Omit<DiskFault, 'call'>[] = [
  {kind: 'EIO'},
  {kind: 'EIO', forever: true},
  {kind: 'ENOSPC'},
  {kind: 'ENOSPC', forever: true},
  {kind: 'short', forever: true},
];

test.each(FAULTS)('$kind (forever: $forever) at every n-th call of the disk: every ticket settles', async fault => {
  const quiet = new SimDisk({seed: 1});
  await live(quiet, {durable: [], tickets: []}, new SimRandom(5), '0');
  for (let call = 1; call <= quiet.calls; call++) {
    const disk = new SimDisk({seed: 1});
    const history: History = {durable: [], tickets: []};
    disk.arm({...fault, call});
    await liveWithFault(disk, history, new SimRandom(5), '0');
    disk.restart();
    const again = open(disk);
    checkFound(again.found, history);
    again.wal.abandon();
  }
});
