/**
 * The file of everything that stands beside the database without being one: payloads are copied behind record headers
 * into one buffer, and one checksum, one write and one fdatasync make all of them durable. The file is filled with zeros
 * before and written round and round, so that no sync waits for blocks to be allocated.
 */
import {closeSync, openSync} from 'node:fs';
import {crc32c, FRAME_HEADER_BYTES, nodeFileIo, RECORD_HEADER_BYTES, writeFully} from '@allocdb/wal';
import {zeroFill} from './disk_probe.ts';

const FILE_BYTES: number = 64 << 20;
const FRAME_BYTES_MAX: number = 8 << 20;
/** What frames of the log are padded to. */
const BLOCK_BYTES = 512;

/** The open frame, and the file it goes to. */
export class BareFile {
  readonly #handle: number;
  readonly #bytes: Uint8Array = new Uint8Array(FRAME_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  #end: number = FRAME_HEADER_BYTES;
  #position: number = 0;

  constructor(path: string) {
    this.#handle = openSync(path, 'w');
    zeroFill(this.#handle, FILE_BYTES);
  }

  /** Copies a payload behind a record header, word by word as the log does. */
  append(source: DataView, from: number, length: number): void {
    const view = this.#view;
    let at = this.#end;
    if (at + RECORD_HEADER_BYTES + length > FRAME_BYTES_MAX) throw new RangeError('a turn fits one frame');
    view.setInt32(at, 1, true);
    view.setInt32(at + 4, length, true);
    view.setInt32(at + 8, 0, true);
    view.setInt32(at + 12, 0, true);
    at += RECORD_HEADER_BYTES;
    const whole = length & -4;
    let i = 0;
    for (; i < whole; i += 4) view.setInt32(at + i, source.getInt32(from + i, true), true);
    for (; i < length; i++) view.setUint8(at + i, source.getUint8(from + i));
    this.#end = at + length;
  }

  /** Everything appended is durable on return. */
  commit(): void {
    const frameBytes = (this.#end + BLOCK_BYTES - 1) & -BLOCK_BYTES;
    this.#bytes.fill(0, this.#end, frameBytes);
    const checksum = crc32c(this.#bytes, FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0);
    this.#view.setInt32(0, checksum, true);
    if (this.#position + frameBytes > FILE_BYTES) this.#position = 0;
    writeFully(nodeFileIo, this.#handle, this.#bytes, frameBytes, this.#position);
    nodeFileIo.datasync(this.#handle);
    this.#position += frameBytes;
    this.#end = FRAME_HEADER_BYTES;
  }

  close(): void {
    closeSync(this.#handle);
  }
}
