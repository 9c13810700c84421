/**
 * One command and its answer, for setting up and for tests; the loop does not come here.
 */
import type {PeerCommand} from './command.ts';
import {NOBODY, type PeerConnection} from './connection.ts';

/** The answer to a command: AllocDB's code, and what was granted, 0 for nothing. */
export interface PeerAnswer {
  readonly code: number;
  readonly reservation: number;
}

/** Sends a command on a connection on which nothing is outstanding. Rejects when it has no answer. */
export async function askOnce(connection: PeerConnection, command: PeerCommand): Promise<PeerAnswer> {
  const [answer] = await askTogether(connection, [command]);
  if (answer === undefined) throw new Error('assertion failed: a command is answered');
  return answer;
}

/** Sends commands in one flush on a connection on which nothing is outstanding; their answers in order. */
export async function askTogether(connection: PeerConnection, commands: readonly PeerCommand[]): Promise<PeerAnswer[]> {
  const answers: PeerAnswer[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      connection.target = {
        onChunk: () => undefined,
        onAnswer: (code, reservation) => {
          answers.push({code, reservation});
          if (answers.length === commands.length) resolve();
        },
        onError: reject,
      };
      for (const command of commands) connection.send(command);
      connection.flush();
    });
  } finally {
    connection.target = NOBODY;
  }
  return answers;
}
