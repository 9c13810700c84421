/**
 * The two protocols, byte by byte: what is written, and that answers are read the same however they are cut.
 */

import type {Socket} from 'node:net';
import {PassThrough} from 'node:stream';
import {expect, test} from 'vitest';
import {OutBuffer} from '../src/out_buffer.ts';
import {
  arrayParameter,
  errorText,
  int8Parameter,
  nullParameter,
  OID,
  readMessages,
  readRow,
  uuidParameter,
  writeParse,
  writeRun,
  writeStartup,
} from '../src/postgres/messages.ts';
import {RedisError, type Reply, readReplies, writeCommand} from '../src/redis/resp.ts';
import {Reassembly} from '../src/socket.ts';

function written(write: (out: OutBuffer) => void): Buffer {
  const out = new OutBuffer();
  const sink = new PassThrough();
  write(out);
  out.sendTo(sink as unknown as Socket);
  expect(out.length).toBe(0);
  return (sink.read() as Buffer | null) ?? Buffer.alloc(0);
}

test('a command of Redis is an array of byte strings', () => {
  const bytes = written(out => writeCommand(out, ['SET', Buffer.from([0, 255]), '']));
  expect(bytes.toString('latin1')).toBe('*3\r\n$3\r\nSET\r\n$2\r\n\0\u00ff\r\n$0\r\n\r\n');
});

test('nothing is written for nothing, and more than the first buffer is written whole', () => {
  expect(written(() => undefined)).toHaveLength(0);
  const long = Buffer.alloc(100_000, 7);
  expect(written(out => out.raw(long)).equals(long)).toBe(true);
});

test('replies are read however they are cut', () => {
  const bytes = Buffer.from(
    '*2\r\n:1\r\n:1234567890123\r\n+OK\r\n$3\r\na\r\n\r\n$-1\r\n-ERR no\r\n:-5\r\n*0\r\n',
    'latin1',
  );
  const expected = [[1, 1_234_567_890_123], 'OK', 'a\r\n', null, new RedisError('ERR no'), -5, []];
  for (let cut = 1; cut <= bytes.length; cut++) {
    const replies: Reply[] = [];
    const input = new Reassembly();
    for (let at = 0; at < bytes.length; at += cut) {
      input.push(bytes.subarray(at, at + cut), rest => readReplies(rest, reply => replies.push(reply)));
    }
    expect(replies).toEqual(expected);
  }
  expect(() => readReplies(Buffer.from('!3\r\n'), () => undefined)).toThrow(/no reply/);
});

test('messages of PostgreSQL carry their length, the first one no type', () => {
  const startup = written(out => writeStartup(out, 'u', 'd'));
  expect(startup.toString('latin1')).toBe('\0\0\0\x1b\0\x03\0\0user\0u\0database\0d\0\0');
  const parse = written(out => writeParse(out, 'n', 'SELECT 1'));
  expect([parse.toString('latin1', 0, 1), parse.readInt32BE(1)]).toEqual(['P', parse.length - 1]);
});

test('a run is bind, execute and sync, parameters and results binary', () => {
  const id = Buffer.alloc(16, 3);
  const bytes = written(out =>
    writeRun(out, 'n', 3, () => {
      uuidParameter(out, id);
      int8Parameter(out, -2);
      nullParameter(out);
    }),
  );
  const types: string[] = [];
  expect(readMessages(bytes, type => types.push(String.fromCharCode(type)))).toBe(bytes.length);
  expect(types).toEqual(['B', 'E', 'S']);
  const parameters = `00000010${id.toString('hex')}00000008fffffffffffffffeffffffff`;
  expect(bytes.toString('hex')).toContain(`006e00000100010003${parameters}00010001`);
});

test('arrays say their type, their size and each element', () => {
  const bytes = written(out =>
    arrayParameter(out, OID.INT8, 2, i => (i === 0 ? int8Parameter(out, 2 ** 40) : nullParameter(out))),
  );
  expect(bytes.toString('hex')).toBe(
    '0000002400000001000000010000001400000002000000010000000800000100000000' + '00ffffffff',
  );
});

test('rows and errors are read', () => {
  const row = Buffer.from('0003000000040000000600000008000001000000000500000002ffff', 'hex');
  expect(readRow(row, 0)).toEqual([6, 2 ** 40 + 5, -1]);
  expect(readRow(Buffer.from('0001ffffffff', 'hex'), 0)).toEqual([0]);
  const error = Buffer.from('SERROR\0C23505\0Mduplicate key\0\0');
  expect(errorText(error, 0, error.length)).toBe('23505 duplicate key');
});
