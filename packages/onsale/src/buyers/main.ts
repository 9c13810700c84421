/**
 * A client process: acts for its share of the buyers over one connection, keeps its ledger, and tells the demo how it
 * stands. It is started by the demo and ends with it; it knows of the server only where it listens.
 */
import {readFileSync} from 'node:fs';
import {performance} from 'node:perf_hooks';
import {LedgerWriter, nowUs} from '../ledger.ts';
import type {Doors, FromClient, ServerThere, Setup, ToClient} from '../messages.ts';
import {parseSeatMap} from '../seat_map.ts';
import {Crowd} from './crowd.ts';
import {RequestPipe} from './request_pipe.ts';

const TURN_MS = 2;
const STATUS_MS = 20;
/** So many requests at once are told at once: whoever waits for a rush must not hear of it when it is over. */
const BURST = 16;

class Client {
  readonly #ledger: LedgerWriter;
  readonly #pipe: RequestPipe;
  readonly #crowd: Crowd;
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(setup: Setup) {
    const {settings, seatsFile, ledgerFile, client, clients} = setup;
    this.#ledger = new LedgerWriter(ledgerFile);
    this.#pipe = new RequestPipe(settings.window, this.#ledger, {
      connected: life => tell({type: 'connected', life}),
      lost: (life, unanswered) => tell({type: 'lost', life, unanswered}),
      failed: reason => tell({type: 'failed', reason}),
    });
    const seats = parseSeatMap(readFileSync(seatsFile, 'utf8'), seatsFile);
    this.#crowd = new Crowd(settings, seats, client, clients, this.#pipe);
  }

  server(there: ServerThere): void {
    void this.#pipe.connect(there.port, there.life);
  }

  doors(doors: Doors): void {
    this.#crowd.open(performance.now() + (doors.atUs - nowUs()) / 1000);
    this.#timers.push(setInterval(() => this.#turn(), TURN_MS));
    this.#timers.push(setInterval(() => this.#tellStatus(), STATUS_MS));
  }

  async finish(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#pipe.close();
    this.#ledger.close();
    process.disconnect();
  }

  #turn(): void {
    if (this.#crowd.turn() >= BURST) this.#tellStatus();
  }

  #tellStatus(): void {
    const {buyersLeft, heldSeats, soldSeats, lastDeadline} = this.#crowd;
    const {unanswered, open, answers, life} = this.#pipe;
    // A look may still be under way when the last buyer has left.
    const left = buyersLeft === 0 && open > 0 ? 1 : buyersLeft;
    tell({type: 'status', life, unanswered, answers, heldSeats, soldSeats, buyersLeft: left, lastDeadline});
  }
}

function tell(message: FromClient): void {
  if (process.connected) process.send?.(message);
}

let client: Client | null = null;

async function hear(message: ToClient): Promise<void> {
  if (message.type === 'setup') {
    client = new Client(message);
    tell({type: 'ready'});
  } else if (message.type === 'server') client?.server(message);
  else if (message.type === 'doors') client?.doors(message);
  else await client?.finish();
}

// The terminal interrupts the whole group; whether to end is the demo's decision.
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', message => {
  hear(message as ToClient).catch((error: unknown) => {
    tell({type: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error)});
  });
});
