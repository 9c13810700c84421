/**
 * The open delta of the time series: points in memory, by series.
 *
 * Invariant: a refused append leaves nothing behind; an append is in as a whole. Readers get the arrays themselves with
 * how much of them counts, since points are only ever added behind: a view costs one entry a series, not a copy of all.
 */

import type {Delta, FrozenDelta} from '@allocdb/wal';
import type {Append, GrowingSeries, LastTimes, Point, PointsBySeries} from './points.ts';

const POINT_BYTES = 16;

/** What an append answers: how many points the delta holds now. */
export interface Appended {
  readonly pointsInDelta: number;
}

export class SeriesDelta implements Delta<LastTimes, Append, PointsBySeries, PointsBySeries, Appended, GrowingSeries> {
  readonly #series: Map<string, Point[]> = new Map();
  readonly #lastTimes: Map<string, number>;
  #points = 0;

  constructor(lastTimes: LastTimes) {
    this.#lastTimes = new Map(lastTimes);
  }

  apply({series, points}: Append): Appended {
    let last = this.#lastTimes.get(series) ?? Number.NEGATIVE_INFINITY;
    for (const {time} of points) {
      if (!(time > last)) throw new RangeError(`${series}: ${time} is not after ${last}`);
      last = time;
    }
    const known = this.#series.get(series);
    if (known === undefined) this.#series.set(series, [...points]);
    else known.push(...points);
    this.#lastTimes.set(series, last);
    this.#points += points.length;
    return {pointsInDelta: this.#points};
  }

  estimateSize(): number {
    return this.#points * POINT_BYTES;
  }

  freeze(): FrozenDelta<LastTimes, PointsBySeries, PointsBySeries> {
    return {frozen: this.#series, view: this.#series, context: this.#lastTimes};
  }

  reader(): GrowingSeries {
    return new Map([...this.#series].map(([name, points]) => [name, {points, count: points.length}]));
  }
}
