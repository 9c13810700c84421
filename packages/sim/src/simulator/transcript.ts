// The transcript of a run: a line for whatever happened, in order. Two runs of one schedule give the same lines.
//
// Lines are kept only when they are asked for; the digest is over every line that was noted, but for its detail, which
// follows from the rest and is there for people; bytes that do not may be mixed in.

export class Transcript {
  /** All lines with their details; empty where they are not kept. */
  readonly lines: string[] = [];
  readonly #keeps: boolean;
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;

  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  note(line: string, detail: (() => string) | null = null): void {
    this.#mix(line);
    if (this.#keeps) this.lines.push(detail === null ? line : `${line} ${detail()}`);
  }

  /** Counts for the digest, and stands in no line. */
  mix(text: string): void {
    this.#mix(text);
  }

  /** 64 bits over all lines, in hexadecimal. */
  get digest(): string {
    const words = [this.#high, this.#low].map(word => (word >>> 0).toString(16).padStart(8, '0'));
    return words.join('');
  }

  /** Two FNV-1a sums, the second over what the first has made of it: enough to tell histories apart. */
  #mix(line: string): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i <= line.length; i++) {
      // NaN behind the last character becomes 0: the end of a line counts too.
      low = Math.imul(low ^ line.charCodeAt(i), 0x01000193);
      high = Math.imul(high ^ (low >>> 7), 0x85ebca6b);
    }
    this.#low = low;
    this.#high = high;
  }
}
