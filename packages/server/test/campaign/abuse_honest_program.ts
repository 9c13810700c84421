/**
 * A program: the honest client whose waiting is measured, in a process of its own, so that what abusers do to their own
 * process is not taken for what they do to the server. The loop is open: steps leave by a fixed schedule, and the latency of
 * each is counted from the moment at which it was due.
 *
 * Argument: JSON of `HonestOrder`. Each line on standard input ends a phase; the answer is a line of JSON (`HonestPhase`)
 * with what was measured since the last one. It ends with its input.
 */
import {createInterface} from 'node:readline';
import {HonestClient} from '../abuse_honest.ts';

/** What the program is given. */
export interface HonestOrder {
  readonly port: number;
  readonly token: string;
  /** Steps a second. */
  readonly rate: number;
}

/** What was measured; milliseconds. */
export interface HonestPhase {
  readonly answers: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Answers that were not as they had to be. */
  readonly wrong: readonly string[];
}

const LANES = 64;
/** Short beside a sync; no timer is. */
const NAP_MS = 0.25;

const {port, token, rate}: HonestOrder = JSON.parse(process.argv[2] ?? '');
const client = await HonestClient.open({port, token, number: 1, lanes: LANES});
const bed = new Int32Array(new SharedArrayBuffer(4));
const started = performance.now();
let latencies: number[] = [];
let sent = 0;
let isOver = false;

function pump(): void {
  if (isOver) return;
  const due = Math.floor(((performance.now() - started) * rate) / 1000);
  for (; sent < due && client.isFree; sent++) {
    const dueMs = started + ((sent + 1) * 1000) / rate;
    client.send(() => latencies.push(performance.now() - dueMs));
  }
  Atomics.wait(bed, 0, 0, NAP_MS);
  setImmediate(pump);
}

function percentile(sorted: readonly number[], rank: number): number {
  return sorted[Math.max(0, Math.ceil(rank * sorted.length) - 1)] ?? 0;
}

function phase(): HonestPhase {
  const sorted = latencies.sort((a, b) => a - b);
  latencies = [];
  const {wrong} = client;
  return {
    answers: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: sorted.at(-1) ?? 0,
    wrong: [...wrong],
  };
}

pump();
for await (const _line of createInterface({input: process.stdin})) {
  process.stdout.write(`${JSON.stringify(phase())}\n`);
}
isOver = true;
await client.close();
