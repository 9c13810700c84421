/**
 * A frame is proven durable by what stands behind it; behind the last one nothing does until the engine has been idle for
 * a moment. Then a marker is written, so that damage to the last frame is never taken for a torn write.
 *
 * One timer, looked at when it fires: arming it for every frame would cost more than the frame.
 */

/** What the marker asks of the engine. */
export interface IdleHost {
  /** Frames so far. */
  frames(): number;
  /** Whether anything waits for a frame. */
  isBusy(): boolean;
  /** Writes the marker. */
  prove(): void;
}

export class IdleMarker {
  private readonly afterMs: number;
  private readonly host: IdleHost;
  private timer: NodeJS.Timeout | null = null;
  private ended: boolean = false;

  /** `afterMs` 0 is never. */
  constructor(afterMs: number, host: IdleHost) {
    this.afterMs = afterMs;
    this.host = host;
  }

  /** To be called after each frame. */
  noteFrame(): void {
    if (this.timer !== null || this.afterMs === 0 || this.ended) return;
    const frames = this.host.frames();
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.host.isBusy() || this.host.frames() !== frames) this.noteFrame();
      else this.host.prove();
    }, this.afterMs).unref();
  }

  end(): void {
    this.ended = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
