/**
 * A printer behind HTTP that obeys only the latest holder. Requests carry the fence of the lease they act under in a
 * header; one guard for each printer refuses what was granted before the highest fence it has seen, with 412 and that
 * fence, so that a stale worker learns that its time is over.
 *
 * What the guard remembers must outlive the process as long as the printer does: here it is written to a file, and synced,
 * before the page is printed.
 */
import {closeSync, existsSync, fdatasyncSync, openSync, readFileSync, renameSync, writeSync} from 'node:fs';
import {createServer, type IncomingMessage, type Server} from 'node:http';
import {FenceGuard, type ReservationId, reservationId} from '@allocdb/client';

/** The header that a holder's requests carry. */
export const FENCE_HEADER = 'x-fence';

/** A printer: pages, in the order in which they were printed. */
export class Printer {
  readonly pages: string[] = [];
  readonly #file: string;
  readonly #guard: FenceGuard;

  /** Goes on with the highest fence that this file remembers. */
  constructor(file: string) {
    this.#file = file;
    this.#guard = new FenceGuard(existsSync(file) ? reservationId(readFileSync(file, 'utf8')) : null);
  }

  get highestFence(): ReservationId | null {
    return this.#guard.highest;
  }

  /** Prints, unless somebody came later; then false. */
  print(page: string, fence: ReservationId): boolean {
    const before = this.#guard.highest;
    if (!this.#guard.admit(fence)) return false;
    if (fence !== before) this.#remember(fence);
    this.pages.push(page);
    return true;
  }

  #remember(fence: ReservationId): void {
    const temporary = `${this.#file}.tmp`;
    const file = openSync(temporary, 'w');
    writeSync(file, fence);
    fdatasyncSync(file);
    closeSync(file);
    renameSync(temporary, this.#file);
  }
}

/** The service: POST a page. 204 when printed, 412 with the highest fence when the holder's time is over, 428 without one. */
export function printerService(printer: Printer): Server {
  return createServer(async (request, response) => {
    const fence = fenceOf(request);
    const page = await textOf(request);
    if (fence === null) response.writeHead(428).end(`say under which lease: ${FENCE_HEADER}\n`);
    else if (printer.print(page, fence)) response.writeHead(204).end();
    else response.writeHead(412, {[FENCE_HEADER]: printer.highestFence ?? ''}).end('somebody else holds the printer\n');
  });
}

function fenceOf(request: IncomingMessage): ReservationId | null {
  try {
    return reservationId(String(request.headers[FENCE_HEADER]));
  } catch {
    return null;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}
