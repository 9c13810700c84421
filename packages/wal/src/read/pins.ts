/**
 * Who still needs which part of the log: readers and archivers pin it, and truncation stops short of them.
 *
 * Invariant: a segment is given up only when no pin lies in or before it. A pin that yields never stops truncation; it is
 * told instead (`evicted`), before the file it reads from gets another use.
 */

/** Keeps every record from `lsn` on in the log until it moves on or is released. */
export interface Pin {
  readonly lsn: bigint;
  /** Gives up everything before this lsn; never moves back. */
  advance(lsn: bigint): void;
  /** Idempotent. */
  release(): void;
  [Symbol.dispose](): void;
}

export class PinSet {
  readonly #pins: Set<HeldPin> = new Set();

  get count(): number {
    return this.#pins.size;
  }

  /** The lowest lsn that somebody holds, or null. */
  get oldest(): bigint | null {
    let oldest: bigint | null = null;
    for (const {lsn, yields} of this.#pins) if (!yields && (oldest === null || lsn < oldest)) oldest = lsn;
    return oldest;
  }

  hold(lsn: bigint, yields = false): HeldPin {
    const pin = new HeldPin(lsn, yields, () => this.#pins.delete(pin));
    this.#pins.add(pin);
    return pin;
  }

  end(): void {
    for (const pin of this.#pins) pin.ended = true;
  }

  /** Everything below `lsn` is about to go: whoever reads there and yields is evicted. */
  evictBelow(lsn: bigint): void {
    for (const pin of this.#pins) if (pin.yields && pin.lsn < lsn) pin.evicted = true;
  }
}

export class HeldPin implements Pin {
  lsn: bigint;
  readonly yields: boolean;
  evicted = false;
  /** The log was closed, and its files may be somebody else's. */
  ended = false;
  readonly #onRelease: () => void;

  constructor(lsn: bigint, yields: boolean, onRelease: () => void) {
    this.lsn = lsn;
    this.yields = yields;
    this.#onRelease = onRelease;
  }

  advance(lsn: bigint): void {
    if (lsn > this.lsn) this.lsn = lsn;
  }

  release(): void {
    this.#onRelease();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
