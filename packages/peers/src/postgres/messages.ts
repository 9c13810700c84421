/**
 * The protocol of PostgreSQL as far as it is needed: prepared statements with binary parameters and results, and simple
 * queries. Messages are read off the front of a buffer, whole ones only.
 *
 * Our own because of the comparison: with a general client the same server answered a fifth fewer commands at 64
 * outstanding, since client and server share the machine.
 */
import type {OutBuffer} from '../out_buffer.ts';

/** Types of messages from the server that matter here. */
export const MESSAGE = {AUTHENTICATION: 82, DATA_ROW: 68, ERROR: 69, READY: 90} as const;

const PROTOCOL_VERSION = 196_608;
const BINARY = 1;

/** Types of array elements. */
export const OID = {INT2: 21, INT8: 20, UUID: 2950} as const;

/** Told a message: its type, and where its content is. */
export type MessageHandler = (type: number, bytes: Buffer, at: number, end: number) => void;

/** Reads the whole messages at the front of `bytes`, and answers how many bytes those were. */
export function readMessages(bytes: Buffer, onMessage: MessageHandler): number {
  let at = 0;
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end > bytes.length) break;
    onMessage(bytes.readUInt8(at), bytes, at + 5, end);
    at = end;
  }
  return at;
}

/** What an error message says: its code and text. */
export function errorText(bytes: Buffer, at: number, end: number): string {
  const fields = new Map(
    bytes
      .toString('utf8', at, end)
      .split('\0')
      .map(field => [field.slice(0, 1), field.slice(1)] as const),
  );
  return `${fields.get('C') ?? '?'} ${fields.get('M') ?? '?'}`;
}

/** Writes one message, whose content `write` writes. */
function message(out: OutBuffer, type: string, write: () => void): void {
  out.latin1(type);
  const at = out.length;
  out.i32(0);
  write();
  out.setI32(at, out.length - at);
}

function text(out: OutBuffer, value: string): void {
  out.latin1(value);
  out.u8(0);
}

export function writeStartup(out: OutBuffer, user: string, database: string): void {
  message(out, '', () => {
    out.i32(PROTOCOL_VERSION);
    for (const word of ['user', user, 'database', database]) text(out, word);
    out.u8(0);
  });
}

export function writeTerminate(out: OutBuffer): void {
  message(out, 'X', () => undefined);
}

export function writeQuery(out: OutBuffer, sql: string): void {
  message(out, 'Q', () => text(out, sql));
}

/** Writes the preparation of a statement under a name. */
export function writeParse(out: OutBuffer, name: string, sql: string): void {
  message(out, 'P', () => {
    text(out, name);
    text(out, sql);
    out.i16(0);
  });
}

export function writeSync(out: OutBuffer): void {
  message(out, 'S', () => undefined);
}

/** Writes a run of a prepared statement, a transaction of its own; `write` writes so many parameters. */
export function writeRun(out: OutBuffer, name: string, parameters: number, write: () => void): void {
  message(out, 'B', () => {
    text(out, '');
    text(out, name);
    out.i16(1);
    out.i16(BINARY);
    out.i16(parameters);
    write();
    out.i16(1);
    out.i16(BINARY);
  });
  message(out, 'E', () => {
    text(out, '');
    out.i32(0);
  });
  writeSync(out);
}

export function uuidParameter(out: OutBuffer, id: Buffer): void {
  out.i32(16);
  out.raw(id);
}

export function int8Parameter(out: OutBuffer, value: number): void {
  out.i32(8);
  out.i64(value);
}

export function nullParameter(out: OutBuffer): void {
  out.i32(-1);
}

/** An array of so many elements, each written by `write` as a parameter is. */
export function arrayParameter(out: OutBuffer, oid: number, count: number, write: (index: number) => void): void {
  const at = out.length;
  out.i32(0);
  out.i32(1);
  out.i32(1);
  out.i32(oid);
  out.i32(count);
  out.i32(1);
  for (let i = 0; i < count; i++) write(i);
  out.setI32(at, out.length - at - 4);
}

/** Reads the fields of a row, binary whole numbers; a null is 0. */
export function readRow(bytes: Buffer, at: number): number[] {
  const fields: number[] = [];
  let next = at + 2;
  for (let i = bytes.readInt16BE(at); i > 0; i--) {
    const length = bytes.readInt32BE(next);
    next += 4;
    if (length < 0) fields.push(0);
    else if (length === 8) fields.push(bytes.readInt32BE(next) * 0x1_0000_0000 + bytes.readUInt32BE(next + 4));
    else fields.push(bytes.readIntBE(next, length));
    next += Math.max(0, length);
  }
  return fields;
}
