/**
 * The client processes: started, told where the server is, and listened to. Here is only what they say of themselves;
 * what they were answered is in their ledgers.
 */
import {type ChildProcess, fork} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {FromClient, Lost, Setup, Status, ToClient} from '../messages.ts';

const IDLE: Status = {
  type: 'status',
  life: 0,
  unanswered: 0,
  answers: 0,
  heldSeats: 0,
  soldSeats: 0,
  buyersLeft: 0,
  lastDeadline: 0,
};

/** All clients together. */
export interface Totals {
  readonly unanswered: number;
  readonly answers: number;
  readonly heldSeats: number;
  readonly soldSeats: number;
  readonly buyersLeft: number;
  readonly lastDeadline: number;
}

interface Client {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  status: Status;
  connectedLife: number;
  lost: Lost | null;
}

export class ClientProcesses {
  /** Told of every status. */
  onStatus: (() => void) | null = null;
  readonly #clients: Client[] = [];
  readonly #onFailure: (reason: string) => void;
  #finishing: boolean = false;
  #wake: (() => void)[] = [];
  #ready: number = 0;

  /** `onFailure` is told when a client meets what must not be, or ends by itself. */
  constructor(onFailure: (reason: string) => void) {
    this.#onFailure = onFailure;
  }

  /** Starts one process for each of these, and resolves when all are ready. */
  async start(setups: readonly Setup[]): Promise<void> {
    for (const setup of setups) this.#fork(setup);
    await this.#until(() => this.#ready === this.#clients.length);
  }

  tell(message: ToClient): void {
    for (const {child} of this.#clients) if (child.connected) child.send(message);
  }

  get totals(): Totals {
    const statuses = this.#clients.map(client => client.status);
    const sum = (of: (status: Status) => number): number => statuses.reduce((total, status) => total + of(status), 0);
    return {
      unanswered: sum(status => status.unanswered),
      answers: sum(status => status.answers),
      heldSeats: sum(status => status.heldSeats),
      soldSeats: sum(status => status.soldSeats),
      buyersLeft: sum(status => status.buyersLeft),
      lastDeadline: Math.max(0, ...statuses.map(status => status.lastDeadline)),
    };
  }

  /** True when every client has a connection to the server of this life. */
  allConnected(life: number): boolean {
    return this.#clients.every(client => client.connectedLife === life);
  }

  /** Resolves with the requests that all clients report unanswered, once each has noticed that this life ended. */
  async lost(life: number): Promise<number> {
    await this.#until(() => this.#clients.every(client => client.lost?.life === life));
    return this.#clients.reduce((sum, {lost}) => sum + (lost?.unanswered ?? 0), 0);
  }

  /** Lets them write everything down and end; resolves when they have. */
  async finish(): Promise<void> {
    this.#finishing = true;
    this.tell({type: 'finish'});
    await Promise.all(this.#clients.map(client => client.exited));
  }

  kill(): void {
    this.#finishing = true;
    for (const {child} of this.#clients) child.kill('SIGKILL');
  }

  #fork(setup: Setup): void {
    const child = fork(fileURLToPath(new URL('../buyers/main.js', import.meta.url)), {stdio: 'inherit'});
    const exited = new Promise<number | null>(resolve => {
      child.once('exit', code => {
        if (!this.#finishing) this.#onFailure(`client process ${setup.client + 1} ended by itself (${code})`);
        resolve(code);
      });
    });
    const buyersLeft = Math.ceil((setup.settings.buyers - setup.client) / setup.clients);
    const client: Client = {child, exited, status: {...IDLE, buyersLeft}, connectedLife: -1, lost: null};
    this.#clients.push(client);
    child.on('message', message => this.#hear(client, message as FromClient));
    child.send(setup);
  }

  #hear(client: Client, message: FromClient): void {
    switch (message.type) {
      case 'status':
        client.status = message;
        this.onStatus?.();
        return;
      case 'failed':
        this.#onFailure(message.reason);
        return;
      case 'ready':
        this.#ready++;
        break;
      case 'connected':
        client.connectedLife = message.life;
        break;
      case 'lost':
        client.lost = message;
        break;
    }
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>(resolve => {
        this.#wake.push(resolve);
      });
    }
  }
}
