/** Metrics read back: lines of every form, sums by label, and percentiles of what came between two scrapes. */
import {expect, test} from 'vitest';
import {parseScrape, percentileBetween, total} from './prometheus_text.ts';

const TEXT = `# HELP commands Commands.
# TYPE commands counter
commands_total{kind="reserve",result="ok"} 10
commands_total{kind="reserve",result="resource_busy"} 5
commands_total{kind="confirm",result="ok"} 2
slot 1.5e3
quoted{text="a \\"b\\", {c}"} 7
nonsense
`;

test('samples by name, with labels and numbers of every form', () => {
  const scrape = parseScrape(TEXT);
  expect([...scrape.keys()]).toEqual(['commands_total', 'slot', 'quoted']);
  expect(total(scrape, 'commands_total')).toBe(17);
  expect(total(scrape, 'commands_total', {result: 'ok'})).toBe(12);
  expect(total(scrape, 'commands_total', {result: 'ok', kind: 'confirm'})).toBe(2);
  expect(total(scrape, 'slot')).toBe(1500);
  expect(total(scrape, 'absent')).toBe(0);
  expect(scrape.get('quoted')).toEqual([{labels: {text: 'a \\"b\\", {c}'}, value: 7}]);
});

function histogram(counts: readonly number[]) {
  const bounds = ['0.001', '0.01', '0.1', '+Inf'];
  return parseScrape(counts.map((count, i) => `h_bucket{le="${bounds[i]}"} ${count}`).join('\n'));
}

test.each([
  ['half of them were fast', [10, 10, 10, 10], [15, 20, 20, 20], 0.5, 0.001],
  ['the slowest of them', [10, 10, 10, 10], [15, 20, 20, 20], 0.99, 0.01],
  ['beyond the last bound counts as the last bound', [0, 0, 0, 0], [0, 0, 0, 4], 0.5, 0.1],
  ['nothing came', [3, 3, 3, 3], [3, 3, 3, 3], 0.5, null],
  ['the server began anew', [30, 30, 30, 30], [3, 3, 3, 3], 0.5, null],
] as const)('%s', (_, before, after, rank, bound) => {
  expect(percentileBetween(histogram(before), histogram(after), 'h', rank)).toBe(bound);
});
