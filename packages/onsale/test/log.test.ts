import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {STATUS, Wal} from '@allocdb/wal';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {decodeRecord, sameCommand} from '../src/audit/log_command.ts';
import {LogSource} from '../src/audit/log_source.ts';
import {lookFrame, submitFrame} from '../src/buyers/frames.ts';
import {bytesOfId, idAt, idOfBigint} from '../src/id_bytes.ts';
import {type CommandFacts, type LedgerEntry, LedgerWriter, nowUs, readLedger} from '../src/ledger.ts';

const NOTHING = {seats: [], holder: null, lease: null, ttl: null, epoch: null} as const;
const OPERATION = '00112233445566778899aabbccddeeff';
const CLIENT = 'c0000000000000000000000000000001';
const SEAT = 'a000000000000000000000000000000b';
const OTHER = 'b000000000000000000000000000000c';
const HOLDER = '11000000000000000000000000000022';
const LEASE = '00000000000000070000000000000042';
const SUBMIT_HEADER_BYTES = 13;

const COMMANDS: readonly CommandFacts[] = [
  {...NOTHING, kind: 'create_resource', seats: [SEAT]},
  {...NOTHING, kind: 'reserve', seats: [SEAT], holder: HOLDER, ttl: 60},
  {...NOTHING, kind: 'reserve_bundle', seats: [SEAT, OTHER], holder: HOLDER, ttl: 2400},
  {...NOTHING, kind: 'confirm', lease: LEASE, holder: HOLDER},
  {...NOTHING, kind: 'confirm_fenced', lease: LEASE, holder: HOLDER, epoch: 1},
  {...NOTHING, kind: 'release', lease: LEASE, holder: HOLDER},
  {...NOTHING, kind: 'release_fenced', lease: LEASE, holder: HOLDER, epoch: 2},
];

function payloadOf(command: CommandFacts): Uint8Array {
  return submitFrame(OPERATION, CLIENT, command).subarray(SUBMIT_HEADER_BYTES);
}

describe('commands', () => {
  it.each(COMMANDS)('$kind is decoded as it was sent, whole and in no shorter form', command => {
    const payload = payloadOf(command);
    expect(decodeRecord(1, payload)).toEqual({type: 'command', operation: OPERATION, command});
    for (let bytes = 0; bytes < payload.length; bytes++) {
      expect(decodeRecord(1, payload.subarray(0, bytes)).type).toBe('unknown');
    }
    expect(decodeRecord(1, Buffer.concat([payload, Buffer.from([0])])).type).toBe('unknown');
  });

  it('have the documented layout', () => {
    const le = (id: string): string => Buffer.from(id, 'hex').reverse().toString('hex');
    const [, , bundle] = COMMANDS;
    const frame = submitFrame(OPERATION, CLIENT, bundle as CommandFacts);
    const payload = [le(OPERATION), le(CLIENT), '10', le(HOLDER), '6009000000000000', '0200', le(SEAT), le(OTHER)].join(
      '',
    );
    expect(Buffer.from(frame).toString('hex')).toBe(`0100000000000000005b000000${payload}`);
    expect(Buffer.from(lookFrame(SEAT)).toString('hex')).toBe(`0200${le(SEAT)}`);
  });

  it('are the same only when every field is', () => {
    for (const [i, one] of COMMANDS.entries()) {
      for (const [j, other] of COMMANDS.entries()) expect(sameCommand(one, other)).toBe(i === j);
    }
    const [, reserve] = COMMANDS;
    expect(sameCommand(reserve as CommandFacts, {...(reserve as CommandFacts), ttl: 61})).toBe(false);
  });

  it('are told from expirations and from noise', () => {
    const expire = new Uint8Array(25);
    expire[0] = 5;
    expire.set(bytesOfId(LEASE), 1);
    expire[17] = 60;
    expect(decodeRecord(2, expire)).toEqual({type: 'expire', lease: LEASE, deadline: 60});
    expect(decodeRecord(2, expire.subarray(0, 24)).type).toBe('unknown');
    expect(decodeRecord(2, new Uint8Array(25)).type).toBe('unknown');
    expect(decodeRecord(3, expire)).toEqual({type: 'unknown', why: 'a record of type 3'});
    expect(decodeRecord(1, expire).type).toBe('unknown');
  });

  it('carry ids that read the same in every form', () => {
    expect(idAt(bytesOfId(OPERATION), 0)).toBe(OPERATION);
    expect(idOfBigint(BigInt(`0x${LEASE}`))).toBe(LEASE);
  });
});

describe('files', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'onsale-test-'));
  });
  afterEach(() => rmSync(dir, {recursive: true, force: true}));

  async function write(payloads: readonly Uint8Array[], slot: number): Promise<void> {
    const wal = Wal.open({dir, segmentBytes: 1 << 20});
    for (const payload of payloads) expect(wal.append(1, 1, slot, 0, payload, 0, payload.length)).toBe(STATUS.OK);
    wal.commitSync();
    await wal.close();
  }

  it('a log is read on from where it was, with one hash over all of it', async () => {
    await write(COMMANDS.slice(0, 3).map(payloadOf), 7);
    const source = new LogSource(dir);
    expect([...source.read()].map(({lsn, slot}) => [lsn, slot])).toEqual([
      [1, 7],
      [2, 7],
      [3, 7],
    ]);
    const early = source.digest();
    expect([...source.read()]).toEqual([]);
    expect(source.digest()).toBe(early);

    await write(COMMANDS.slice(3).map(payloadOf), 9);
    const rest = [...source.read()];
    expect(rest.map(({lsn}) => lsn)).toEqual([4, 5, 6, 7]);
    expect(rest[0]).toEqual({lsn: 4, slot: 9, content: decodeRecord(1, payloadOf(COMMANDS[3] as CommandFacts))});
    const whole = new LogSource(dir);
    whole.advance();
    expect([whole.lastLsn, whole.digest()]).toEqual([7, source.digest()]);
    expect(whole.digest()).not.toBe(early);
  });

  it('a ledger is read back as it was written; other lines are told apart', async () => {
    const times = {life: 0, sentUs: nowUs(), receivedUs: nowUs(), sends: 1};
    const [command] = COMMANDS;
    const entries: LedgerEntry[] = [
      {
        entry: 'answer',
        ...times,
        operation: OPERATION,
        command: command as CommandFacts,
        result: 'ok',
        lsn: 1,
        granted: null,
        deadline: null,
        cached: false,
      },
      {entry: 'look', ...times, seat: SEAT, state: 'available', lease: null, version: 0},
      {entry: 'lost', life: 1, operation: null},
      {entry: 'rejected', ...times, operation: OPERATION, failure: 'overloaded'},
    ];
    const path = join(dir, 'ledger.jsonl');
    const writer = new LedgerWriter(path);
    for (const entry of entries) writer.add(entry);
    writer.add({entry: 'other'} as unknown as LedgerEntry);
    writer.add({...entries[0], lsn: '1'} as unknown as LedgerEntry);
    writer.close();
    const lines = [...readLedger(path, 'ledger.jsonl')];
    expect(lines.map(({entry}) => entry)).toEqual([...entries, null, null]);
    expect(lines.map(({place}) => place).at(-1)).toBe('ledger.jsonl:6');
  });
});
