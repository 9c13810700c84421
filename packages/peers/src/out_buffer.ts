/**
 * Bytes on their way to a socket: written one after the other, taken all at once. Every write makes room first, and what
 * was taken belongs to the socket: the next writes go to other memory.
 *
 * Not here: any protocol.
 */
import type {Socket} from 'node:net';

const FIRST_BYTES = 4096;

export class OutBuffer {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #end: number = 0;

  get length(): number {
    return this.#end;
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  latin1(text: string): void {
    const at = this.#take(text.length);
    this.#bytes.write(text, at, 'latin1');
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }

  i16(value: number): void {
    const at = this.#take(2);
    this.#bytes.writeInt16BE(value, at);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#bytes.writeInt32BE(value, at);
  }

  /** A whole number as 8 bytes, the sign too. */
  i64(value: number): void {
    const at = this.#take(8);
    this.#bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at);
    this.#bytes.writeInt32BE(value | 0, at + 4);
  }

  /** Writes at a place that was written before. */
  setI32(at: number, value: number): void {
    this.#bytes.writeInt32BE(value, at);
  }

  /** One write for all that is here; none for nothing. */
  sendTo(socket: Socket): void {
    if (this.#end === 0) return;
    socket.write(this.#bytes.subarray(0, this.#end));
    this.#bytes = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#end));
    this.#end = 0;
  }

  #take(count: number): number {
    const at = this.#end;
    this.#end = at + count;
    if (this.#end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(2 * this.#end);
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }
}
