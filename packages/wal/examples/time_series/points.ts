/**
 * What the store holds: named series of points, each point later than the one before it.
 *
 * That order is checked once, when a point is appended; so parts of a series can be put together by their epochs alone.
 */

export interface Point {
  readonly time: number;
  readonly value: number;
}

/** One write: points for one series, in order. */
export interface Append {
  readonly series: string;
  readonly points: readonly Point[];
}

/** Points by series. */
export type PointsBySeries = ReadonlyMap<string, readonly Point[]>;

/** Points that others may still be added to: the first `count` of them are meant. */
export type GrowingSeries = ReadonlyMap<string, {readonly points: readonly Point[]; readonly count: number}>;

/** Time of the last point of each series. */
export type LastTimes = ReadonlyMap<string, number>;
