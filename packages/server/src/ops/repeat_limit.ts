/**
 * Keeps events that somebody else can cause from filling the log: of each kind the first few of a time are let through, the
 * rest are counted, and the count comes with one line when that time is over.
 *
 * Kinds are bounded too: beyond so many they share one count. Not here: which events that holds for, and writing.
 */

/** How much is let through. */
export interface RepeatLimitOptions {
  /** Of one kind in one window. */
  readonly burst: number;
  readonly windowMs: number;
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Told, when a window is over, how many of a kind were kept back in it. */
  onKeptBack(kind: string, count: number): void;
}

interface Window {
  readonly begunMs: number;
  passed: number;
  keptBack: number;
}

const KINDS_MAX = 64;
/** The kind of everything beyond that. */
export const OTHER_KIND = 'other';

export class RepeatLimit {
  readonly #options: RepeatLimitOptions;
  readonly #windows: Map<string, Window> = new Map();

  constructor(options: RepeatLimitOptions) {
    this.#options = options;
  }

  /** Whether one more of this kind is let through. */
  passes(kind: string): boolean {
    const nowMs = this.#options.now();
    this.endWindows(nowMs);
    const known = this.#windows.has(kind) || this.#windows.size < KINDS_MAX ? kind : OTHER_KIND;
    const window = this.#windows.get(known) ?? {begunMs: nowMs, passed: 0, keptBack: 0};
    this.#windows.set(known, window);
    if (window.passed < this.#options.burst) window.passed++;
    else window.keptBack++;
    return window.keptBack === 0;
  }

  /** Whether anything is counted that nobody was told of. */
  get hasKeptBack(): boolean {
    return [...this.#windows.values()].some(({keptBack}) => keptBack > 0);
  }

  /** Ends windows that are over at this time; all of them without a time. */
  endWindows(nowMs: number = Number.POSITIVE_INFINITY): void {
    for (const [kind, {begunMs, keptBack}] of this.#windows) {
      if (nowMs - begunMs < this.#options.windowMs) continue;
      this.#windows.delete(kind);
      if (keptBack > 0) this.#options.onKeptBack(kind, keptBack);
    }
  }
}
