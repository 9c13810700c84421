/**
 * Metrics as the server tells them to Prometheus, read back: samples by name, and percentiles of what a histogram has
 * counted between two scrapes.
 */

/** One line: labels and value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples by metric name; a histogram's buckets are under their own name, with `_bucket`. */
export type Scrape = ReadonlyMap<string, readonly Sample[]>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the text format; lines that are none are passed over. */
export function parseScrape(text: string): Scrape {
  const scrape = new Map<string, Sample[]>();
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined) continue;
    const samples = scrape.get(name) ?? [];
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', quoted = '']) => [key, quoted] as const);
    samples.push({labels: Object.fromEntries(pairs), value: Number(value)});
    scrape.set(name, samples);
  }
  return scrape;
}

/** The sum of a metric's samples, or of those with this label. */
export function total(scrape: Scrape, name: string, label?: {readonly [name: string]: string}): number {
  const samples = scrape.get(name) ?? [];
  const wanted = Object.entries(label ?? {});
  return samples
    .filter(({labels}) => wanted.every(([key, value]) => labels[key] === value))
    .reduce((sum, {value}) => sum + value, 0);
}

/** The bound of the bucket in which a percentile of what came between two scrapes lies; null where nothing came. */
export function percentileBetween(before: Scrape, after: Scrape, name: string, rank: number): number | null {
  const earlier = new Map((before.get(`${name}_bucket`) ?? []).map(({labels, value}) => [labels['le'], value]));
  const buckets = (after.get(`${name}_bucket`) ?? [])
    .map(({labels, value}) => ({
      bound: labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']),
      count: value - (earlier.get(labels['le']) ?? 0),
    }))
    .sort((a, b) => a.bound - b.bound);
  const all = buckets.at(-1)?.count ?? 0;
  if (all <= 0) return null;
  const bucket = buckets.find(({count}) => count >= rank * all);
  if (bucket === undefined) return null;
  const finite = buckets.filter(({bound}) => bound !== Number.POSITIVE_INFINITY);
  return Number.isFinite(bucket.bound) ? bucket.bound : (finite.at(-1)?.bound ?? null);
}
