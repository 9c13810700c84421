/**
 * What the demo and its client processes tell each other. Nothing that the auditor relies on travels here but the count
 * of unanswered requests: answers go from each client straight into its ledger.
 */
import type {SaleSettings} from './settings.ts';

/** To a client: what to be. */
export interface Setup {
  readonly type: 'setup';
  readonly settings: SaleSettings;
  readonly seatsFile: string;
  readonly ledgerFile: string;
  /** This client, of how many; it acts for every buyer whose number leaves this remainder. */
  readonly client: number;
  readonly clients: number;
}

/** To a client: a server is there. */
export interface ServerThere {
  readonly type: 'server';
  readonly port: number;
  readonly life: number;
}

/** To a client: the sale opens at this time (µs of the machine's monotonic clock). */
export interface Doors {
  readonly type: 'doors';
  readonly atUs: number;
}

/** To a client: write everything down and end. */
export interface Finish {
  readonly type: 'finish';
}

export type ToClient = Setup | ServerThere | Doors | Finish;

/** From a client: the state of things, many times a second. */
export interface Status {
  readonly type: 'status';
  readonly life: number;
  /** Requests sent and not answered. */
  readonly unanswered: number;
  /** Answers since the start. */
  readonly answers: number;
  readonly heldSeats: number;
  readonly soldSeats: number;
  /** Buyers who are still to come or not yet gone. */
  readonly buyersLeft: number;
  /** The latest deadline slot of an ordinary hold; 0 before the first. */
  readonly lastDeadline: number;
}

/** From a client: its connection broke, with so many requests unanswered. */
export interface Lost {
  readonly type: 'lost';
  readonly life: number;
  readonly unanswered: number;
}

export type FromClient =
  | Status
  | Lost
  | {readonly type: 'ready'}
  | {readonly type: 'connected'; readonly life: number}
  | {readonly type: 'failed'; readonly reason: string};
