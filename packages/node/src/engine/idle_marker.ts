/**
 * A frame is proven durable by what stands behind it; behind the last one nothing does until the engine has been idle for
 * a moment. Then a marker is written, so that damage to the last frame is never taken for a torn write.
 *
 * One timer, looked at when it fires: arming it for every frame would cost more than the frame.
 */

import type {Scheduler} from '../clock.ts';

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
  private readonly scheduler: Scheduler;
  private callOff: (() => void) | null = null;
  private ended: boolean = false;

  /** `afterMs` 0 is never. */
  constructor(afterMs: number, host: IdleHost, scheduler: Scheduler) {
    this.afterMs = afterMs;
    this.host = host;
    this.scheduler = scheduler;
  }

  /** To be called after each frame. */
  noteFrame(): void {
    if (this.callOff !== null || this.afterMs === 0 || this.ended) return;
    const frames = this.host.frames();
    this.callOff = this.scheduler.later(this.afterMs, () => {
      this.callOff = null;
      if (this.host.isBusy() || this.host.frames() !== frames) this.noteFrame();
      else this.host.prove();
    });
  }

  end(): void {
    this.ended = true;
    this.callOff?.();
    this.callOff = null;
  }
}
