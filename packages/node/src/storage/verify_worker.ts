/**
 * The program of the thread that verifies a directory beside a running engine: takes the order, sends what it is at and,
 * at its end, what was found. It runs below the priority of the threads that serve, where the system has such a thing.
 */
import {setPriority} from 'node:os';
import {performance} from 'node:perf_hooks';
import {parentPort, workerData} from 'node:worker_threads';
import {nodeFileIo} from '@allocdb/wal';
import {type Progress, runSteps} from './steps.ts';
import {verifyDirectorySteps} from './verify_directory.ts';
import type {VerifyMessage, VerifyOrder} from './verify_thread.ts';

const TELL_EVERY_MS = 100;
const LOW_PRIORITY = 10;

const post = (message: VerifyMessage): void => parentPort?.postMessage(message);

post({kind: 'started'});
// On Linux a priority is a thread's own; elsewhere it would be that of the process.
if (process.platform === 'linux') setPriority(LOW_PRIORITY);

let untold = 0;
let toldMs = 0;
const tell = (): void => {
  if (untold > 0) post({kind: 'add', count: untold});
  untold = 0;
  toldMs = performance.now();
};
const progress: Progress = {
  begin: (phase, unit, total) => {
    tell();
    post({kind: 'begin', phase, unit, total});
  },
  add: count => {
    untold += count;
    if (performance.now() - toldMs >= TELL_EVERY_MS) tell();
  },
};
const {dir, created} = workerData as VerifyOrder;
const {report} = runSteps(verifyDirectorySteps({io: nodeFileIo, dir, created}, progress));
tell();
post({kind: 'report', report});
