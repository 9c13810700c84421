/**
 * The bare loop beside the log: the same records behind the same headers, padded to the same blocks, copied into one
 * buffer; at the end of the turn one CRC-32C, one write and one fdatasync for all that wait, and one promise for all of
 * them. No lsns, no chain, no room reserved ahead, no segments: what is left when all that makes a log is taken away.
 *
 * The file is zero-filled before and written round and round, as long as the log's segments are; or it grows.
 */
import {closeSync, fdatasync, openSync, write} from 'node:fs';
import {crc32c, FRAME_HEADER_BYTES, nodeFileIo, RECORD_HEADER_BYTES, writeFully} from '@allocdb/wal';
import {zeroFill} from './disk_probe.ts';
import {type LogSubject, RECORD_BYTES, recordPayload} from './log_subject.ts';

const BLOCK_BYTES = 512;
const FRAME_BYTES_MAX: number = 4 << 20;

/** What a frame of so many records of the scenario takes on disk, in the log as in the bare loop. */
export function frameBytesOf(records: number): number {
  return padded(FRAME_HEADER_BYTES + records * (RECORD_HEADER_BYTES + RECORD_BYTES));
}

function padded(bytes: number): number {
  return (bytes + BLOCK_BYTES - 1) & -BLOCK_BYTES;
}

/** How a bare loop writes. */
export interface BareLogOptions {
  readonly path: string;
  /** Blocking, or on the thread pool. */
  readonly mode: 'inline' | 'async';
  /** Size of the zero-filled file; null for a file that grows. */
  readonly fileBytes: number | null;
}

/** One buffer and one file. */
export class BareLog implements LogSubject {
  readonly #handle: number;
  readonly #inline: boolean;
  readonly #fileBytes: number;
  readonly #bytes: Uint8Array = new Uint8Array(FRAME_BYTES_MAX);
  readonly #view: DataView = new DataView(this.#bytes.buffer);
  readonly #payload: DataView = new DataView(recordPayload().buffer);
  #end: number = FRAME_HEADER_BYTES;
  #records: number = 0;
  #position: number = 0;
  #inFlight: boolean = false;
  #shared: Promise<void> | null = null;
  durableWord: number = 0;

  constructor({path, mode, fileBytes}: BareLogOptions) {
    this.#inline = mode === 'inline';
    this.#fileBytes = fileBytes ?? Number.POSITIVE_INFINITY;
    this.#handle = openSync(path, 'wx');
    if (fileBytes !== null) zeroFill(this.#handle, fileBytes);
  }

  get durableRecords(): number {
    return this.durableWord;
  }

  /** Word by word, as the log copies short records. */
  append(): void {
    if (this.#inFlight) throw new Error('the bare loop has one buffer, and it is being written');
    const at = this.#end;
    const body = at + RECORD_HEADER_BYTES;
    if (body + RECORD_BYTES > FRAME_BYTES_MAX) throw new RangeError('the records of a turn fit one frame');
    const view = this.#view;
    view.setInt32(at, 1, true);
    view.setInt32(at + 4, RECORD_BYTES, true);
    view.setInt32(at + 8, 0, true);
    view.setInt32(at + 12, 0, true);
    const payload = this.#payload;
    for (let i = 0; i < RECORD_BYTES; i += 4) view.setInt32(body + i, payload.getInt32(i, true), true);
    this.#end = body + RECORD_BYTES;
    this.#records++;
  }

  commit(): Promise<void> {
    this.#shared ??= new Promise((resolve, reject) => {
      setImmediate(() => this.#write(resolve, reject));
    });
    return this.#shared;
  }

  close(): Promise<void> {
    closeSync(this.#handle);
    return Promise.resolve();
  }

  #write(resolve: () => void, reject: (error: unknown) => void): void {
    try {
      const frameBytes = this.#finish();
      if (this.#inline) {
        writeFully(nodeFileIo, this.#handle, this.#bytes, frameBytes, this.#position);
        nodeFileIo.datasync(this.#handle);
        this.#settle(frameBytes, resolve);
      } else {
        this.#inFlight = true;
        this.#writeOnPool(frameBytes, resolve, reject);
      }
    } catch (error) {
      reject(error);
    }
  }

  #writeOnPool(frameBytes: number, resolve: () => void, reject: (error: unknown) => void): void {
    write(this.#handle, this.#bytes, 0, frameBytes, this.#position, (error, count) => {
      if (error !== null) return reject(error);
      if (count !== frameBytes) return reject(new Error('the bare loop expects whole writes'));
      return fdatasync(this.#handle, syncError => {
        if (syncError !== null) return reject(syncError);
        this.#inFlight = false;
        return this.#settle(frameBytes, resolve);
      });
    });
  }

  #finish(): number {
    const frameBytes = padded(this.#end);
    this.#bytes.fill(0, this.#end, frameBytes);
    this.#view.setInt32(0, crc32c(this.#bytes, FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES, 0), true);
    if (this.#position + frameBytes > this.#fileBytes) this.#position = 0;
    return frameBytes;
  }

  #settle(frameBytes: number, resolve: () => void): void {
    this.#position += frameBytes;
    this.durableWord += this.#records;
    this.#records = 0;
    this.#end = FRAME_HEADER_BYTES;
    this.#shared = null;
    resolve();
  }
}
