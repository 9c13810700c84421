/**
 * Verifies a directory on a thread of its own, so that the event loop of a running engine is not held up: loading a large
 * state and checking it whole has pieces that cannot be cut. For files of the file system only.
 */
import {Worker} from 'node:worker_threads';
import type {CreatedWith} from './config_file.ts';
import type {DirectoryToRead} from './directory_reading.ts';
import type {Phase, Progress} from './steps.ts';
import type {DirectoryReport} from './verify_directory.ts';

/** What the thread is told. */
export interface VerifyOrder {
  readonly dir: string;
  readonly created: CreatedWith;
}

/** What it answers. */
export type VerifyMessage =
  | {readonly kind: 'started'}
  | {readonly kind: 'begin'; readonly phase: Phase; readonly unit: 'bytes' | 'records'; readonly total: number}
  | {readonly kind: 'add'; readonly count: number}
  | {readonly kind: 'report'; readonly report: DirectoryReport};

/**
 * What verification finds; null where no thread can be started, as in a program that was bundled into one file. Rejects
 * with what the thread threw, or with the signal's reason once the thread has ended.
 */
export async function verifyOnThread(
  {dir, created}: DirectoryToRead,
  progress: Progress,
  signal: AbortSignal,
): Promise<DirectoryReport | null> {
  signal.throwIfAborted();
  const order: VerifyOrder = {dir, created};
  // Beside the compiled form of this file; where there is none, as in the sources, the thread does not start.
  const worker = new Worker(new URL('./verify_worker.js', import.meta.url), {workerData: order});
  let failProgress: unknown = null;
  const verdict = new Promise<DirectoryReport | null>((resolve, reject) => {
    let isStarted = false;
    worker.on('message', (message: VerifyMessage) => {
      isStarted = true;
      try {
        if (message.kind === 'begin') progress.begin(message.phase, message.unit, message.total);
        else if (message.kind === 'add') progress.add(message.count);
        else if (message.kind === 'report') resolve(message.report);
      } catch (error) {
        failProgress = error;
        reject(error);
      }
    });
    worker.on('error', error => (isStarted ? reject(error) : resolve(null)));
    worker.on('exit', code => reject(new Error(`the thread that verified ${dir} ended with ${code}`)));
  });
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop);
  try {
    return await verdict;
  } catch (error) {
    if (failProgress === null) signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    // Whatever has happened, no file is read any more.
    await worker.terminate();
  }
}
