/**
 * When change feeds read: all feeds of an engine together take no more of the event loop than one would, so that however
 * many there are, and however far behind, the writers keep theirs. They read one after the other, whoever has waited
 * longest first; a reader that could go on ends the turn, and while commands are being written, reading is followed by
 * four times as long without any.
 *
 * Not here: what is read, and how long one reading may take.
 */
import type {Scheduler} from '../clock.ts';

/** Part of the event loop that feeds take while commands are being written. */
const LOOP_SHARE = 0.2;
/** Short readings, of feeds that have come to the end of the log, share a turn up to so much. */
const TURN_MS = 0.25;
/** The shortest pause that a timer can keep; a smaller debt is carried on. */
const PAUSE_MS = 1;

/** Whether there are writers to be spared. */
export interface PaceHost {
  /** Frames that became durable so far: where they are written at once, none is on its way when a feed has its turn. */
  frames(): number;
  /** Commands wait for a frame. */
  isBusy(): boolean;
}

export class FeedPace {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  private readonly host: PaceHost;
  private readonly scheduler: Scheduler;
  private readonly waiting: (() => boolean)[] = [];
  private isPaused: boolean = false;
  /** Time for others that reading still owes. */
  private owedMs: number = 0;
  private turnMs: number = 0;
  private framesSeen: number = 0;

  constructor(host: PaceHost, scheduler: Scheduler, now: () => number) {
    this.host = host;
    this.scheduler = scheduler;
    this.now = now;
  }

  /**
   * Calls `read` when its turn has come, which may be at once, and resolves when it has returned. It answers whether it
   * could go on, and must not throw.
   */
  run(read: () => boolean): Promise<void> {
    return new Promise(resolve => {
      this.waiting.push(() => {
        const isMore = read();
        resolve();
        return isMore;
      });
      if (!this.isPaused) this.step();
    });
  }

  private step(): void {
    const {waiting} = this;
    for (let read = waiting.shift(); read !== undefined; read = waiting.shift()) {
      const begunMs = this.now();
      const isMore = read();
      const spentMs = this.now() - begunMs;
      this.turnMs += spentMs;
      this.owedMs = this.isBusy() ? this.owedMs + spentMs * (1 / LOOP_SHARE - 1) : 0;
      if (isMore || this.turnMs > TURN_MS || this.owedMs >= PAUSE_MS) {
        this.pause();
        return;
      }
    }
  }

  /** Commands are being written, or were since this was asked last. */
  private isBusy(): boolean {
    const before = this.framesSeen;
    this.framesSeen = this.host.frames();
    return this.framesSeen !== before || this.host.isBusy();
  }

  private pause(): void {
    const begunMs = this.now();
    const goOn = (): void => {
      this.owedMs = Math.max(0, this.owedMs - (this.now() - begunMs));
      this.turnMs = 0;
      this.isPaused = false;
      this.step();
    };
    this.isPaused = true;
    if (this.owedMs >= PAUSE_MS) void this.scheduler.sleep(this.owedMs).then(goOn);
    else this.scheduler.endOfTurn(goOn);
  }
}
