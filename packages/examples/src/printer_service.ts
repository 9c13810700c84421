/**
 * A printer behind HTTP that obeys only the latest holder. Requests carry the fence of the lease they act under in a
 * header; one guard for each printer refuses what was granted before the highest fence it has seen, with 412 and that
 * fence, so that a stale worker learns that its time is over.
 *
 * What the guard remembers must outlive the process as long as the printer does: here it is written to a file, and synced,
 * before the page is printed.
 */
import {closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http';
import {dirname} from 'node:path';
import {FenceGuard, type ReservationId, reservationId} from '@allocdb/client';

/** The header that a holder's requests carry. */
export const FENCE_HEADER = 'x-fence';

/** A printer: pages, in the order in which they were printed. */
export class Printer {
  readonly pages: string[] = [];
  readonly #file: string;
  readonly #guard: FenceGuard;
  /** What the file says. */
  #remembered: ReservationId | null;

  /** Goes on with the highest fence that this file remembers. */
  constructor(file: string) {
    this.#file = file;
    this.#remembered = existsSync(file) ? reservationId(readFileSync(file, 'utf8')) : null;
    this.#guard = new FenceGuard(this.#remembered);
  }

  get highestFence(): ReservationId | null {
    return this.#guard.highest;
  }

  /** Prints, unless somebody came later; then false. Throws, and prints nothing, where it cannot remember who came. */
  print(page: string, fence: ReservationId): boolean {
    if (!this.#guard.admit(fence)) return false;
    if (fence !== this.#remembered) this.#remember(fence);
    this.pages.push(page);
    return true;
  }

  #remember(fence: ReservationId): void {
    const temporary = `${this.#file}.tmp`;
    writeFileSync(temporary, fence, {flush: true});
    renameSync(temporary, this.#file);
    // The new name, too, is on the disk only now.
    const directory = openSync(dirname(this.#file), 'r');
    fsyncSync(directory);
    closeSync(directory);
    this.#remembered = fence;
  }
}

/**
 * The service: POST a page. 204 when printed, 412 with the highest fence when the holder's time is over, 428 without one,
 * 500 when nothing was printed for another reason.
 */
export function printerService(printer: Printer): Server {
  return createServer((request, response) => {
    answer(printer, request, response).catch(() => response.writeHead(500).end('nothing was printed\n'));
  });
}

async function answer(printer: Printer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const fence = fenceOf(request);
  const page = await textOf(request);
  if (fence === null) response.writeHead(428).end(`say under which lease: ${FENCE_HEADER}\n`);
  else if (printer.print(page, fence)) response.writeHead(204).end();
  else response.writeHead(412, {[FENCE_HEADER]: printer.highestFence ?? ''}).end('somebody else holds the printer\n');
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
