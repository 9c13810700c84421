/**
 * Progress of what takes long: on a terminal a bar on stderr, elsewhere a plain line every few seconds, with `--json`
 * nothing unless somebody watches. What is counted is up to the caller: resources, records, bytes.
 *
 * It follows `update` and needs no timer of its own, so it works for what keeps the event loop busy too.
 */
import progress from 'cli-progress';
import type {Output} from './output.ts';

/** Takes how much is done by now, out of the total. */
export type Update = (done: number) => void;

const LINE_EVERY_MS = 5000;

/** What takes long, phase by phase. `total` is 0 where it is not known. */
export interface PhaseProgress {
  readonly phase: string;
  readonly unit: string;
  readonly done: number;
  readonly total: number;
}

/**
 * Runs something and shows how far it is. `total` is null where it is not known before. `nowMs` is a clock, for tests.
 */
export async function withProgress<Value>(
  output: Output,
  label: string,
  total: number | null,
  run: (update: Update) => Promise<Value>,
  nowMs: () => number = () => performance.now(),
): Promise<Value> {
  const shown = new Shown(output, nowMs);
  shown.begin(label, total);
  try {
    return await run(done => shown.update(done));
  } finally {
    shown.end();
  }
}

/** The same for what tells its phases itself: one bar, or some lines, for each of them. */
export async function withPhases<Value>(
  output: Output,
  run: (onProgress: (progress: PhaseProgress) => void) => Promise<Value>,
  nowMs: () => number = () => performance.now(),
): Promise<Value> {
  const shown = new Shown(output, nowMs);
  let label = '';
  let last = 0;
  try {
    return await run(({phase, unit, done, total}) => {
      const next = `${phase}, ${unit}`;
      // The same phase may come twice.
      if (next !== label || done < last) shown.begin(next, total === 0 ? null : total);
      label = next;
      last = done;
      shown.update(done);
    });
  } finally {
    shown.end();
  }
}

/** What is shown of one phase after the other. */
class Shown {
  readonly #output: Output;
  readonly #nowMs: () => number;
  #label: string = '';
  #total: number | null = null;
  #bar: progress.SingleBar | null = null;
  #toldAtMs: number;

  constructor(output: Output, nowMs: () => number) {
    this.#output = output;
    this.#nowMs = nowMs;
    this.#toldAtMs = nowMs();
  }

  begin(label: string, total: number | null): void {
    this.end();
    this.#label = label;
    this.#total = total;
    if (!this.#output.stderr.isTTY || total === null) return;
    this.#bar = barOf(this.#output, label);
    this.#bar.start(total, 0);
  }

  update(done: number): void {
    if (this.#bar !== null) this.#bar.update(done);
    else this.#line(done);
  }

  end(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #line(done: number): void {
    const now = this.#nowMs();
    if (now - this.#toldAtMs < LINE_EVERY_MS) return;
    this.#toldAtMs = now;
    this.#output.note(`${this.#label}: ${grouped(done)}${this.#total === null ? '' : ` of ${grouped(this.#total)}`}`);
  }
}

function barOf(output: Output, label: string): progress.SingleBar {
  return new progress.SingleBar({
    stream: output.stderr,
    format: `${label} {bar} {percentage}% {value}/{total} {eta_formatted}`,
    formatValue: (value, options, type) =>
      type === 'value' || type === 'total' ? grouped(value) : progress.Format.ValueFormat(value, options, type),
    barCompleteChar: '#',
    barIncompleteChar: '.',
    barsize: 30,
    clearOnComplete: true,
    gracefulExit: false,
  });
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
