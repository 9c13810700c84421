/**
 * A connection of the demo's own that asks the server for its metrics, often while something is awaited. What it gets is
 * the server's view: its slot, and how many holds are past their deadline and not yet ended.
 */
import {decodeResponseAt, encodeRequest} from '@allocdb/api';
import {openRawConnection, type RawConnection} from '@allocdb/client';

/** The server's time and backlog as it told them last. */
export interface Watched {
  readonly slot: number;
  readonly backlog: number;
}

const REQUEST: Uint8Array = encodeRequest({type: 'get_metrics', currentWallClockSlot: 0n});

export class Watcher {
  readonly #connection: RawConnection;
  #onMetrics: ((watched: Watched) => void) | null = null;

  private constructor(connection: RawConnection) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Watcher> {
    const connection: RawConnection = await openRawConnection(`allocdb://127.0.0.1:${port}`, {
      onResponse: (view, _bytes, offset, length) => watcher.#onResponse(view, offset, length),
    });
    const watcher = new Watcher(connection);
    return watcher;
  }

  /** Calls back with every answer from now on. */
  listen(onMetrics: (watched: Watched) => void): void {
    this.#onMetrics = onMetrics;
  }

  /** Asks once; nothing happens while an earlier question is open or the connection is gone. */
  ask(): void {
    if (this.#connection.unanswered > 0) return;
    try {
      this.#connection.send(REQUEST);
    } catch {
      // The server is gone, which is for others to notice.
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #onResponse(view: DataView, offset: number, length: number): void {
    const response = decodeResponseAt(view, offset, length);
    if (response.type !== 'metrics') return;
    const slot = Number((response.lastRequestSlot ?? 0n) + response.logicalSlotLag);
    this.#onMetrics?.({slot, backlog: response.expirationBacklog});
  }
}
