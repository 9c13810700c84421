/**
 * How fast work beside the engine may go: copying a snapshot out, copying the log for a backup. Whoever does it says after
 * each piece what it cost in bytes and in time of the event loop, and waits as long as the allowed rates want. All who do
 * so at the same time pay into one account, so that together they take no more than one of them alone.
 */

/**
 * Most of the event loop's time that such work takes. A server at half of its highest rate has little more to spare: in
 * the small frames of steady arrivals it is three quarters busy then.
 */
const LOOP_SHARE = 0.1;

/**
 * Work that fell behind its rate by more than this is not made up for: what held it up is a busy loop or a busy disk, and
 * slice upon slice is the last thing that either needs then.
 */
const ARREARS_MS = 10;

export interface PaceHost {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export class Pacer {
  private readonly bytesPerSecond: number;
  private readonly host: PaceHost;
  /** When, at the allowed rates, what has been done so far would be done. */
  private paidAtMs: number = 0;

  constructor(bytesPerSecond: number, host: PaceHost) {
    this.bytesPerSecond = bytesPerSecond;
    this.host = host;
  }

  /** Work begins: no time before now counts for it. */
  begin(): void {
    this.paidAtMs = Math.max(this.paidAtMs, this.host.now());
  }

  /** A piece of so many bytes was written, and the event loop was kept for so long; resolves when the next may follow. */
  async pay(bytes: number, busyMs: number): Promise<void> {
    const costMs = Math.max((1000 * bytes) / this.bytesPerSecond, busyMs / LOOP_SHARE);
    const now = this.host.now();
    this.paidAtMs = Math.max(this.paidAtMs + costMs, now - ARREARS_MS);
    const ahead = this.paidAtMs - now;
    if (ahead > 1) await this.host.sleep(ahead);
  }
}
