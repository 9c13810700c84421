/**
 * The plots: the last five minutes of rates and latencies, a point a scrape. What happened before the page was opened is
 * not known to it.
 */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import {colour} from './theme.ts';

const WINDOW_POINTS = 300;
const WINDOW_SECONDS = 300;
const TIME = new Intl.DateTimeFormat('en', {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'});
const HEIGHT = 120;

/** One line of a plot: its name, its colour in the style sheet, and how its values are written. */
export interface Line {
  readonly name: string;
  readonly colour: string;
}

/** A plot that moves on with each point. */
export class Plot {
  readonly #container: HTMLElement;
  readonly #lines: readonly Line[];
  readonly #format: (value: number) => string;
  readonly #data: (number | null)[][];
  /** Where the scale ends at least, so that a quiet server does not look busy. */
  readonly #least: number;
  #plot: uPlot | null = null;

  constructor(container: HTMLElement, lines: readonly Line[], format: (value: number) => string, least: number) {
    this.#container = container;
    this.#lines = lines;
    this.#format = format;
    this.#least = least;
    this.#data = [[], ...lines.map(() => [])];
    new ResizeObserver(() => this.#plot?.setSize({width: container.clientWidth, height: HEIGHT})).observe(container);
    this.restyle();
  }

  /** Adds a point: seconds since 1970, and a value for each line, null where there is none. */
  add(atSeconds: number, values: readonly (number | null)[]): void {
    [atSeconds, ...values].forEach((value, i) => {
      const column = this.#data[i] ?? [];
      column.push(value);
      if (column.length > WINDOW_POINTS) column.shift();
    });
    this.#plot?.setData(this.#data as uPlot.AlignedData);
  }

  /** Builds it anew, with the colours of the theme as it is now. */
  restyle(): void {
    this.#plot?.destroy();
    const axis = {stroke: colour('faint'), grid: {stroke: colour('line'), width: 1}, ticks: {show: false}, gap: 4};
    const times = (_plot: uPlot, splits: number[]): string[] => splits.map(at => TIME.format(at * 1000));
    const options: uPlot.Options = {
      width: this.#container.clientWidth || 300,
      height: HEIGHT,
      legend: {show: false},
      cursor: {show: false},
      scales: {
        x: {range: (_plot, _min, max) => lastMinutes(max ?? Date.now() / 1000)},
        y: {range: (_plot, _min, max) => [0, Math.max(this.#least, (max ?? 0) * 1.1)]},
      },
      axes: [
        {...axis, size: 24, incrs: [60, 120, 300], values: times},
        {...axis, size: 60, values: (_plot, splits) => splits.map(this.#format)},
      ],
      series: [
        {},
        ...this.#lines.map(({name, colour: key}) => {
          // Of a quiet server most seconds have no value: the one that has is a line of no length.
          const points = {show: true, size: 3, width: 0, fill: colour(key)};
          return {label: name, stroke: colour(key), width: 2, spanGaps: false, points};
        }),
      ],
    };
    this.#plot = new uPlot(options, this.#data as uPlot.AlignedData, this.#container);
  }
}

function lastMinutes(endSeconds: number): [from: number, to: number] {
  return [endSeconds - WINDOW_SECONDS, endSeconds];
}
