/**
 * What the loop needs of a peer: connections that take commands and answer them in order, and the peer itself, which makes
 * connections and can be asked at the end what it holds. One file for each peer implements it.
 *
 * A connection buffers what is sent until it is flushed. What a flush means is the peer's business: one write of many
 * commands that are transactions of their own, or one transaction of all.
 */
import type {Holdings, LoadShape} from '@allocdb/bench';
import type {PeerCommand} from './command.ts';

/** Whose connection it is. Answers come in the order of commands. */
export interface AnswerTarget {
  /** Answers have arrived; before any of them is told. */
  onChunk(): void;
  /** The result of the oldest command without one, by AllocDB's codes, and what it granted, 0 for nothing. */
  onAnswer(code: number, reservation: number): void;
  onError(error: Error): void;
}

/** An ordered stream of commands. */
export interface PeerConnection {
  /** Who is told; set by whoever sends, before the first command. */
  target: AnswerTarget;
  send(command: PeerCommand): void;
  flush(): void;
  close(): Promise<void>;
}

/** A peer that runs, with the workload's resources in it, the hot ones held. */
export interface Peer {
  /** Version and settings, for the report. */
  readonly about: string;
  /** As many connections as the shape says, for so many commands each. */
  connect(shape: LoadShape): Promise<PeerConnection[]>;
  holdings(): Promise<Holdings>;
  /** Stops it and resolves when it is gone. Rejects when it had ended by itself. */
  stop(): Promise<void>;
  /** Stops it at once; without effect when it is gone. */
  kill(): void;
}

/** A target for a connection that nobody has asked anything yet. */
export const NOBODY: AnswerTarget = {
  onChunk: () => undefined,
  onAnswer: () => {
    throw new Error('an answer to nobody');
  },
  onError: error => {
    throw error;
  },
};
